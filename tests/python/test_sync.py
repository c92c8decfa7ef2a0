"""The stateful side against the sandbox: once, in order, and out of every trouble again."""

from __future__ import annotations

import asyncio
import gc
import io
import logging
import os
import signal
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from conftest import ndjson, order, purchases, requests

import cartwire
from cartwire import AsyncSync, LifecycleError, Sandbox, Sync


def test_a_plan_sends_nothing(sandbox: Sandbox, settings: dict[str, Any]) -> None:
    with Sync(**settings) as sync:
        plan = sync.plan(order(1))
    assert plan["requests"]
    assert requests(sandbox) == 0


def test_an_order_arrives(sandbox: Sandbox, settings: dict[str, Any]) -> None:
    with Sync(**settings) as sync:
        report = sync.deliver(order(1))
    assert report.ok and report.counts["rows"] == 1 and report.counts["delivered"] == 1
    (purchase,) = purchases(sandbox)
    assert purchase["email"] == "person1@example.com"


def test_the_same_order_twice_sends_nothing_the_second_time(sandbox: Sandbox, settings: dict[str, Any]) -> None:
    with Sync(**settings) as sync:
        sync.deliver(order(1))
        before = requests(sandbox)
        report = sync.deliver(order(1))
    assert requests(sandbox) == before
    assert report.counts["skipped"] == 1 and report.counts["delivered"] == 0
    assert report.skipped_by_reason


def test_what_was_sent_is_remembered_by_a_file(sandbox: Sandbox, settings: dict[str, Any], tmp_path: Path) -> None:
    for _ in range(2):
        with Sync(**settings, state=f"sqlite:{tmp_path / 'state.db'}") as sync:
            sync.deliver(order(1))
    assert len(purchases(sandbox)) == 1


def test_accept_answers_and_flush_waits(sandbox: Sandbox, settings: dict[str, Any]) -> None:
    with Sync(**settings) as sync:
        receipt = sync.accept(order(1))
        assert receipt["accepted"] >= 1
        assert sync.flush(timeout_s=10)["waiting"] == 0
    assert len(purchases(sandbox)) == 1


def test_a_signal_is_told_once_and_a_bad_one_is_data(sandbox: Sandbox, settings: dict[str, Any]) -> None:
    seen = {"event": "product_viewed", "id": "view-1", "email": "person1@example.com", "product_id": "p1"}
    with Sync(**settings) as sync:
        # The platform takes events of people it knows.
        sync.deliver(order(1))
        assert sync.track(seen)["accepted"] == 1
        assert sync.track([seen])["skipped"][0]["reason"] == "duplicate"
        receipt = sync.track({**seen, "id": "view-2", "prodct_id": "p1"})
        assert receipt["rejected"][0]["findings"][0]["pointer"] == "/prodct_id"
        assert sync.flush(timeout_s=10)["waiting"] == 0
    assert [event["name"] for event in sandbox.inspect("events")] == ["productViewed"]


def test_a_bad_row_sinks_no_neighbour(sandbox: Sandbox, settings: dict[str, Any]) -> None:
    rows = ndjson(order(1)) + b'{"broken"\n' + ndjson(order(2))
    with Sync(**settings) as sync:
        report = sync.deliver(rows, format="ndjson")
    assert report.counts["delivered"] == 2 and report.counts["rejected"] == 1
    assert [row["position"] for row in report.rejected] == [1]
    assert not report.ok
    assert len(purchases(sandbox)) == 2


def test_a_dead_letter_can_be_fixed_and_replayed(sandbox: Sandbox, settings: dict[str, Any]) -> None:
    with Sync(**settings) as sync:
        sandbox.fault("status", status=400, match={"path": "/api/commerce"})
        report = sync.deliver(order(1))
        assert report.counts["dead_lettered"] == 1
        (letter,) = sync.dead_letters(code="rejected")
        assert letter["id"] in report.dead_letters and letter["status"] == 400
        assert purchases(sandbox) == []

        record = letter["record"]
        record["envelope"]["identity"]["email"] = "right@example.com"
        again = sync.replay(fixes={letter["id"]: record})
        assert again.counts["dead_lettered"] == 0
        assert sync.dead_letters() == []
    (purchase,) = purchases(sandbox)
    assert purchase["email"] == "right@example.com"


def test_a_dead_letter_can_be_discarded(sandbox: Sandbox, settings: dict[str, Any]) -> None:
    with Sync(**settings) as sync:
        sandbox.fault("status", status=400, match={"path": "/api/commerce"})
        sync.deliver(order(1))
        (letter,) = sync.dead_letters()
        assert sync.discard(ids=[letter["id"]]) == 1
        assert sync.dead_letters() == []


