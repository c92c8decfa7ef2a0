"""Python objects to the bytes the core takes, and back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date, datetime, timezone
from decimal import Decimal
from typing import Any, Union
from uuid import UUID

from .errors import ConfigError, InputError

Data = Union[bytes, bytearray, memoryview, str, Mapping[str, Any], list[Any], tuple[Any, ...]]
"""What every function that takes data takes: JSON as bytes or text, or objects that become JSON.

``bytes`` and ``str`` are read in place; ``bytearray`` and ``memoryview`` are copied first, for they can change. In objects,
``Decimal`` becomes a decimal string, ``datetime`` an RFC 3339 time in UTC, ``date`` and ``UUID`` their usual text.
"""

Raw = (bytes, str, bytearray, memoryview)


def _other(value: object) -> str:
    if isinstance(value, Decimal):
        if not value.is_finite():
            raise TypeError("a decimal that is not a number")
        # Plain digits: "1E+2" is no amount of money.
        return format(value, "f")
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise TypeError("a datetime without a time zone")
        return value.astimezone(timezone.utc).isoformat().replace("+00:00", "Z")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, UUID):
        return str(value)
    raise TypeError(f"a {type(value).__name__}")


_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=_other)


def encode(value: object) -> bytes:
    """JSON of an object; never with what was wrong in the message, only with its kind."""
    try:
        if isinstance(value, Mapping) and not isinstance(value, dict):
            value = dict(value)
        return _ENCODER.encode(value).encode()
    except (TypeError, ValueError, RecursionError) as error:
        # ValueError names the offending number, UnicodeEncodeError holds the text: neither may cross into logs.
        what = str(error) if type(error) is TypeError else "a value that JSON cannot hold"
        raise InputError(f"cannot be written as JSON: {what}", code="invalid_input") from None


def data(value: Data) -> bytes | str | bytearray | memoryview:
    """The data argument of a call."""
    if isinstance(value, Raw):
        return value
    if isinstance(value, (Mapping, list, tuple)):
        return encode(value)
    raise InputError(
        f"data must be bytes, str, dict or list, not {type(value).__name__}", code="invalid_input"
    )


def options(given: Mapping[str, Any]) -> bytes:
    """The options of a call. An option that is None counts as not given."""
    try:
        return encode({key: value for key, value in given.items() if value is not None})
    except InputError as error:
        raise ConfigError(str(error), code="invalid_config") from None
