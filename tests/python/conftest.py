"""What the tests share: a sandbox, settings that point at it, and orders as commercetools writes them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cartwire import Sandbox

ROOT = Path(__file__).resolve().parents[2]
KEY = "key-of-the-tests"


def euro(cents: int) -> dict[str, Any]:
    return {"type": "centPrecision", "currencyCode": "EUR", "centAmount": cents, "fractionDigits": 2}


def order(number: int, email: str | None = None) -> dict[str, Any]:
    """One shirt for 19.90 EUR; the taxes and the shipping are left out on purpose."""
    moment = f"2026-01-{number % 28 + 1:02}T10:00:00.000Z"
    return {
        "type": "Order",
        "id": f"order-{number}",
        "version": 1,
        "createdAt": moment,
        "lastModifiedAt": moment,
        "orderNumber": f"N{number}",
        "customerEmail": email or f"person{number}@example.com",
        "totalPrice": euro(1990),
        "orderState": "Open",
        "lineItems": [
            {
                "id": f"line-{number}",
                "productId": "product-1",
                "name": {"en": "Shirt"},
                "variant": {"id": 1, "sku": "SHIRT-1"},
                "price": {"id": "price-1", "value": euro(1990)},
                "quantity": 1,
                "totalPrice": euro(1990),
                "state": [],
            }
        ],
        "customLineItems": [],
        "syncInfo": [],
        "refusedGifts": [],
    }


def ndjson(*rows: object) -> bytes:
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(iterable={"project_type": "email", "api_key": KEY, "rate_limits": False}) as running:
        yield running


@pytest.fixture
def settings(sandbox: Sandbox) -> dict[str, Any]:
    """Options of a `Sync` against the sandbox that loses no time."""
    return {
        "source": "commercetools",
        "destination": {
            "type": "iterable",
            "project_type": "email",
            "api_key": KEY,
            "base_url": sandbox.url("iterable"),
        },
        "rate_limits": False,
        "retry": {"base_delay_ms": 1, "max_delay_ms": 5},
    }


def purchases(sandbox: Sandbox) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = sandbox.inspect("purchases")
    return found


def requests(sandbox: Sandbox) -> int:
    return len(sandbox.exchanges())
