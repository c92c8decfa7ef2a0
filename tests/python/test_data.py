"""What goes in: every kind of argument gives the same bytes to the core."""

from __future__ import annotations

import io
import json
from collections import OrderedDict
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from types import MappingProxyType
from typing import Any
from uuid import UUID

import pytest
from conftest import order

import cartwire
from cartwire import _data, _stream

OPTIONS: dict[str, Any] = {"source": "commercetools", "now": "2026-02-01T00:00:00Z"}
TEXT = json.dumps(order(1), ensure_ascii=False)


@pytest.mark.parametrize(
    "data",
    [TEXT, TEXT.encode(), bytearray(TEXT.encode()), memoryview(TEXT.encode()), order(1), OrderedDict(order(1)), MappingProxyType(order(1))],
    ids=lambda data: type(data).__name__,
)
def test_every_kind_of_data_gives_the_same_answer(data: Any) -> None:
    assert cartwire.normalize(data, **OPTIONS) == cartwire.normalize(TEXT, **OPTIONS)
    assert len(cartwire.normalize(data, **OPTIONS)["records"]) >= 1


def test_text_beyond_ascii_survives() -> None:
    document = order(1)
    document["lineItems"][0]["name"] = {"en": "Mütze 🧢"}
    assert "Mütze 🧢" in json.dumps(cartwire.normalize(document, **OPTIONS), ensure_ascii=False)
    assert cartwire.normalize(document, **OPTIONS) == cartwire.normalize(json.dumps(document, ensure_ascii=False), **OPTIONS)


def test_exact_values_stay_exact() -> None:
    east = timezone(timedelta(hours=2))
    value = {
        "amount": Decimal("1E+2"),
        "small": Decimal("0.10"),
        "at": datetime(2026, 1, 1, 1, 30, tzinfo=east),
        "day": date(2026, 1, 31),
        "id": UUID(int=1),
    }
    assert json.loads(_data.encode(value)) == {
        "amount": "100",
        "small": "0.10",
        "at": "2025-12-31T23:30:00Z",
        "day": "2026-01-31",
        "id": "00000000-0000-0000-0000-000000000001",
    }


@pytest.mark.parametrize("value", [float("nan"), float("inf"), Decimal("NaN"), datetime(2026, 1, 1), object(), {1, 2}], ids=repr)
def test_what_json_cannot_say_is_refused(value: object) -> None:
    with pytest.raises(cartwire.InputError):
        _data.encode({"value": value})


def test_options_that_are_none_count_as_not_given() -> None:
    assert cartwire.normalize("[]", source="commercetools", resource=None, now=None)["records"] == []


def test_records_go_back_in() -> None:
    records = cartwire.normalize(order(1), **OPTIONS)["records"]
    destination: Any = {"type": "iterable", "project_type": "email"}
    direct = cartwire.build(order(1), destination=destination, **OPTIONS)
    assert direct["requests"]
    assert cartwire.validate(records, now=OPTIONS["now"])["ok"]
    assert cartwire.build(records, destination=destination, now=OPTIONS["now"])["requests"] == direct["requests"]


def pieces(data: bytes, longest: int = 1000) -> list[bytes]:
    return [piece for piece, _ in _stream.lines(io.BytesIO(data), longest)]


@pytest.mark.parametrize("size", range(1, 12))
def test_a_file_is_cut_between_rows_whatever_the_block(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_stream, "PIECE", size)
    data = b"1\n22\n\n4444\n55555"
    cut = pieces(data)
    assert b"".join(cut) == data
    assert all(piece.endswith(b"\n") for piece in cut[:-1])


@pytest.mark.parametrize("size", range(1, 12))
def test_a_row_above_the_limit_is_cut_just_above_it(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_stream, "PIECE", size)
    rows = b"".join(pieces(b"1\n" + b"x" * 50 + b"\n3\n" + b"y" * 50, 20)).split(b"\n")
    assert [row[:1] for row in rows] == [b"1", b"x", b"3", b"y"]
    assert 20 < len(rows[1]) <= 20 + size and 20 < len(rows[3]) <= 20 + size + 50
