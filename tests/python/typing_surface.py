# pyright: strict
"""Uses every public name as a careful user would. Never run: checked by `mypy --strict` and pyright."""

from __future__ import annotations

from pathlib import Path

import cartwire
from cartwire import AsyncSync, Pipeline, Report, Sandbox, Sync, raw
from cartwire.types import (
    Flushed,
    IterableDestinationConfig,
    Letter,
    Normalized,
    Plan,
    Progress,
    Receipt,
    Reconciliation,
    Record,
    RunCounts,
    ValidationReport,
)

version: str = cartwire.__version__
destination: IterableDestinationConfig = {"type": "iterable", "project_type": "hybrid", "api_key": "k", "data_center": "eu"}


def pure(body: bytes) -> None:
    normalized: Normalized = cartwire.normalize(body, source="commercetools", now="2026-01-01T00:00:00Z")
    records: list[Record] = normalized["records"]
    report: ValidationReport = cartwire.validate(
        body, source={"type": "commercetools"}, validate={"policy": {"line.sku_missing": "ignore"}}
    )
    for finding in report["findings"]:
        code: str = finding["code"]
        print(code, finding["pointer"], finding["severity"] == "error")
    plan: Plan = cartwire.build(records, destination=destination, mode="backfill", threads=0, format="ndjson")
    for request in plan["requests"]:
        print(request["method"], request["path"], request["positions"], request["body"])
    for record in records:
        occurred: str = record["envelope"]["occurred_at"]
        if record["body"]["type"] == "order":
            total = record["body"]["totals"]
            print(total, occurred)
    pipeline = Pipeline(source="commercetools", destination=destination)
    parts: list[bytes] = [pipeline.normalize(body), pipeline.validate(bytearray(body)), pipeline.build(memoryview(body))]
    parts += [raw.normalize(body, source="commercetools"), raw.validate(body), raw.build(body, destination=destination)]
    parts += [raw.catalog(), raw.schema()]


def stateful(url: str) -> None:
    def watch(standing: Progress) -> None:
        counts: RunCounts = standing["counts"]
        print(counts["rows"], standing["elapsed_s"])

    with Sync(
        source="commercetools",
        destination={"type": "iterable", "project_type": "email", "base_url": url},
        state="sqlite:cartwire.db",
        retry={"max_attempts": 3},
        consent={"require_for": ["cart"]},
        durability="process",
    ) as sync:
        plan: Plan = sync.plan("[]")
        report: Report = sync.deliver([{"id": "1"}], mode="backfill", resource="order", correlation_id="c")
        delivered: int = report.counts["delivered"]
        receipt: Receipt = sync.accept(b"[]")
        receipt = sync.track({"event": "searched", "email": "a@example.com", "query": "tent", "properties": {"results": 4}})
        flushed: Flushed = sync.flush(timeout_s=1.5)
        letters: list[Letter] = sync.dead_letters(code="rejected", endpoint="e", run=report.run, ids=[1], limit=5)
        fixed: Record = letters[0]["record"]
        again: Report = sync.replay(fixes={letters[0]["id"]: fixed}, code="rejected")
        gone: int = sync.discard(ids=[1])
        file: Report = sync.deliver_file(Path("orders.ndjson"), on_progress=watch)
        stream: Report = sync.deliver_stream((b"{}" for _ in range(3)), on_progress=watch, format="json")
        runs: list[Report] = sync.runs(limit=5)
        ok: bool = sync.check()["ok"] and all(run.ok for run in runs)
        compared: Reconciliation = sync.reconcile([{"id": "1"}], destination="iterable", resource="order", format="json")
        for row in compared["records"]:
            wrong: list[str] = [field for check in row["checks"] if check["status"] == "differs" for field in check.get("fields", [])]
            print(row["correlation_id"], row["status"] == "equal", wrong, compared["by_reason"].get("changed_there", 0))
        standing: list[Progress] = sync.progress()
        page: Path = again.write_html("run.html", letters)
        print(plan, delivered, receipt["accepted"], flushed["waiting"], gone, file, stream, ok, standing, page, again.to_html())
        print(report.skipped_by_reason, report.endpoints, report.rejected, report.skipped, report.dead_letters, report.stopped)
    sync.close()


async def asynchronous() -> None:
    async with AsyncSync(source="commercetools", destination=destination) as sync:
        plan: Plan = await sync.plan("[]")
        report: Report = await sync.deliver("[]")
        receipt: Receipt = await sync.accept("[]")
        receipt = await sync.track([{"event": "logged_in", "customer_id": "c1", "anonymous_id": "s1"}])
        flushed: Flushed = await sync.flush()
        letters: list[Letter] = await sync.dead_letters()
        again: Report = await sync.replay(ids=[1])
        gone: int = await sync.discard(run=report.run)
        stream: Report = await sync.deliver_stream(["{}"])
        file: Report = await sync.deliver_file("orders.ndjson")
        compared: Reconciliation = await sync.reconcile("[]", resource="order")
        print(compared["counts"]["differs"], compared["ok"])
        runs: list[Report] = await sync.runs()
        ok: bool = (await sync.check())["ok"]
        print(plan, receipt, flushed, letters, again, gone, stream, file, runs, ok, sync.progress())
    other = await AsyncSync(destination=destination).open()
    await other.close()


def sandboxed() -> None:
    with Sandbox(iterable={"project_type": "email"}) as sandbox:
        url: str = sandbox.url("iterable")
        sandbox.fault("status", match={"path": "/api"}, times=2, status=429)
        sandbox.clear_faults()
        told = sandbox.change("bigcommerce", "order", "ship", id=100)
        sandbox.advance_clock(1.5)
        sandbox.reset()
        print(url, told["webhooks"], sandbox.inspect("counts"), sandbox.exchanges())
    sandbox.stop()


def failing() -> None:
    try:
        pure(b"")
    except cartwire.TransientError as error:
        after: float | None = error.retry_after
        print(after, error.retryable)
    except (cartwire.InputError, cartwire.ConfigError) as error:
        path: str | None = error.path
        print(path, error.context.get("endpoint"))
    except (cartwire.DestinationError, cartwire.StateError, cartwire.LifecycleError, cartwire.InternalError) as error:
        print(error.code, error.operation, error.correlation_id)
    except cartwire.CartwireError as error:
        print(error)
