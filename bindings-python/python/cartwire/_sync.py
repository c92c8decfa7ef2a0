"""The stateful side: `Sync` blocks, `AsyncSync` awaits; both are thin shells around one engine."""

from __future__ import annotations

import json
import warnings
from collections.abc import AsyncIterable, Callable, Iterable, Iterator, Mapping
from os import PathLike
from types import TracebackType
from typing import TYPE_CHECKING, Any, BinaryIO, Union

from . import _cartwire, _stream
from ._data import Data, data as _bytes, options as _options
from .errors import LifecycleError
from .report import Report

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from .types import (
        CallOptions,
        CheckReport,
        Flushed,
        Letter,
        LetterFilter,
        Plan,
        Progress,
        PullOptions,
        PullReport,
        Receipt,
        Received,
        ReceiveOptions,
        Reconciliation,
        ReconcileOptions,
        Record,
        Signal,
        SyncOptions,
    )

File = Union[str, "PathLike[str]", BinaryIO]
OnProgress = Callable[["Progress"], object]

_CLOSED = "closed; open a new one"
_SIGNAL = b'{"resource":"signal"}'


def _replay_options(fixes: Mapping[int, Record] | None, letters: Mapping[str, Any]) -> bytes:
    found = {key: value for key, value in letters.items() if value is not None}
    listed = [{"id": letter, "record": record} for letter, record in (fixes or {}).items()]
    if fixes and not found:
        # Fixing some letters is no wish to send all the others again.
        found["ids"] = list(fixes)
    return _options({"filter": found, "fixes": listed or None})


def _receive_options(headers: Mapping[str, str] | None, options: Mapping[str, Any]) -> bytes:
    return _options({**options, "headers": dict(headers)} if headers is not None else options)


class _PullSlices:
    """One pull in calls of a few thousand rows, so that somebody can be told how it goes."""

    _ROWS = 5_000

    def __init__(self, options: PullOptions, run: str) -> None:
        self.run = run
        self._options: dict[str, Any] = {**options, "run": run}
        self._left: int | None = options.get("limit")
        self._streams: list[str] | None = None
        self._whole: dict[str, Any] = {"streams": {}, "requests": 0, "retries": 0}

    def next(self) -> bytes | None:
        if self._streams == [] or self._whole.get("stopped"):
            return None
        # Told which are left: a stream at its end would begin anew.
        named = {} if self._streams is None else {"streams": self._streams}
        rows = self._ROWS if self._left is None else min(self._ROWS, self._left)
        return _options({**self._options, **named, "limit": rows})

    def add(self, part: Mapping[str, Any]) -> None:
        whole = self._whole
        whole["requests"] += part["requests"]
        whole["retries"] += part["retries"]
        if "stopped" in part:
            whole["stopped"] = part["stopped"]
        for name, stream in part["streams"].items():
            before = whole["streams"].get(name, {"pages": 0, "rows": 0})
            summed = {"pages": before["pages"] + stream["pages"], "rows": before["rows"] + stream["rows"]}
            whole["streams"][name] = {**stream, **summed}
        limit = self._options.get("limit")
        self._streams = [
            name
            for name, stream in whole["streams"].items()
            if not stream["complete"] and not stream.get("stopped") and (limit is None or stream["rows"] < limit)
        ]
        if limit is not None and self._streams:
            self._left = limit - min(whole["streams"][name]["rows"] for name in self._streams)

    def report(self, run: Mapping[str, Any]) -> PullReport:
        answer: PullReport = {**self._whole, "run": run}  # type: ignore[typeddict-item]
        return answer


def _mine(progress: bytes, run: str) -> Progress | None:
    standing: list[Progress] = json.loads(progress)
    return next((one for one in standing if one["run"] == run), None)


def _grace(kind: type[BaseException] | None) -> float | None:
    """Whoever leaves by Ctrl-C, exit or cancellation wants to be gone; an ordinary error does not."""
    return None if kind is None or issubclass(kind, Exception) else 2.0


