"""Cuts files and streams into pieces of whole rows, in bounded memory. No row is ever dropped here."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator, Mapping
from typing import Any, BinaryIO, Literal, Union

from . import _cartwire
from ._data import Data, data

PIECE = 1 << 20
"""About how many bytes go into one delivery."""

Row = Union[bytes, bytearray, memoryview, str, Mapping[str, Any]]
"""One item of a stream: a document or page as bytes or text, or one as an object."""

Piece = tuple[bytes, Literal["auto", "ndjson"]]


def lines(file: BinaryIO, longest: int | None = None) -> Iterator[Piece]:
    """Pieces of an NDJSON file.

    A row above the limit is cut just above it, so that the core rejects it by its size and by its position instead of
    it filling the memory.
    """
    limit = _cartwire.MAX_RECORD_BYTES if longest is None else longest
    rest = bytearray()
    skipping = False
    while block := file.read(PIECE):
        if skipping:
            end = block.find(b"\n")
            if end < 0:
                continue
            block, skipping = block[end:], False
        end = block.rfind(b"\n")
        if end < 0:
            rest += block
        else:
            yield bytes(rest) + block[: end + 1], "ndjson"
            rest = bytearray(block[end + 1 :])
        if len(rest) > limit:
            del rest[limit + 1 :]
            skipping = True
    if rest:
        yield bytes(rest), "ndjson"


class Gather:
    """Gathers small documents into pieces; a document of several lines goes alone, for its lines are no rows."""

    def __init__(self) -> None:
        self._rows: list[bytes] = []
        self._size = 0

    def add(self, item: Data) -> Iterator[Piece]:
        """Takes an item and answers the pieces that are full."""
        given = data(item)
        row = (given.encode() if isinstance(given, str) else bytes(given)).strip()
        if not row:
            return
        if b"\n" in row:
            yield from self.rest()
            yield row, "auto"
            return
        self._rows.append(row)
        self._size += len(row) + 1
        if self._size >= PIECE:
            yield from self.rest()

    def rest(self) -> Iterator[Piece]:
        """What is left."""
        if self._rows:
            piece = b"\n".join(self._rows)
            self._rows, self._size = [], 0
            yield piece, "ndjson"


def rows(items: Iterable[Row]) -> Iterator[Piece]:
    """Pieces of a stream of documents."""
    gather = Gather()
    for item in items:
        yield from gather.add(item)
    yield from gather.rest()


async def arows(items: AsyncIterable[Row] | Iterable[Row]) -> AsyncIterator[Piece]:
    """Pieces of an asynchronous stream of documents."""
    gather = Gather()
    if isinstance(items, AsyncIterable):
        async for item in items:
            for piece in gather.add(item):
                yield piece
    else:
        for item in items:
            for piece in gather.add(item):
                yield piece
    for piece in gather.rest():
        yield piece
