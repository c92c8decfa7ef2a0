"""The types catch what a user gets wrong, and let pass what is right, in both checkers."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
SURFACE, WRONG = HERE / "typing_surface.py", HERE / "typing_errors.py"
Found = dict[int, set[str]]


def mypy(*files: Path) -> Found:
    pytest.importorskip("mypy")
    command = [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", "--hide-error-context", *map(str, files)]
    out = subprocess.run(command, capture_output=True, text=True, cwd=ROOT).stdout
    found: Found = defaultdict(set)
    for line in out.splitlines():
        match = re.match(r".+?:(\d+): error: .*\[([\w-]+)\]$", line)
        assert match or ": note: " in line, line
        if match:
            found[int(match.group(1))].add(match.group(2))
    return found


def pyright(*files: Path) -> Found:
    pytest.importorskip("pyright")
    done = subprocess.run([sys.executable, "-m", "pyright", "--pythonpath", sys.executable, "--outputjson", *map(str, files)], capture_output=True, text=True, cwd=ROOT)
    try:
        diagnostics = json.loads(done.stdout)["generalDiagnostics"]
    except ValueError:
        pytest.skip("pyright needs Node, which it could not get here")
    found: Found = defaultdict(set)
    for one in diagnostics:
        found[one["range"]["start"]["line"] + 1].add(one.get("rule", one["message"]))
    return found


def marks(tool: str) -> Found:
    expected: Found = {}
    for number, line in enumerate(WRONG.read_text(encoding="utf-8").splitlines(), 1):
        if "# mypy: " in line and not line.startswith("A mark"):
            match = re.search(rf"{tool}: ([\w,-]+)", line)
            assert match is not None
            expected[number] = set(match.group(1).split(","))
    return expected


def test_mypy_accepts_every_public_name() -> None:
    assert mypy(SURFACE) == {}


def test_pyright_accepts_every_public_name() -> None:
    assert pyright(SURFACE) == {}


@pytest.mark.parametrize("tool", ["mypy", "pyright"])
def test_every_mistake_is_found_where_it_is(tool: str) -> None:
    expected = marks(tool)
    assert len(expected) > 10
    found = (mypy if tool == "mypy" else pyright)(WRONG)
    assert sorted(found) == sorted(expected)
    for line, codes in expected.items():
        # Versions of a checker differ in which of two codes they give; one of those named must be there.
        assert found[line] & codes, f"line {line}: {found[line]}"


def test_the_surface_uses_every_public_name() -> None:
    import cartwire

    text = SURFACE.read_text(encoding="utf-8")
    assert [name for name in cartwire.__all__ if not re.search(rf"\b{name}\b", text) and name != "Data"] == []


def test_pyright_knows_the_type_of_every_public_name(tmp_path: Path) -> None:
    pytest.importorskip("pyright")
    command = [sys.executable, "-m", "pyright", "--pythonpath", sys.executable, "--verifytypes", "cartwire", "--ignoreexternal", "--outputjson"]
    # An editable install is not looked through for `py.typed`, a path is.
    env = {**os.environ, "PYTHONPATH": str(ROOT / "bindings-python" / "python")}
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=env)
    try:
        report = json.loads(done.stdout)["typeCompleteness"]
    except (ValueError, KeyError):
        pytest.skip("pyright needs Node, which it could not get here")
    assert report["completenessScore"] == 1