class Sync:
    """Carries records from a source to one destination or several, once to each, and remembers what it did.

    A context manager. Calls block without holding the interpreter's lock, may come from many threads, and stop at Ctrl-C.
    Open it inside the worker: after a ``fork`` it raises :class:`cartwire.LifecycleError` with code ``forked``.

    Args:
        options: ``destination``, or ``destinations`` for several (a list, or names to settings), ``source``, ``state`` (``memory:`` unless given, or ``sqlite:path``),
            ``retry``, ``consent``, ``validate``, ``mode`` and more; see :class:`cartwire.types.SyncOptions`.

    >>> import cartwire
    >>> with cartwire.Sandbox() as sandbox:
    ...     with cartwire.Sync(
    ...         source="commercetools",
    ...         destination={"type": "iterable", "project_type": "email", "api_key": "sandbox-key", "base_url": sandbox.url("iterable")},
    ...     ) as sync:
    ...         report = sync.deliver([])
    >>> report.counts["rows"]
    0

    Raises:
        ConfigError: an option that does not exist or has a wrong value; ``path`` names it.
        StateError: the state cannot be opened.
    """

    __slots__ = ("_longest", "_native")

    def __init__(self, **options: Unpack[SyncOptions]) -> None:
        self._native: _cartwire.Engine | None = None
        self._longest: int | None = options.get("max_record_bytes")
        self._native = _cartwire.Engine.open(_options(options))

    def __enter__(self) -> Sync:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._close(_grace(kind))

    def __del__(self, _warn: Callable[..., object] = warnings.warn) -> None:
        if getattr(self, "_native", None) is not None:
            _warn("a Sync was never closed; use `with`", ResourceWarning, source=self)

    @property
    def _engine(self) -> _cartwire.Engine:
        if self._native is None:
            raise LifecycleError(_CLOSED, code="closed")
        return self._native

    def plan(self, data: Data, /, **options: Unpack[CallOptions]) -> Plan:
        """What would be sent now, given what was sent before. Sends nothing, remembers nothing.

        >>> sync.plan([])["requests"]
        []
        """
        answer: Plan = json.loads(self._engine.plan(_options(options), _bytes(data)))
        return answer

    def deliver(self, data: Data, /, **options: Unpack[CallOptions]) -> Report:
        """Accepts, sends and waits for the verdicts.

        Does not raise because some rows were refused: they are counted in the report and wait as dead letters.

        >>> sync.deliver([]).ok
        True

        Raises:
            StateError: the state store failed.
            LifecycleError: closed, or opened before a fork.
        """
        return Report(json.loads(self._engine.deliver(_options(options), _bytes(data))))

    def deliver_stream(
        self, items: Iterable[_stream.Row], /, *, on_progress: OnProgress | None = None, **options: Unpack[CallOptions]
    ) -> Report:
        """Delivers any number of documents, pages or records as one run, in bounded memory.

        The next piece is taken when the one before has its verdicts, so a slow destination slows the source.

        Args:
            items: Documents or pages, as bytes, text or objects.
            on_progress: Called after every piece with :class:`cartwire.types.Progress`.

        >>> sync.deliver_stream({"no": number} for number in range(3)).counts["rejected"]
        3
        """
        return self._run(_stream.rows(items), on_progress, options)

    def deliver_file(self, file: File, /, *, on_progress: OnProgress | None = None, **options: Unpack[CallOptions]) -> Report:
        """Delivers an NDJSON file of any size as one run, in bounded memory.

        Args:
            file: A path, or anything opened for reading bytes, such as ``gzip.open(path)``.
            on_progress: Called after every piece with :class:`cartwire.types.Progress`.

        >>> import io
        >>> sync.deliver_file(io.BytesIO(b"{broken\\n")).rejected[0]["findings"][0]["code"]
        'record.invalid_json'
        """
        if isinstance(file, (str, PathLike)):
            with open(file, "rb") as opened:
                return self._run(_stream.lines(opened, self._longest), on_progress, options)
        return self._run(_stream.lines(file, self._longest), on_progress, options)

    def _run(self, pieces: Iterator[_stream.Piece], on_progress: OnProgress | None, options: CallOptions) -> Report:
        engine = self._engine
        run: str = json.loads(engine.start_run(_options(options)))["run"]
        for piece, layout in pieces:
            engine.deliver(_options({"format": layout, **options, "run": run}), piece)
            if on_progress is not None and (standing := _mine(engine.progress(), run)) is not None:
                on_progress(standing)
        return Report(json.loads(engine.finish_run(run)))

    def accept(self, data: Data, /, **options: Unpack[CallOptions]) -> Receipt:
        """Commits to the outbox and returns; delivery goes on in the background. For webhooks: answer 202 after this.

        >>> sync.accept([])["accepted"]
        0
        """
        answer: Receipt = json.loads(self._engine.accept(_options(options), _bytes(data)))
        return answer

    def track(self, signal: Signal | list[Signal], /) -> Receipt:
        """Tells what a visitor did that no shop API tells: one signal, or several.

        Commits to the outbox and returns, without waiting for the destination. The same ``id`` is the same thing, however
        often it is sent; without one, the content and the time are.

        >>> seen = {"event": "product_viewed", "id": "view-1", "email": "jane@example.com", "product_id": "p1"}
        >>> sync.track(seen)["accepted"]
        1
        >>> sync.track(seen)["skipped"][0]["reason"]
        'duplicate'
        """
        answer: Receipt = json.loads(self._engine.accept(_SIGNAL, _bytes(signal)))
        return answer

    def receive(self, body: Data, http_headers: Mapping[str, str] | None = None, /, **options: Unpack[ReceiveOptions]) -> Received:
        """Takes one message of the shop's queue or one call of its webhook, and returns once it is safe.

        Where the source's calls carry a proof, ``http_headers`` must hold it. What the message only names is read from the shop in
        the background, also by the next process if this one ends before.

        >>> sync.receive({"notificationType": "ResourceUpdated", "resource": {"typeId": "product-selection", "id": "s1"}})["accepted"]
        0

        Raises:
            InputError: ``signature_mismatch`` or ``signature_expired``: the call is not the shop's, or an old one.
        """
        answer: Received = json.loads(self._engine.receive(_receive_options(http_headers, options), _bytes(body)))
        return answer

    def pull(self, *, on_progress: OnProgress | None = None, **options: Unpack[PullOptions]) -> PullReport:
        """Reads from the shop what changed since the last pull, delivers it and waits for the verdicts, in bounded memory.

        Where each stream stands is kept in the state: a pull that was killed goes on where it was. The first pull of a stream
        reads all there is, as a ``backfill`` unless ``mode`` says otherwise.

        Args:
            on_progress: Called every few thousand rows with :class:`cartwire.types.Progress`.
            options: ``streams``, ``since``, ``mode``, ``limit``; see :class:`cartwire.types.PullOptions`.

        >>> sync.pull(streams=["orders"])
        Traceback (most recent call last):
        ...
        cartwire.errors.ConfigError: invalid_config: pulling needs the source's setting `pull` at /source/pull

        Raises:
            ConfigError: the source's settings do not say how to read, or there is no such stream.
            DestinationError: ``unauthorized``: the shop refuses the credentials.
        """
        if on_progress is None:
            answer: PullReport = json.loads(self._engine.pull(_options(options)))
            return answer
        engine = self._engine
        slices = _PullSlices(options, json.loads(engine.start_run(_options({"mode": options.get("mode")})))["run"])
        while (part := slices.next()) is not None:
            slices.add(json.loads(engine.pull(part)))
            if (standing := _mine(engine.progress(), slices.run)) is not None:
                on_progress(standing)
        return slices.report(json.loads(engine.finish_run(slices.run)))

    def flush(self, timeout_s: float | None = None) -> Flushed:
        """Waits until nothing waits for any destination any more, or for so many seconds.

        >>> sync.flush(timeout_s=1)["waiting"]
        0
        """
        answer: Flushed = json.loads(self._engine.flush(_options({"timeout_s": timeout_s})))
        return answer

    def progress(self) -> list[Progress]:
        """How the runs under way stand. Never waits.

        >>> sync.progress()
        []
        """
        answer: list[Progress] = json.loads(self._engine.progress())
        return answer

    def dead_letters(self, **letters: Unpack[LetterFilter]) -> list[Letter]:
        """What the destination refused for good, with the reason and the record: ``code=``, ``endpoint=``, ``run=``, ``ids=``,
        ``destination=``.

        >>> sync.dead_letters(code="rejected")
        []
        """
        answer: list[Letter] = json.loads(self._engine.dead_letters(_options(letters)))
        return answer

    def replay(self, *, fixes: Mapping[int, Record] | None = None, **letters: Unpack[LetterFilter]) -> Report:
        """Sends dead letters again, under their own idempotency keys, rebuilt from their records.

        Args:
            fixes: Corrected records by dead letter id. Given alone, only these letters are replayed.
            letters: Which ones, as for :meth:`dead_letters`; all of them unless given.

        >>> sync.replay(code="rate_limited").ok
        True
        """
        return Report(json.loads(self._engine.replay(_replay_options(fixes, letters))))

    def discard(self, **letters: Unpack[LetterFilter]) -> int:
        """Removes dead letters for good and says how many; all of them unless told which.

        >>> sync.discard(ids=[1])
        0
        """
        answer: int = json.loads(self._engine.discard(_options(letters)))["discarded"]
        return answer

    def runs(self, limit: int = 20) -> list[Report]:
        """The reports of the newest runs, newest first.

        >>> sync.runs(limit=1)[0].ok in (True, False)
        True
        """
        return [Report(one) for one in json.loads(self._engine.runs(limit))]

    def check(self) -> CheckReport:
        """Whether every destination takes its credentials. Changes nothing there.

        >>> sync.check()["ok"]
        True
        """
        answer: CheckReport = json.loads(self._engine.check())
        return answer

    def reconcile(self, data: Data, /, **options: Unpack[ReconcileOptions]) -> Reconciliation:
        """Reads back what the destinations hold of what rows say, and compares. Writes nothing, there or in the state.

        Takes the same rows as :meth:`deliver`. The answer says of every record whether it is equal, differs, is missing or
        could not be read, and why; where something differs it names the fields, never a value. What a destination does not
        show is ``unsupported``. Reads are paced as sending is and spend of the same budgets.

        Args:
            data: Rows, as for :meth:`deliver`.
            options: ``destination`` for one of several, ``resource``, ``format``, ``mode``; see
                :class:`cartwire.types.ReconcileOptions`.

        >>> sync.reconcile([])["ok"]
        True

        Raises:
            ConfigError: there is no such destination.
            StateError: the state store failed.
        """
        answer: Reconciliation = json.loads(self._engine.reconcile(_options(options), _bytes(data)))
        return answer

    def close(self) -> None:
        """Stops delivery and closes the state; what waits stays in the outbox. Closing twice is fine.

        Waits for the requests under way, at most ``timeout_s``. Leaving a ``with`` block by Ctrl-C waits two seconds.
        """
        self._close(None)

    def _close(self, grace_s: float | None) -> None:
        native, self._native = self._native, None
        if native is not None:
            native.close(grace_s)