def test_a_passing_refusal_is_tried_again(sandbox: Sandbox, settings: dict[str, Any]) -> None:
    sandbox.fault("status", status=503, times=2)
    with Sync(**settings) as sync:
        assert sync.deliver(order(1)).counts["delivered"] == 1
    assert len(purchases(sandbox)) == 1


def test_check_says_whether_the_key_works(settings: dict[str, Any]) -> None:
    with Sync(**settings) as sync:
        assert sync.check()["ok"]
    settings["destination"]["api_key"] = "wrong"
    with Sync(**settings) as sync:
        assert not sync.check()["ok"]


def test_reconcile_tells_what_is_there_and_writes_nothing(sandbox: Sandbox, settings: dict[str, Any]) -> None:
    rows = ndjson(order(1), order(2))
    with Sync(**settings) as sync:
        sync.deliver(rows, format="ndjson")
        before = sandbox.inspect("digest")
        answer = sync.reconcile(rows + ndjson(order(3)), format="ndjson")
        assert sandbox.inspect("digest") == before
    assert [record["status"] for record in answer["records"]] == ["equal", "equal", "missing"]
    assert answer["counts"]["equal"] == 2 and answer["counts"]["missing"] == 1 and not answer["ok"]
    (check,) = answer["records"][2]["checks"]
    assert (check["endpoint"], check["reason"]) == ("commerce.trackPurchase", "never_sent")
    assert answer["by_reason"] == {"never_sent": 1} == answer["destinations"]["iterable"]["by_reason"]
    assert "@example.com" not in repr(answer)


def test_reconcile_tells_of_a_key_that_may_not_read_and_of_a_wrong_name(sandbox: Sandbox, settings: dict[str, Any]) -> None:
    with Sync(**settings) as sync:
        sync.deliver(order(1))
        sandbox.fault("status", status=401, times=100)
        answer = sync.reconcile(order(1), destination="iterable")
        with pytest.raises(cartwire.ConfigError) as wrong:
            sync.reconcile(order(1), destination="nobody")
    assert answer["counts"]["unreadable"] == 1 and answer["by_reason"] == {"unauthorized": 1}
    assert answer["destinations"]["iterable"]["stopped"] == "unauthorized"
    assert wrong.value.path == "/destination"


def test_a_wrong_key_loses_nothing(sandbox: Sandbox, settings: dict[str, Any], tmp_path: Path) -> None:
    state = f"sqlite:{tmp_path / 'state.db'}"
    with Sync(**{**settings, "destination": {**settings["destination"], "api_key": "wrong"}}, state=state) as sync:
        report = sync.deliver(order(1))
        assert report.stopped is not None and report.counts["pending"] == 1
    with Sync(**settings, state=state) as sync:
        sync.flush(timeout_s=10)
    assert len(purchases(sandbox)) == 1


def test_runs_are_remembered(settings: dict[str, Any]) -> None:
    with Sync(**settings) as sync:
        report = sync.deliver(order(1))
        assert [run.run for run in sync.runs()] == [report.run]


# ------------------------------------------------------------------------------------------------------------ streams


def test_a_stream_is_one_run_and_reports_progress(sandbox: Sandbox, settings: dict[str, Any]) -> None:
    seen: list[int] = []
    with Sync(**settings) as sync:
        report = sync.deliver_stream(
            (order(number) for number in range(40)), on_progress=lambda standing: seen.append(standing["counts"]["rows"])
        )
        assert len(sync.runs()) == 1
    assert report.counts["rows"] == 40 and report.counts["delivered"] == 40
    assert seen and seen[-1] == 40
    assert len(purchases(sandbox)) == 40


