"""The pure operations: no state, no network."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from . import _cartwire, raw
from ._data import Data, data as _bytes, options as _options

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from .types import Normalized, PipelineOptions, Plan, ValidationReport


def normalize(data: Data, /, **options: Unpack[PipelineOptions]) -> Normalized:
    """Reads a source's document into canonical records.

    Never raises for a bad row: it is in ``rejected`` with a code and a JSON pointer, and its neighbours are read on.

    Args:
        data: A resource, a page of them, a message, or NDJSON; bytes, text or objects.
        options: ``source`` (required), ``format``, ``resource``, ``mode``, ``now``, ``max_record_bytes``, ``threads``;
            see :class:`cartwire.types.PipelineOptions`.

    >>> import cartwire
    >>> answer = cartwire.normalize([], source="commercetools")
    >>> answer["records"]
    []

    Raises:
        ConfigError: no ``source``, or an option that does not exist.
    """
    answer: Normalized = json.loads(raw.normalize(data, **options))
    return answer


def validate(data: Data, /, **options: Unpack[PipelineOptions]) -> ValidationReport:
    """Says what is wrong with the rows, and changes nothing.

    Args:
        data: Source bytes when ``source`` is given, else canonical records.
        options: As for :func:`normalize`, and ``validate`` for the policy.

    >>> import cartwire
    >>> cartwire.validate([], source="commercetools")["ok"]
    True

    Raises:
        ConfigError: an option that does not exist.
        InputError: canonical records that cannot be read as a whole.
    """
    answer: ValidationReport = json.loads(raw.validate(data, **options))
    return answer


def build(data: Data, /, **options: Unpack[PipelineOptions]) -> Plan:
    """Says what would be sent, and what would not and why. Sends nothing, remembers nothing.

    Args:
        data: Source bytes when ``source`` is given, else canonical records.
        options: As for :func:`validate`, and ``destination`` (required).

    >>> import cartwire
    >>> plan = cartwire.build([], source="commercetools", destination={"type": "iterable", "project_type": "email"})
    >>> plan["requests"]
    []

    Raises:
        ConfigError: no ``destination``, or an option that does not exist.
        InputError: canonical records that cannot be read as a whole.
    """
    answer: Plan = json.loads(raw.build(data, **options))
    return answer


class Pipeline:
    """Compiled options, for calling many times and from many threads. Bytes out, for speed.

    >>> import cartwire
    >>> pipeline = cartwire.Pipeline(source="commercetools", destination={"type": "iterable", "project_type": "email"})
    >>> pipeline.build(b"[]")[:1]
    b'{'

    Raises:
        ConfigError: an option that does not exist or has a wrong type.
    """

    __slots__ = ("_native",)

    def __init__(self, **options: Unpack[PipelineOptions]) -> None:
        self._native = _cartwire.Pipeline(_options(options))

    def normalize(self, data: Data, /) -> bytes:
        """JSON of :class:`cartwire.types.Normalized`; see :func:`cartwire.normalize`.

        >>> import cartwire
        >>> cartwire.Pipeline(source="commercetools").normalize("[]")[:1]
        b'{'
        """
        return self._native.normalize(_bytes(data))

    def validate(self, data: Data, /) -> bytes:
        """JSON of :class:`cartwire.types.ValidationReport`; see :func:`cartwire.validate`.

        >>> import cartwire
        >>> cartwire.Pipeline(source="commercetools").validate("[]")[:1]
        b'{'
        """
        return self._native.validate(_bytes(data))

    def build(self, data: Data, /) -> bytes:
        """JSON of :class:`cartwire.types.Plan`; see :func:`cartwire.build`.

        >>> import cartwire
        >>> options = {"source": "commercetools", "destination": {"type": "iterable", "project_type": "email"}}
        >>> cartwire.Pipeline(**options).build("[]")[:1]
        b'{'
        """
        return self._native.build(_bytes(data))
