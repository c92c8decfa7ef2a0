"""Reports for people: nothing gets out of them that could run, and nothing personal gets in."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from conftest import order

from cartwire import Report, Sandbox, Sync

EVIL = '<script>alert("1")</script>'


def made() -> Report:
    return Report(
        {
            "run": EVIL,
            "destination": "iterable",
            "mode": "live",
            "started_at": "2026-01-01T00:00:00Z",
            "finished_at": "2026-01-01T00:00:01Z",
            "counts": {"rows": 3, "delivered": 1, "skipped": 1, "rejected": 1, "dead_lettered": 0, "pending": 0},
            "skipped_by_reason": {EVIL: 1},
            "findings_by_code": {"email.invalid": 1},
            "endpoints": {EVIL: {"requests": 1, "delivered": 1, "skipped": 0, "dead_lettered": 0, "retries": 0}},
            "rejected": [
                {
                    "position": 2,
                    "resource": {"type": "order", "id": EVIL},
                    "findings": [{"code": "email.invalid", "pointer": EVIL, "severity": "error", "message": EVIL}],
                }
            ],
            "skipped": [{"position": 1, "reason": "not_configured", "detail": EVIL}],
            "dead_letters": [7],
            "ignored": {EVIL: 1},
            "warnings": {EVIL: 1},
        }
    )


class Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag not in ("meta",):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def read(page: str) -> Reader:
    reader = Reader()
    reader.feed(page)
    assert reader.open == []
    return reader


def test_everything_is_escaped_and_the_page_needs_nothing_else(tmp_path: Path) -> None:
    page = made().write_html(tmp_path / "run.html").read_text(encoding="utf-8")
    tags = read(page).seen
    assert "script" not in {tag for tag, _ in tags}
    assert not any({"src", "href"} & set(attrs) for _, attrs in tags)
    assert EVIL not in page and "&lt;script&gt;" in page


def test_the_page_can_be_read_aloud() -> None:
    tags = read(made().to_html()).seen
    assert ("html", {"lang": "en"}) in tags
    names = [tag for tag, _ in tags]
    assert names.count("h1") == 1 and "main" in names and "title" in names
    assert names.count("table") == names.count("caption")
    assert all("scope" in attrs for tag, attrs in tags if tag == "th")


def test_a_notebook_shows_it() -> None:
    assert "<table>" in made()._repr_html_()
    read(made()._repr_html_())


def test_the_text_names_counts_reasons_and_rejected_rows() -> None:
    text = str(made())
    assert "needs a look" in text
    assert "row 2: email.invalid" in text


def test_a_report_is_a_mapping() -> None:
    report = made()
    assert report["counts"] is not None and "run" in report and len(report) == len(dict(report))
    assert not report.ok


def test_letters_are_shown_without_their_bodies(sandbox: Sandbox, settings: dict[str, Any]) -> None:
    with Sync(**settings) as sync:
        sandbox.fault("status", status=400, match={"path": "/api/commerce"})
        report = sync.deliver(order(1))
        page = report.to_html(sync.dead_letters())
    assert "Dead letters" in page
    assert "person1@example.com" not in page


def test_several_destinations_are_told_apart() -> None:
    whole = {"rows": 2, "delivered": 1, "skipped": 0, "rejected": 0, "dead_lettered": 0, "pending": 1}
    there = {"rows": 2, "delivered": 2, "skipped": 0, "rejected": 0, "dead_lettered": 0, "pending": 0}
    report = Report(
        {
            "run": "r1",
            "destination": "eu, us",
            "mode": "live",
            "counts": whole,
            "in_jobs": 1,
            "destinations": {"eu": {"counts": there}, "us": {"counts": whole, "stopped": f"unauthorized: {EVIL}"}},
            "stopped": "us: unauthorized",
        }
    )
    text = str(report)
    assert "  to eu: 2 delivered\n  to us: 1 delivered, 1 pending" in text
    assert "  in jobs                1" in text
    page = report.to_html()
    assert "Rows at each destination" in page and EVIL not in page
    read(page)
