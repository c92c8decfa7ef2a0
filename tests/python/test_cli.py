"""The `cartwire` command, as a shell sees it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from conftest import KEY, ndjson, order, purchases

from cartwire import Sandbox
from cartwire.cli import main


@pytest.fixture
def config(settings: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("TEST_KEY", KEY)
    settings["destination"]["api_key"] = "${TEST_KEY}"
    file = tmp_path / "config.json"
    file.write_text(json.dumps({**settings, "state": f"sqlite:{tmp_path / 'state.db'}"}), encoding="utf-8")
    return str(file)


@pytest.fixture
def rows(tmp_path: Path) -> str:
    file = tmp_path / "orders.ndjson"
    file.write_bytes(ndjson(order(1), order(2)))
    return str(file)


def test_check_plan_and_sync(
    config: str, rows: str, sandbox: Sandbox, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", config]) == 0
    assert json.loads(capsys.readouterr().out)["ok"]
    assert main(["plan", config, rows]) == 0
    assert "POST /api/commerce/trackPurchase" in capsys.readouterr().out
    assert purchases(sandbox) == []
    page = tmp_path / "run.html"
    assert main(["sync", config, rows, "--html", str(page)]) == 0
    assert "delivered" in capsys.readouterr().out
    assert page.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert len(purchases(sandbox)) == 2


def test_reconcile_shows_what_is_not_there(
    config: str, rows: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["sync", config, rows]) == 0
    capsys.readouterr()
    assert main(["reconcile", config, rows]) == 0
    assert "2 equal" in capsys.readouterr().out
    more = tmp_path / "more.ndjson"
    more.write_bytes(ndjson(order(1), order(3)))
    assert main(["reconcile", config, str(more), "--destination", "iterable"]) == 1
    shown = capsys.readouterr().out
    assert "row 1  iterable commerce.trackPurchase  missing: never_sent" in shown and "1 missing" in shown
    assert main(["reconcile", config, rows, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["ok"]


def test_letters_and_replay(
    config: str, rows: str, sandbox: Sandbox, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sandbox.fault("status", status=400, match={"path": "/api/commerce"}, times=2)
    assert main(["sync", config, rows, "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["counts"]["dead_lettered"] == 2
    assert main(["letters", config, "--json"]) == 1
    first, second = json.loads(capsys.readouterr().out)
    first["record"]["envelope"]["identity"]["email"] = "right@example.com"
    fixes = tmp_path / "fixes.json"
    fixes.write_text(json.dumps({str(first["id"]): first["record"]}), encoding="utf-8")
    assert main(["replay", config, "--fixes", str(fixes)]) == 0
    assert [one["email"] for one in purchases(sandbox)] == ["right@example.com"]
    assert main(["replay", config, "--id", str(second["id"])]) == 0
    assert main(["letters", config]) == 0
    assert len(purchases(sandbox)) == 2


def test_wrong_configurations_say_what_and_show_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "config.json"
    cases = {
        "{": "not JSON",
        "[]": "not an object",
        '{"destination": {"type": "iterable", "api_key": "${NOT_SET_ANYWHERE}"}}': "NOT_SET_ANYWHERE",
        '{"destination": {"type": "iterable", "project_type": "email"}, "sauce": "secret"}': "sauce",
    }
    for text, message in cases.items():
        file.write_text(text, encoding="utf-8")
        assert main(["check", str(file)]) == 2
        shown = capsys.readouterr().err
        assert message in shown and "secret" not in shown
    assert main(["check", str(tmp_path / "nowhere.json")]) == 2


def test_a_missing_file_is_a_usage_error(config: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sync", config, "nowhere.ndjson"]) == 2
    assert "nowhere.ndjson" in capsys.readouterr().err


@pytest.mark.skipif(sys.version_info < (3, 11), reason="the standard library reads TOML from 3.11 on")
def test_toml_is_read_too(config: str, tmp_path: Path, sandbox: Sandbox) -> None:
    file = tmp_path / "config.toml"
    file.write_text(
        'source = "commercetools"\n[destination]\ntype = "iterable"\nproject_type = "email"\n'
        f'api_key = "${{TEST_KEY}}"\nbase_url = "{sandbox.url("iterable")}"\n',
        encoding="utf-8",
    )
    assert main(["check", str(file)]) == 0


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGTERM there")
def test_the_sandbox_runs_until_it_is_told_to_stop() -> None:
    child = subprocess.Popen([sys.executable, "-m", "cartwire", "sandbox"], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    assert child.stdout.readline().startswith("iterable http://127.0.0.1:")
    child.send_signal(signal.SIGTERM)
    assert child.wait(timeout=10) == 0
