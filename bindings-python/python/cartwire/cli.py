"""The ``cartwire`` command, for looking and for repairing by hand; programs use the package.

The configuration is a JSON or TOML file with the keys of :class:`cartwire.types.SyncOptions`. ``${NAME}`` in a value is
taken from the environment, so that keys need not stand in files.

>>> from cartwire.cli import main
>>> main(["--version"])
Traceback (most recent call last):
SystemExit: 0

Leaves with 0 when all went well, 1 when rows or dead letters need a look, 2 for wrong usage or configuration, 3 when trying
later can help.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import signal
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from . import __version__
from ._sandbox import Sandbox
from ._sync import Sync
from .errors import CartwireError, ConfigError, InputError, TransientError
from .report import Report

__all__ = ["main"]

_OK, _LOOK, _USAGE, _LATER = 0, 1, 2, 3


def _load(path: str) -> dict[str, Any]:
    try:
        text = Path(path).read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"cannot read the configuration: {error.strerror}", code="invalid_config") from None
    config: Any
    try:
        config = _toml(text) if path.endswith(".toml") else json.loads(text)
    except ValueError:
        # A parser's message can quote the line, and the line can hold a key.
        kind = "TOML" if path.endswith(".toml") else "JSON"
        raise ConfigError(f"the configuration is not {kind}", code="invalid_config") from None
    if not isinstance(config, dict):
        raise ConfigError("the configuration is not an object", code="invalid_config")
    filled: dict[str, Any] = _fill(config, "")
    return filled


if sys.version_info >= (3, 11):
    import tomllib

    def _toml(text: str) -> Any:
        return tomllib.loads(text)

else:

    def _toml(text: str) -> Any:
        raise ConfigError("TOML needs Python 3.11 or later; write the configuration as JSON", code="unsupported")


def _fill(value: Any, path: str) -> Any:
    if isinstance(value, dict):
        return {key: _fill(one, f"{path}/{key}") for key, one in value.items()}
    if isinstance(value, list):
        return [_fill(one, f"{path}/{at}") for at, one in enumerate(value)]
    if not isinstance(value, str):
        return value

    def variable(found: re.Match[str]) -> str:
        name = found.group(1)
        if name not in os.environ:
            raise ConfigError(f"the environment has no `{name}`", code="invalid_config", path=path)
        return os.environ[name]

    return re.sub(r"\$\{(\w+)\}", variable, value)


def _show(value: object) -> None:
    print(json.dumps(value, indent=2, ensure_ascii=False))


def _done(report: Report, arguments: argparse.Namespace, sync: Sync) -> int:
    if arguments.json:
        _show(dict(report))
    else:
        print(report)
    if arguments.html:
        letters = sync.dead_letters(ids=report.dead_letters) if report.dead_letters else []
        print(f"wrote {report.write_html(arguments.html, letters)}", file=sys.stderr)
    if report.stopped is not None:
        return _LATER
    return _OK if report.ok else _LOOK


def _check(sync: Sync, _: argparse.Namespace) -> int:
    answer = sync.check()
    _show(answer)
    return _OK if answer["ok"] else _LOOK


def _plan(sync: Sync, arguments: argparse.Namespace) -> int:
    data = sys.stdin.buffer.read() if arguments.file == "-" else Path(arguments.file).read_bytes()
    plan = sync.plan(data, **_call(arguments))
    if arguments.json:
        _show(plan)
    else:
        for request in plan["requests"]:
            print(f"{request['method']} {request['path']}  {len(request['positions'])} rows  {request['endpoint']}")
        for skip in plan["skipped"]:
            print(f"row {skip['position']} is not sent: {skip['reason']}: {skip['detail']}")
        for row in plan["rejected"]:
            for finding in row["findings"]:
                print(f"row {row['position']} is rejected: {finding['code']} at {finding['pointer'] or '/'}: {finding['message']}")
    return _LOOK if plan["rejected"] else _OK


def _reconcile(sync: Sync, arguments: argparse.Namespace) -> int:
    data = sys.stdin.buffer.read() if arguments.file == "-" else Path(arguments.file).read_bytes()
    answer = sync.reconcile(data, **_call(arguments))
    if arguments.json:
        _show(answer)
    else:
        for record in answer["records"]:
            for check in record["checks"]:
                if check["status"] != "equal":
                    fields = ", ".join(check.get("fields", []))
                    why = f"{check['status']}: {check.get('reason', '')}"
                    print(f"row {record['position']}  {check['destination']} {check['endpoint']}  {why}  {fields}".rstrip())
        print("  ".join(f"{count} {status}" for status, count in answer["counts"].items()))
    if any(at.get("stopped") for at in answer["destinations"].values()):
        return _LATER
    return _OK if answer["ok"] else _LOOK


def _sync(sync: Sync, arguments: argparse.Namespace) -> int:
    def on_progress(standing: Any) -> None:
        if sys.stderr.isatty():
            counts = standing["counts"]
            print(f"\r{counts['rows']} rows, {counts['delivered']} delivered", end="", file=sys.stderr, flush=True)

    file = sys.stdin.buffer if arguments.file == "-" else arguments.file
    report = sync.deliver_file(file, on_progress=on_progress, **_call(arguments))
    return _done(report, arguments, sync)


def _call(arguments: argparse.Namespace) -> Any:
    return {key: value for key in ("mode", "resource", "destination") if (value := getattr(arguments, key, None)) is not None}


def _filter(arguments: argparse.Namespace) -> Any:
    given = {key: getattr(arguments, key) for key in ("code", "endpoint", "destination")}
    given |= {"ids": arguments.id or None, "run": arguments.run_id}
    return {key: value for key, value in given.items() if value is not None}


def _letters(sync: Sync, arguments: argparse.Namespace) -> int:
    letters = sync.dead_letters(**_filter(arguments))
    if arguments.json:
        _show(letters)
    else:
        for one in letters:
            print(f"{one['id']}  {one['died_at']}  {one['endpoint']}  {one['code']}/{one['vendor_code']}  {one['message']}")
    return _LOOK if letters else _OK


def _replay(sync: Sync, arguments: argparse.Namespace) -> int:
    fixes = None
    if arguments.fixes:
        try:
            fixes = {int(letter): record for letter, record in json.loads(Path(arguments.fixes).read_text("utf-8")).items()}
        except (OSError, ValueError, AttributeError):
            raise InputError("fixes must be a JSON file: an object from dead letter id to record", code="invalid_input") from None
    return _done(sync.replay(fixes=fixes, **_filter(arguments)), arguments, sync)


def _leave(number: int, frame: object) -> None:
    sys.exit(_OK)


def _sandbox(arguments: argparse.Namespace) -> int:
    options = json.loads(arguments.options) if arguments.options else {}
    with Sandbox(**options) as sandbox:
        # Supervisors stop with SIGTERM; both leave through the context manager.
        signal.signal(signal.SIGTERM, _leave)
        try:
            print(f"iterable {sandbox.url('iterable')}", flush=True)
            print("Ctrl-C stops it", file=sys.stderr, flush=True)
            while True:
                time.sleep(1)
        except KeyboardInterrupt:
            return _OK


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="cartwire", description="Carries commerce data into marketing platforms.")
    parser.add_argument("--version", action="version", version=f"cartwire {__version__}")
    commands = parser.add_subparsers(dest="command", required=True)

    def command(name: str, what: str, run: Callable[[Sync, argparse.Namespace], int]) -> argparse.ArgumentParser:
        one = commands.add_parser(name, help=what, description=what)
        one.add_argument("config", help="JSON or TOML file with the options of a Sync")
        one.add_argument("--json", action="store_true", help="print JSON")
        one.set_defaults(run=run)
        return one

    def letters(one: argparse.ArgumentParser) -> None:
        one.add_argument("--id", type=int, action="append", help="only this one; may be repeated")
        one.add_argument("--code", help="only with this code, such as rejected")
        one.add_argument("--endpoint", help="only of this endpoint")
        one.add_argument("--run", dest="run_id", help="only of this run")
        one.add_argument("--destination", help="only of this destination")

    command("check", "try the credentials; changes nothing", _check)
    for name, what, run in (("plan", "show what would be sent", _plan), ("sync", "deliver an NDJSON file", _sync)):
        one = command(name, what, run)
        one.add_argument("file", help="rows; - for standard input")
        one.add_argument("--mode", choices=("live", "backfill"), help="backfill starts no journeys")
        one.add_argument("--resource", help="what the rows are, where they do not say")
        if name == "sync":
            one.add_argument("--html", help="write the report as a page")
    one = command("reconcile", "hold what the destinations have against an NDJSON file; changes nothing", _reconcile)
    one.add_argument("file", help="rows; - for standard input")
    one.add_argument("--mode", choices=("live", "backfill"), help="how the rows were sent")
    one.add_argument("--resource", help="what the rows are, where they do not say")
    one.add_argument("--destination", help="only at this destination")
    letters(command("letters", "list dead letters", _letters))
    replay = command("replay", "send dead letters again", _replay)
    letters(replay)
    replay.add_argument("--fixes", help="JSON file: dead letter id to corrected record")
    replay.add_argument("--html", help="write the report as a page")
    sandbox = commands.add_parser("sandbox", help="run a marketing platform on loopback")
    sandbox.add_argument("--options", help="JSON object")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command and answers its exit code.

    >>> from cartwire.cli import main
    >>> main(["check", "nowhere.json"])
    2
    """
    given = _parser().parse_args(arguments)
    try:
        if given.command == "sandbox":
            return _sandbox(given)
        with Sync(**_load(given.config)) as sync:
            code: int = given.run(sync, given)
            return code
    except CartwireError as error:
        print(f"cartwire: {error}", file=sys.stderr)
        if error.retryable or isinstance(error, TransientError):
            return _LATER
        return _USAGE if isinstance(error, (ConfigError, InputError)) else _LOOK
    except OSError as error:
        print(f"cartwire: {error.filename}: {error.strerror}", file=sys.stderr)
        return _USAGE
    except KeyboardInterrupt:
        return 130