def test_a_stream_takes_its_items_only_as_fast_as_they_are_delivered(
    settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cartwire._stream.PIECE", 4_000)
    taken, gaps = 0, []

    def items() -> Iterator[dict[str, Any]]:
        nonlocal taken
        for number in range(60):
            taken += 1
            yield order(number)

    with Sync(**settings) as sync:
        sync.deliver_stream(items(), on_progress=lambda standing: gaps.append(taken - standing["counts"]["rows"]))
    assert len(gaps) > 5
    assert max(gaps) <= 1, "at most the item that did not fit is taken ahead"


def test_pages_of_several_lines_and_text_are_whole_documents(sandbox: Sandbox, settings: dict[str, Any]) -> None:
    import json

    page = {"limit": 2, "offset": 0, "count": 2, "total": 2, "results": [order(1), order(2)]}
    with Sync(**settings) as sync:
        report = sync.deliver_stream([json.dumps(page, indent=2), json.dumps(order(3)).encode(), order(4)])
    assert report.counts["delivered"] == 4
    assert len(purchases(sandbox)) == 4


def test_a_file_is_read_in_pieces_and_positions_run_on(
    sandbox: Sandbox, settings: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cartwire._stream.PIECE", 1_500)
    file = tmp_path / "orders.ndjson"
    file.write_bytes(ndjson(*(order(number) for number in range(10))) + b"{oops\n" + ndjson(order(11)).rstrip())
    with Sync(**settings) as sync:
        report = sync.deliver_file(file)
    assert report.counts["rows"] == 12 and report.counts["delivered"] == 11
    assert [row["position"] for row in report.rejected] == [10]
    assert len(purchases(sandbox)) == 11


def test_an_endless_row_is_rejected_and_its_neighbours_arrive(
    sandbox: Sandbox, settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cartwire._stream.PIECE", 1_000)
    rows = ndjson(order(1)) + b'{"x":"' + b"x" * 100_000 + b'"}\n' + ndjson(order(2))
    with Sync(**settings, max_record_bytes=10_000) as sync:
        report = sync.deliver_file(io.BytesIO(rows))
    assert report.counts["delivered"] == 2
    assert [row["findings"][0]["code"] for row in report.rejected] == ["record.too_large"]
    assert [row["position"] for row in report.rejected] == [1]


# ---------------------------------------------------------------------------------------------------------- lifecycle


def test_a_closed_sync_says_so(settings: dict[str, Any]) -> None:
    sync = Sync(**settings)
    sync.close()
    sync.close()
    with pytest.raises(LifecycleError) as caught:
        sync.deliver(order(1))
    assert caught.value.code == "closed"


def test_a_forgotten_sync_warns(settings: dict[str, Any]) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        Sync(**settings)
        gc.collect()
    assert any(issubclass(warning.category, ResourceWarning) for warning in caught)


def test_many_threads_may_deliver_at_once(sandbox: Sandbox, settings: dict[str, Any]) -> None:
    with Sync(**settings) as sync, ThreadPoolExecutor(4) as pool:
        reports = list(pool.map(lambda number: sync.deliver(order(number)), range(16)))
    assert all(report.ok for report in reports)
    assert len(purchases(sandbox)) == 16


def test_other_threads_run_while_a_call_waits(sandbox: Sandbox, settings: dict[str, Any]) -> None:
    sandbox.fault("latency", delay_ms=500, times=1)
    ticks = 0
    with Sync(**settings) as sync:
        worker = threading.Thread(target=sync.deliver, args=(order(1),))
        worker.start()
        while worker.is_alive():
            ticks += 1
            time.sleep(0.01)
    assert ticks > 10


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_after_a_fork_the_parents_sync_is_refused_and_a_new_one_works(sandbox: Sandbox, settings: dict[str, Any]) -> None:
    with Sync(**settings) as sync:
        sync.deliver(order(1))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            child = os.fork()
        if child == 0:
            try:
                try:
                    sync.deliver(order(2))
                    os._exit(10)
                except LifecycleError as error:
                    if error.code != "forked":
                        os._exit(11)
                if not cartwire.normalize(order(3), source="commercetools")["records"]:
                    os._exit(12)
                with Sync(**settings) as own:
                    if not own.deliver(order(4)).ok:
                        os._exit(13)
                del sync
                gc.collect()
                os._exit(0)
            except BaseException as error:
                print(repr(error), file=sys.stderr)
                os._exit(14)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert sync.deliver(order(5)).ok
    assert len(purchases(sandbox)) == 3


SLOW = """
import signal, sys, time
from cartwire import Sync
# A shell that starts things in the background has them ignore Ctrl-C, and Python keeps to that.
signal.signal(signal.SIGINT, signal.default_int_handler)
settings = {settings!r}
with Sync(**settings) as sync:
    print("ready", flush=True)
    started = time.monotonic()
    try:
        sync.deliver({order!r})
    except KeyboardInterrupt:
        print("interrupted", round(time.monotonic() - started, 2), flush=True)
        sys.exit(7)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C cannot be sent to one process there")
def test_ctrl_c_stops_a_call_at_once(sandbox: Sandbox, settings: dict[str, Any]) -> None:
    sandbox.fault("latency", delay_ms=60_000, times=100)
    script = SLOW.format(settings=settings, order=order(1))
    child = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    assert child.stdout.readline() == "ready\n"
    # The sandbox shows an exchange only once it is answered, so there is nothing better to wait for than time.
    time.sleep(1)
    started = time.monotonic()
    child.send_signal(signal.SIGINT)
    out, _ = child.communicate(timeout=15)
    assert child.returncode == 7, out
    assert out.startswith("interrupted")
    assert time.monotonic() - started < 10, "the request under way lasts a minute; nobody waits for it"


def test_importing_starts_no_thread_and_leaving_hangs_on_none(settings: dict[str, Any]) -> None:
    script = f"""
import threading, cartwire
assert threading.active_count() == 1
sync = cartwire.Sync(**{settings!r})
sync.accept({order(1)!r})
"""
    subprocess.run([sys.executable, "-W", "ignore", "-c", script], check=True, timeout=30)


# ------------------------------------------------------------------------------------------------------------- asyncio


def test_asyncio_delivers_side_by_side(sandbox: Sandbox, settings: dict[str, Any]) -> None:
    async def main() -> None:
        async with AsyncSync(**settings) as sync:
            reports = await asyncio.gather(*(sync.deliver(order(number)) for number in range(12)))
            assert all(report.ok for report in reports)
            assert (await sync.flush(timeout_s=5))["waiting"] == 0
            assert len(await sync.runs()) == 12
            assert (await sync.check())["ok"]
            assert (await sync.plan(order(50)))["requests"]
            compared = await sync.reconcile([order(1), order(50)])
            assert [record["status"] for record in compared["records"]] == ["equal", "missing"]

    asyncio.run(main())
    assert len(purchases(sandbox)) == 12


def test_asyncio_streams_pages_and_files(sandbox: Sandbox, settings: dict[str, Any], tmp_path: Path) -> None:
    file = tmp_path / "orders.ndjson"
    file.write_bytes(ndjson(order(10), order(11)))

    async def pages() -> Any:
        for number in range(5):
            await asyncio.sleep(0)
            yield order(number)

    async def main() -> None:
        async with AsyncSync(**settings) as sync:
            assert (await sync.deliver_stream(pages())).counts["delivered"] == 5
            assert (await sync.deliver_stream([order(6)])).counts["delivered"] == 1
            assert (await sync.deliver_file(file)).counts["delivered"] == 2

    asyncio.run(main())
    assert len(purchases(sandbox)) == 8


def test_asyncio_dead_letters_and_replay(sandbox: Sandbox, settings: dict[str, Any]) -> None:
    async def main() -> None:
        async with AsyncSync(**settings) as sync:
            sandbox.fault("status", status=400, match={"path": "/api/commerce"})
            await sync.deliver(order(1))
            (letter,) = await sync.dead_letters()
            report = await sync.replay(ids=[letter["id"]])
            assert report.counts["dead_lettered"] == 0
            assert await sync.dead_letters() == []
            assert await sync.discard() == 0

    asyncio.run(main())
    assert len(purchases(sandbox)) == 1


def test_a_task_can_be_cancelled_and_the_loop_stays_free(sandbox: Sandbox, settings: dict[str, Any]) -> None:
    sandbox.fault("latency", delay_ms=3_000, times=100)

    async def main() -> None:
        async with AsyncSync(**settings) as sync:
            started = time.monotonic()
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(sync.deliver(order(1)), 0.3)
            assert time.monotonic() - started < 2

    asyncio.run(main())


def test_asyncio_errors_are_the_same_classes(settings: dict[str, Any]) -> None:
    async def main() -> None:
        sync = AsyncSync(**settings)
        with pytest.raises(LifecycleError):
            await sync.deliver(order(1))
        with pytest.raises(cartwire.ConfigError):
            await AsyncSync(**{**settings, "state": "nonesuch:"}).open()
        await sync.open()
        await sync.close()
        await sync.close()

    asyncio.run(main())


# --------------------------------------------------------------------------------------------------------------- logs


def test_log_lines_reach_logging_without_personal_data(
    settings: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, logger="cartwire")
    settings["destination"]["api_key"] = "wrong"
    with Sync(**settings) as sync:
        sync.deliver(order(1))
        deadline = time.monotonic() + 5
        while not caplog.records and time.monotonic() < deadline:
            time.sleep(0.02)
    assert caplog.records
    assert all(record.name == "cartwire" for record in caplog.records)
    assert "person1@example.com" not in caplog.text and "wrong" not in caplog.text
