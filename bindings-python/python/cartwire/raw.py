"""Bytes in, bytes out: the same operations without any Python objects in between.

Answers are JSON. Inputs of 64 KiB and more are worked on without the interpreter's lock, so threads pay.

>>> from cartwire import raw
>>> raw.normalize(b'{"no": "resource"}', source="commercetools").startswith(b"{")
True

For many calls with the same options compile them once: :class:`cartwire.Pipeline`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import _cartwire
from ._data import Data, data as _bytes, options as _options

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from .types import PipelineOptions

__all__ = ["build", "catalog", "normalize", "schema", "validate"]


def normalize(data: Data, /, **options: Unpack[PipelineOptions]) -> bytes:
    """Source bytes to canonical records; JSON of :class:`cartwire.types.Normalized`.

    >>> from cartwire import raw
    >>> raw.normalize(b"[]", source="commercetools")[:1]
    b'{'

    Raises:
        ConfigError: no ``source``, or an option that does not exist.
    """
    return _cartwire.normalize(_options(options), _bytes(data))


def validate(data: Data, /, **options: Unpack[PipelineOptions]) -> bytes:
    """What is wrong with the rows; JSON of :class:`cartwire.types.ValidationReport`.

    Takes source bytes when a ``source`` is given, else canonical records.

    >>> from cartwire import raw
    >>> raw.validate(b"[]", source="commercetools")[:1]
    b'{'

    Raises:
        ConfigError: an option that does not exist.
        InputError: canonical records that cannot be read as a whole.
    """
    return _cartwire.validate(_options(options), _bytes(data))


def build(data: Data, /, **options: Unpack[PipelineOptions]) -> bytes:
    """What would be sent; JSON of :class:`cartwire.types.Plan`. Nothing is sent.

    >>> from cartwire import raw
    >>> raw.build(b"[]", source="commercetools", destination={"type": "iterable", "project_type": "email"})[:1]
    b'{'

    Raises:
        ConfigError: no ``destination``, or an option that does not exist.
        InputError: canonical records that cannot be read as a whole.
    """
    return _cartwire.build(_options(options), _bytes(data))


def catalog() -> bytes:
    """Every error code, finding code, skip reason, name and capability table, as JSON.

    >>> from cartwire import raw
    >>> b'"rate_limited"' in raw.catalog()
    True
    """
    return _cartwire.catalog()


def schema() -> bytes:
    """JSON Schema (2020-12) of every type, under ``$defs``: for editors and for validation in other tools.

    >>> from cartwire import raw
    >>> b'"SyncOptions"' in raw.schema()
    True
    """
    return _cartwire.schema()
