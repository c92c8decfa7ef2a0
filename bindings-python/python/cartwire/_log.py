"""Where the core's log lines enter ``logging.getLogger("cartwire")``."""

from __future__ import annotations

import logging

_LOGGER = logging.getLogger("cartwire")
_LOGGER.addHandler(logging.NullHandler())


def emit(lines: list[tuple[int, str, str, dict[str, str]]], dropped: int) -> int:
    """Logs a chunk of lines and answers the lowest level worth sending.

    Every line carries its facts in ``record.cartwire`` (a dict) and the core's module in ``record.cartwire_target``.
    """
    for level, target, message, fields in lines:
        if _LOGGER.isEnabledFor(level):
            facts = "".join(f" {key}={value}" for key, value in fields.items())
            _LOGGER.log(level, "%s%s", message, facts, extra={"cartwire": fields, "cartwire_target": target})
    if dropped:
        _LOGGER.warning("%d log lines were dropped: they came faster than logging took them", dropped)
    return min(_LOGGER.getEffectiveLevel(), 255)
