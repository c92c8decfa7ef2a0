"""Run reports for people: in a terminal, in a notebook, as one HTML file to send to a colleague."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .types import DestinationReport, EndpointCounts, Letter, RecordSkip, Rejection, RunCounts, RunReport

__all__ = ["Report"]

_ENDS = {
    "delivered": "everything due was taken by the destination",
    "skipped": "nothing was sent, for a reason",
    "rejected": "could not become a record, or validation refused it",
    "dead_lettered": "something was refused for good; it waits as a dead letter",
    "pending": "something is still waiting",
}

_STYLE = """
:root{color-scheme:light dark}
body{font:16px/1.5 system-ui,sans-serif;max-width:64rem;margin:2rem auto;padding:0 1rem}
table{border-collapse:collapse;width:100%;margin:.5rem 0 2rem}
caption{text-align:left;font-weight:600;font-size:1.15rem;padding:.25rem 0}
th,td{text-align:left;vertical-align:top;padding:.3rem .75rem .3rem 0;border-bottom:1px solid #8884;overflow-wrap:anywhere}
td.n,th.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
.state{border-left:.4rem solid;padding:.5rem 1rem}
.good{border-color:#1a7f37}.bad{border-color:#b35900}
code{font-family:ui-monospace,monospace}
"""


class Report(Mapping[str, Any]):
    """What a run did: the answer of ``deliver``, ``replay`` and their like.

    A mapping over :class:`cartwire.types.RunReport` with the things one asks for most as attributes. Printing it gives a
    table, a notebook shows it, and :meth:`write_html` makes a file that needs nothing else.

    >>> from cartwire import Report
    >>> report = Report({"run": "r1", "destination": "iterable", "mode": "live",
    ...     "counts": {"rows": 3, "delivered": 2, "skipped": 1, "rejected": 0, "dead_lettered": 0, "pending": 0},
    ...     "skipped_by_reason": {"duplicate": 1}})
    >>> report.counts["delivered"], report.ok
    (2, True)
    >>> print(report)
    run r1 to iterable, live: complete
      rows                   3
      delivered              2
      skipped                1
        duplicate            1
      rejected               0
      dead_lettered          0
      pending                0
    """

    __slots__ = ("_data", "_letters")

    def __init__(self, data: RunReport | Mapping[str, Any], letters: Sequence[Letter] = ()) -> None:
        self._data: Mapping[str, Any] = dict(data)
        self._letters = list(letters)

    def __getitem__(self, key: str) -> Any:
        return self._data[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._data)

    def __len__(self) -> int:
        return len(self._data)

    @property
    def run(self) -> str:
        """The run's id.

        >>> Report({"run": "r1"}).run
        'r1'
        """
        return str(self._data.get("run", ""))

    @property
    def counts(self) -> RunCounts:
        """Rows by how they ended: ``rows``, ``delivered``, ``skipped``, ``rejected``, ``dead_lettered``, ``pending``.

        >>> Report({"counts": {"rows": 1}}).counts["rows"]
        1
        """
        counts: RunCounts = self._data.get("counts", {})
        return counts

    @property
    def destinations(self) -> dict[str, DestinationReport]:
        """What the run did at each destination, by name.

        >>> Report({"destinations": {"eu": {"counts": {"delivered": 1}}}}).destinations["eu"]["counts"]["delivered"]
        1
        """
        return dict(self._data.get("destinations", {}))

    @property
    def in_jobs(self) -> int:
        """Operations that an asynchronous job at a destination still holds.

        >>> Report({}).in_jobs
        0
        """
        return int(self._data.get("in_jobs", 0))

    @property
    def skipped_by_reason(self) -> dict[str, int]:
        """How often each reason kept something from being sent.

        >>> Report({"skipped_by_reason": {"duplicate": 2}}).skipped_by_reason
        {'duplicate': 2}
        """
        return dict(self._data.get("skipped_by_reason", {}))

    @property
    def endpoints(self) -> dict[str, EndpointCounts]:
        """What happened on each endpoint.

        >>> Report({}).endpoints
        {}
        """
        return dict(self._data.get("endpoints", {}))

    @property
    def rejected(self) -> list[Rejection]:
        """The first rows that were rejected, at most 100.

        >>> Report({}).rejected
        []
        """
        return list(self._data.get("rejected", []))

    @property
    def skipped(self) -> list[RecordSkip]:
        """The first skips worth a look, at most 100.

        >>> Report({}).skipped
        []
        """
        return list(self._data.get("skipped", []))

    @property
    def dead_letters(self) -> list[int]:
        """Ids of the first dead letters, at most 100; ``Sync.dead_letters`` shows them whole.

        >>> Report({"dead_letters": [7]}).dead_letters
        [7]
        """
        return list(self._data.get("dead_letters", []))

    @property
    def stopped(self) -> str | None:
        """Why delivery stopped before its end; the outbox holds the rest.

        >>> Report({}).stopped is None
        True
        """
        reason: str | None = self._data.get("stopped")
        return reason

    @property
    def ok(self) -> bool:
        """Whether every row was delivered or skipped for a reason.

        >>> Report({"counts": {"rows": 1, "rejected": 1}}).ok
        False
        """
        counts: Mapping[str, Any] = self._data.get("counts", {})
        return self.stopped is None and not any(counts.get(end, 0) for end in ("rejected", "dead_lettered", "pending"))

    def __repr__(self) -> str:
        return f"<Report run={self.run!r} {self._state()}>"

    def _state(self) -> str:
        if self.stopped is not None:
            return f"stopped: {self.stopped}"
        return "complete" if self.ok else "needs a look"

    def __str__(self) -> str:
        counts: Mapping[str, Any] = self._data.get("counts", {})
        lines = [f"run {self.run} to {self._data.get('destination', '?')}, {self._data.get('mode', '?')}: {self._state()}"]

        def line(label: str, value: object) -> None:
            lines.append(f"  {label:<16}{value:>8}")

        line("rows", counts.get("rows", 0))
        for end in _ENDS:
            line(end, counts.get(end, 0))
            if end == "skipped":
                for reason, count in sorted(self.skipped_by_reason.items()):
                    line(f"  {reason}", count)
        if self.in_jobs:
            line("in jobs", self.in_jobs)
        if len(self.destinations) > 1:
            for name, part in sorted(self.destinations.items()):
                facts = ", ".join(f"{value} {end}" for end, value in part["counts"].items() if value and end != "rows")
                lines.append(f"  to {name}: {facts or 'nothing due'}")
        for name, endpoint in sorted(self.endpoints.items()):
            facts = ", ".join(f"{value} {key}" for key, value in endpoint.items() if value)
            lines.append(f"  {name}: {facts or 'nothing sent'}")
        for row in self.rejected[:5]:
            for finding in row["findings"][:1]:
                lines.append(f"  row {row['position']}: {finding['code']} at {finding['pointer'] or '/'}: {finding['message']}")
        if len(self.rejected) > 5:
            lines.append(f"  and {len(self.rejected) - 5} more rejected rows")
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        """For notebooks."""
        return "\n".join(self._body("h3"))

    def to_html(self, letters: Sequence[Letter] = ()) -> str:
        """The report as one HTML page: no script, no network, readable by a screen reader and on a phone.

        Args:
            letters: Dead letters to show beside their ids, from ``Sync.dead_letters``. Their records and bodies hold
                personal data and are left out.

        >>> "<title>" in Report({"run": "<r>"}).to_html()
        True
        """
        title = f"Run {self.run}"
        return "\n".join(
            [
                "<!doctype html>",
                '<html lang="en">',
                '<head><meta charset="utf-8"><meta name="viewport" content="width=device-width">',
                f"<title>{escape(title)}</title><style>{_STYLE}</style></head>",
                "<body><main>",
                *self._body("h1", letters or self._letters),
                "</main></body></html>",
                "",
            ]
        )

    def write_html(self, path: str | PathLike[str], letters: Sequence[Letter] = ()) -> Path:
        """Writes :meth:`to_html` to a file and answers its path.

        >>> import tempfile, pathlib
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     Report({"run": "r1"}).write_html(pathlib.Path(folder) / "run.html").name
        'run.html'
        """
        target = Path(path)
        target.write_text(self.to_html(letters), encoding="utf-8")
        return target

    def _body(self, heading: str, letters: Sequence[Letter] = ()) -> Iterator[str]:
        data = self._data
        counts: Mapping[str, Any] = data.get("counts", {})
        yield f"<{heading}>Run <code>{escape(self.run)}</code></{heading}>"
        facts = f"To {data.get('destination', '?')}, {data.get('mode', '?')}, {data.get('started_at', '')} to {data.get('finished_at', '')}."
        yield f"<p>{escape(facts)}</p>"
        yield f'<p class="state {"good" if self.ok else "bad"}"><strong>{escape(self._state())}</strong></p>'
        yield from _table(
            f"{counts.get('rows', 0)} rows, by how they ended",
            ("End", "#Rows", "Meaning"),
            [(end, counts.get(end, 0), meaning) for end, meaning in _ENDS.items()],
        )
        if len(self.destinations) > 1:
            yield from _table(
                "Rows at each destination",
                ("Destination", *(f"#{end.replace('_', ' ').capitalize()}" for end in _ENDS), "Stopped"),
                [
                    (name, *(dict(part["counts"]).get(end, 0) for end in _ENDS), part.get("stopped") or "")
                    for name, part in sorted(self.destinations.items())
                ],
            )
        yield from _table("Not sent, by reason", ("Reason", "#Times"), sorted(self.skipped_by_reason.items()))
        yield from _table("Findings", ("Code", "#Times"), sorted(data.get("findings_by_code", {}).items()))
        yield from _table("Ignored by name", ("What", "#Rows"), sorted(data.get("ignored", {}).items()))
        keys = ("requests", "delivered", "skipped", "dead_lettered", "retries")
        yield from _table(
            "Endpoints",
            ("Endpoint", *(f"#{key.replace('_', ' ').capitalize()}" for key in keys)),
            [(name, *(dict(one).get(key, 0) for key in keys)) for name, one in sorted(self.endpoints.items())],
        )
        yield from _table("Remarks of the destination", ("Text", "#Times"), sorted(data.get("warnings", {}).items()))
        yield from _table(
            "Rejected rows",
            ("#Row", "Resource", "Code", "Where", "What"),
            [
                (row["position"], _resource(row), finding["code"], finding["pointer"] or "/", finding["message"])
                for row in self.rejected
                for finding in row["findings"]
            ],
        )
        yield from _table(
            "Skipped rows worth a look",
            ("#Row", "Reason", "Not sent to", "What to do"),
            [(row["position"], row["reason"], row.get("destination") or "any", row["detail"]) for row in self.skipped],
        )
        if letters:
            yield from _table(
                "Dead letters",
                ("#Id", "#Row", "Endpoint", "Code", "Vendor's code", "#Status", "#Attempts", "What"),
                [
                    (one["id"], one["position"], one["endpoint"], one["code"], one["vendor_code"], one["status"], one["attempts"], one["message"])
                    for one in letters
                ],
            )
        else:
            yield from _table("Dead letters", ("#Id",), [(letter,) for letter in self.dead_letters])


def _resource(row: Rejection) -> str:
    resource = row.get("resource")
    return f"{resource['type']} {resource['id']}" if resource else ""


def _table(caption: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> Iterator[str]:
    """A table with header cells for both directions; columns whose name starts with # hold numbers. Nothing when empty."""
    if not rows:
        return
    number = [column.startswith("#") for column in columns]
    mark = [' class="n"' if one else "" for one in number]
    yield f"<table><caption>{escape(caption)}</caption>"
    heads = "".join(f'<th scope="col"{mark[at]}>{escape(column.lstrip("#"))}</th>' for at, column in enumerate(columns))
    yield f"<thead><tr>{heads}</tr></thead><tbody>"
    for row in rows:
        cells = "".join(f"<td{mark[at]}>{escape(str(cell))}</td>" for at, cell in enumerate(row) if at)
        yield f'<tr><th scope="row"{mark[0]}>{escape(str(row[0]))}</th>{cells}</tr>'
    yield "</tbody></table>"
