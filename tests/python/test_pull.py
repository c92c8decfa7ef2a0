"""Pulling and receiving from Python: thin, typed, told how it goes, blocking and awaiting alike."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import cartwire
import pytest

SHOP: dict[str, Any] = {"orders": 900, "customers": 40, "payments": 0, "ballast": 0}


@pytest.fixture()
def sandbox() -> Iterator[cartwire.Sandbox]:
    with cartwire.Sandbox(commercetools=SHOP, iterable={"api_key": "sandbox-key", "project_type": "hybrid", "rate_limits": False}) as running:
        yield running


def options(sandbox: cartwire.Sandbox, **pull: Any) -> dict[str, Any]:
    shop = sandbox.url("commercetools")
    access = {"api_url": shop, "auth_url": shop, "client_id": "sandbox-client", "client_secret": "sandbox-secret", **pull}
    return {
        "source": {"type": "commercetools", "project": "demo", "pull": access},
        "destination": {
            "type": "iterable",
            "api_key": "sandbox-key",
            "project_type": "hybrid",
            "base_url": sandbox.url("iterable"),
        },
        "rate_limits": False,
        # The orders of the made-up shop are months old, and are to be sent all the same.
        "events": {"news_days": 3650},
    }


def purchases(sandbox: cartwire.Sandbox) -> int:
    return len(sandbox.inspect(vendor="iterable", what="purchases"))


def an_order(sandbox: cartwire.Sandbox) -> str:
    rows = sandbox.inspect(vendor="commercetools", what="rows", resource="orders")
    return str(rows[0]["id"])


def changed(order: str) -> bytes:
    message = {
        "notificationType": "ResourceUpdated",
        "projectKey": "demo",
        "resource": {"typeId": "order", "id": order},
        "version": 7,
        "oldVersion": 6,
        "modifiedAt": "2026-11-21T10:00:00.000Z",
    }
    return json.dumps(message).encode()


def test_a_pull_delivers_what_the_shop_has_and_the_next_one_only_what_changed(sandbox: cartwire.Sandbox) -> None:
    with cartwire.Sync(**options(sandbox)) as sync:
        report = sync.pull(streams=["orders"], mode="live")
        assert report["streams"]["orders"]["rows"] == 900
        assert report["streams"]["orders"]["complete"] is True
        assert report["run"]["counts"]["delivered"] == 900
        assert purchases(sandbox) == 900
        assert sync.pull(streams=["orders"])["streams"]["orders"]["rows"] == 0


def test_progress_is_told_and_the_sums_are_those_of_the_whole(sandbox: cartwire.Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cartwire._sync._PullSlices._ROWS", 400)
    told: list[int] = []
    with cartwire.Sync(**options(sandbox)) as sync:
        report = sync.pull(streams=["orders", "customers"], on_progress=lambda progress: told.append(progress["counts"]["rows"]))
    assert told == sorted(told)
    assert len(told) >= 3
    assert report["streams"]["orders"]["rows"] == 900
    assert report["streams"]["customers"]["rows"] == 40
    assert report["run"]["counts"]["rows"] == 940
    # Four full pages of orders and one of a hundred, one of customers, and a token: nothing is asked for twice.
    assert report["requests"] == 7


def test_a_limit_holds_with_and_without_progress(sandbox: cartwire.Sandbox) -> None:
    with cartwire.Sync(**options(sandbox)) as sync:
        first = sync.pull(streams=["orders"], limit=300, on_progress=lambda _: None)
        second = sync.pull(streams=["orders"], limit=300)
    assert [first["streams"]["orders"]["rows"], second["streams"]["orders"]["rows"]] == [400, 400]
    assert second["streams"]["orders"]["complete"] is False


def test_a_message_that_only_names_an_order_brings_it(sandbox: cartwire.Sandbox) -> None:
    with cartwire.Sync(**options(sandbox)) as sync:
        received = sync.receive(changed(an_order(sandbox)), {"X-Correlation-ID": "demo/1"})
        assert (received["accepted"], received["fetching"]) == (0, 1)
        sync.flush(timeout_s=20)
        assert purchases(sandbox) == 1


def test_asyncio_does_the_same(sandbox: cartwire.Sandbox) -> None:
    async def main() -> tuple[int, int, int]:
        async with cartwire.AsyncSync(**options(sandbox)) as sync:
            received = await sync.receive(changed(an_order(sandbox)))
            told: list[int] = []
            report = await sync.pull(streams=["orders"], mode="live", on_progress=lambda one: told.append(one["counts"]["rows"]))
            await sync.flush(timeout_s=20)
            return received["fetching"], report["streams"]["orders"]["rows"], len(told)

    assert asyncio.run(main()) == (1, 900, 1)
    assert purchases(sandbox) == 900


def test_what_cannot_be_is_an_error_of_its_class(sandbox: cartwire.Sandbox) -> None:
    with cartwire.Sync(**options(sandbox)) as sync:
        with pytest.raises(cartwire.ConfigError) as unknown:
            sync.pull(streams=["invoices"])
        assert (unknown.value.code, unknown.value.path) == ("unknown_name", "/streams/0")
    with cartwire.Sync(**options(sandbox, client_secret="wrong")) as sync:
        with pytest.raises(cartwire.DestinationError) as refused:
            sync.pull()
        assert refused.value.code == "unauthorized"
        assert "wrong" not in str(refused.value)