class AsyncSync:
    """:class:`Sync` for asyncio. Cancelling a task cancels the call below it.

    >>> import asyncio, cartwire
    >>> async def main(url):
    ...     destination = {"type": "iterable", "project_type": "email", "api_key": "sandbox-key", "base_url": url}
    ...     async with cartwire.AsyncSync(source="commercetools", destination=destination) as sync:
    ...         return await sync.deliver([])
    >>> with cartwire.Sandbox() as sandbox:
    ...     report = asyncio.run(main(sandbox.url("iterable")))
    >>> report.counts["rows"]
    0
    """

    __slots__ = ("_longest", "_native", "_opening")

    def __init__(self, **options: Unpack[SyncOptions]) -> None:
        self._native: _cartwire.Engine | None = None
        self._longest: int | None = options.get("max_record_bytes")
        self._opening = _options(options)

    async def open(self) -> AsyncSync:
        """Opens it; ``async with`` does it for you."""
        if self._native is None:
            self._native = await _cartwire.Engine.open_async(self._opening)
        return self

    async def __aenter__(self) -> AsyncSync:
        return await self.open()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._close(_grace(kind))

    def __del__(self, _warn: Callable[..., object] = warnings.warn) -> None:
        if getattr(self, "_native", None) is not None:
            _warn("an AsyncSync was never closed; use `async with`", ResourceWarning, source=self)

    @property
    def _engine(self) -> _cartwire.Engine:
        if self._native is None:
            raise LifecycleError("not open; use `async with`, or it was closed", code="closed")
        return self._native

    async def plan(self, data: Data, /, **options: Unpack[CallOptions]) -> Plan:
        """See :meth:`Sync.plan`."""
        answer: Plan = json.loads(await self._engine.plan_async(_options(options), _bytes(data)))
        return answer

    async def deliver(self, data: Data, /, **options: Unpack[CallOptions]) -> Report:
        """See :meth:`Sync.deliver`."""
        return Report(json.loads(await self._engine.deliver_async(_options(options), _bytes(data))))

    async def deliver_stream(
        self,
        items: AsyncIterable[_stream.Row] | Iterable[_stream.Row],
        /,
        *,
        on_progress: OnProgress | None = None,
        **options: Unpack[CallOptions],
    ) -> Report:
        """See :meth:`Sync.deliver_stream`; takes asynchronous iterables too, such as pages of an API."""
        engine = self._engine
        run: str = json.loads(await engine.start_run_async(_options(options)))["run"]
        async for piece, layout in _stream.arows(items):
            await self._piece(engine, run, piece, layout, on_progress, options)
        return Report(json.loads(await engine.finish_run_async(run)))

    async def deliver_file(
        self, file: File, /, *, on_progress: OnProgress | None = None, **options: Unpack[CallOptions]
    ) -> Report:
        """See :meth:`Sync.deliver_file`. Reading blocks the loop for a megabyte at a time."""
        if isinstance(file, (str, PathLike)):
            with open(file, "rb") as opened:
                return await self.deliver_file(opened, on_progress=on_progress, **options)
        engine = self._engine
        run: str = json.loads(await engine.start_run_async(_options(options)))["run"]
        for piece, layout in _stream.lines(file, self._longest):
            await self._piece(engine, run, piece, layout, on_progress, options)
        return Report(json.loads(await engine.finish_run_async(run)))

    async def _piece(
        self,
        engine: _cartwire.Engine,
        run: str,
        piece: bytes,
        layout: str,
        on_progress: OnProgress | None,
        options: CallOptions,
    ) -> None:
        await engine.deliver_async(_options({"format": layout, **options, "run": run}), piece)
        if on_progress is not None and (standing := _mine(engine.progress(), run)) is not None:
            on_progress(standing)

    async def accept(self, data: Data, /, **options: Unpack[CallOptions]) -> Receipt:
        """See :meth:`Sync.accept`."""
        answer: Receipt = json.loads(await self._engine.accept_async(_options(options), _bytes(data)))
        return answer

    async def track(self, signal: Signal | list[Signal], /) -> Receipt:
        """See :meth:`Sync.track`."""
        answer: Receipt = json.loads(await self._engine.accept_async(_SIGNAL, _bytes(signal)))
        return answer

    async def receive(
        self, body: Data, http_headers: Mapping[str, str] | None = None, /, **options: Unpack[ReceiveOptions]
    ) -> Received:
        """See :meth:`Sync.receive`."""
        answer: Received = json.loads(await self._engine.receive_async(_receive_options(http_headers, options), _bytes(body)))
        return answer

    async def pull(self, *, on_progress: OnProgress | None = None, **options: Unpack[PullOptions]) -> PullReport:
        """See :meth:`Sync.pull`."""
        engine = self._engine
        if on_progress is None:
            answer: PullReport = json.loads(await engine.pull_async(_options(options)))
            return answer
        run: str = json.loads(await engine.start_run_async(_options({"mode": options.get("mode")})))["run"]
        slices = _PullSlices(options, run)
        while (part := slices.next()) is not None:
            slices.add(json.loads(await engine.pull_async(part)))
            if (standing := _mine(engine.progress(), run)) is not None:
                on_progress(standing)
        return slices.report(json.loads(await engine.finish_run_async(run)))

    async def flush(self, timeout_s: float | None = None) -> Flushed:
        """See :meth:`Sync.flush`."""
        answer: Flushed = json.loads(await self._engine.flush_async(_options({"timeout_s": timeout_s})))
        return answer

    def progress(self) -> list[Progress]:
        """See :meth:`Sync.progress`."""
        answer: list[Progress] = json.loads(self._engine.progress())
        return answer

    async def dead_letters(self, **letters: Unpack[LetterFilter]) -> list[Letter]:
        """See :meth:`Sync.dead_letters`."""
        answer: list[Letter] = json.loads(await self._engine.dead_letters_async(_options(letters)))
        return answer

    async def replay(self, *, fixes: Mapping[int, Record] | None = None, **letters: Unpack[LetterFilter]) -> Report:
        """See :meth:`Sync.replay`."""
        return Report(json.loads(await self._engine.replay_async(_replay_options(fixes, letters))))

    async def discard(self, **letters: Unpack[LetterFilter]) -> int:
        """See :meth:`Sync.discard`."""
        answer: int = json.loads(await self._engine.discard_async(_options(letters)))["discarded"]
        return answer

    async def runs(self, limit: int = 20) -> list[Report]:
        """See :meth:`Sync.runs`."""
        return [Report(one) for one in json.loads(await self._engine.runs_async(limit))]

    async def check(self) -> CheckReport:
        """See :meth:`Sync.check`."""
        answer: CheckReport = json.loads(await self._engine.check_async())
        return answer

    async def reconcile(self, data: Data, /, **options: Unpack[ReconcileOptions]) -> Reconciliation:
        """See :meth:`Sync.reconcile`."""
        answer: Reconciliation = json.loads(await self._engine.reconcile_async(_options(options), _bytes(data)))
        return answer

    async def close(self) -> None:
        """See :meth:`Sync.close`."""
        await self._close(None)

    async def _close(self, grace_s: float | None) -> None:
        native, self._native = self._native, None
        if native is not None:
            await native.close_async(grace_s)
