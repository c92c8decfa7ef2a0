#!/usr/bin/env python3
"""Builds what users install, measures it, and prints one table of ratios beside their bars.

    python benches/run.py             # everything, into target/bench
    python benches/run.py --no-build  # with what the last run built
    PROFILE=release python benches/run.py  # as the tests build it: minutes sooner, some percent slower

The three programs run in turns, three times; the fastest round of each counts, because other programs on the machine can
only slow a round down. Exit status 1 when a bar is missed.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import venv
from collections.abc import Callable
from pathlib import Path
from typing import Any, Optional

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "target" / "bench"
PYTHON = FOLDER / "venv" / ("Scripts" if os.name == "nt" else "bin") / "python"
# What is published is built with `dist`.
PROFILE = os.environ.get("PROFILE", "dist")
TURNS = 3
# The whole path costs 1.4 bare parses at most, so decoding alone must reach 1 / 1.4 of a parse's rate.
DECODE_BARS = {"commercetools": 1 / 1.4}


def run(*command: object) -> None:
    print("+", *command, file=sys.stderr, flush=True)
    subprocess.run([str(part) for part in command], cwd=ROOT, check=True, stdout=sys.stderr)


def build() -> None:
    run("cargo", "build", "--profile", PROFILE, "--package", "cartwire-bench")
    run("node", "scripts/build-node.mjs", "--profile", PROFILE)
    if not PYTHON.exists():
        venv.create(FOLDER / "venv", with_pip=True)
    maturin = next(
        line for line in (ROOT / "bindings-python" / "requirements-dev.txt").read_text().splitlines() if line.startswith("maturin")
    )
    run(PYTHON, "-m", "pip", "install", "--quiet", maturin, "--requirement", ROOT / "benches" / "requirements.txt")
    wheels = FOLDER / "wheels"
    for old in wheels.glob("*.whl"):
        old.unlink()
    run(PYTHON, "-m", "maturin", "build", "--profile", PROFILE, "--out", wheels, "--interpreter", PYTHON)
    run(PYTHON, "-m", "pip", "install", "--quiet", "--force-reinstall", "--no-deps", next(wheels.glob("*.whl")))


def numbers(*command: object) -> dict[str, Any]:
    done = subprocess.run([str(part) for part in command], cwd=ROOT, check=True, stdout=subprocess.PIPE)
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def best(answers: list[Any], pick: Callable[[Any, Any], Any] = min) -> Any:
    """The answers merged into one: the fastest of each time, the highest of each rate."""
    first = answers[0]
    if isinstance(first, dict):
        return {name: best([one[name] for one in answers], max if name.endswith("_per_s") else pick) for name in first}
    return pick(answers) if isinstance(first, float) else first


class Table:
    """Rows of ratios; a bar that is missed is remembered."""

    def __init__(self) -> None:
        self.missed = 0

    def head(self, text: str) -> None:
        print(f"\n{text}")

    def row(self, what: str, value: str, bar: Optional[str] = None, met: Optional[bool] = None) -> None:
        verdict = "" if met is None else ("ok" if met else "MISSED")
        self.missed += met is False
        print(f"  {what:<68}{value:>12}   {bar or '':<9}{verdict}".rstrip())

    def at_most(self, what: str, value: float, bar: float) -> None:
        self.row(what, f"{value:.2f} x", f"<= {bar:g}", value <= bar)

    def at_least(self, what: str, value: float, bar: float) -> None:
        self.row(what, f"{value:.2f} x" if bar < 1 else f"{value:.1f} x", f">= {bar:g}", value >= bar)


def report(rust: dict[str, Any], python: dict[str, Any], node: dict[str, Any]) -> int:
    table = Table()
    for size, mine in rust["orders"].items():
        theirs, nodes = python["orders"][size], node["orders"][size]

        def us(of: dict[str, Any], what: str) -> float:
            return float(of[what]["best_us"])

        path = us(mine, "path")
        table.head(f"An order of {mine['bytes']:,} bytes: decode + normalise + validate + build")
        table.row("bare parse, borrowed structs of the fields used", f"{us(mine, 'parse_wire'):.1f} us")
        table.row("bare parse, owned structs of the documented order", f"{us(mine, 'parse_typed'):.1f} us")
        table.row("the whole path", f"{path:.1f} us")
        table.row("  throughput on one thread", f"{mine['bytes'] / path:.0f} MB/s")
        # The bar is judged by the harder parse: into the very structs that the path reads, which skips what is not used.
        table.at_most("  beside the bare parse, borrowed", path / us(mine, "parse_wire"), 1.4)
        table.row("  beside the bare parse, owned", f"{path / us(mine, 'parse_typed'):.2f} x")
        table.at_most("Python, bytes to bytes, beside Rust", us(theirs, "path") / path, 1.1)
        table.at_most("Node, bytes to bytes, beside Rust", us(nodes, "path") / path, 1.15)
        for name, ratio in mine["destinations"].items():
            table.at_most(f"  into {name}, beside the bare parse, borrowed", ratio, 1.5)
        table.row("Python, dict to dict, beside Rust", f"{us(theirs, 'objects') / path:.2f} x")
        table.row("Node, object to object, beside Rust", f"{us(nodes, 'objects') / path:.2f} x")
        table.row("by hand in Python: pydantic v2 + orjson", f"{us(theirs, 'by_hand'):.1f} us")
        table.at_least("  Python bytes path beside it, one order at a time", us(theirs, "by_hand") / us(theirs, "path"), 5)
        table.at_least("  NDJSON, threads=1, beside it on one thread", us(theirs, "by_hand_ndjson") / us(theirs, "ndjson_1"), 5)
        table.at_least("  NDJSON, threads=2, beside it on one thread", us(theirs, "by_hand_ndjson") / us(theirs, "ndjson_2"), 9)
        table.row("  NDJSON, threads=2, beside it in two processes", f"{us(theirs, 'by_hand_ndjson_pool') / us(theirs, 'ndjson_2'):.1f} x")
        table.row("  dict to dict beside it", f"{us(theirs, 'by_hand') / us(theirs, 'objects'):.1f} x")
        table.row("NDJSON in Rust, threads=2 beside threads=1", f"{us(mine, 'ndjson_1') / us(mine, 'ndjson_2'):.2f} x")
        table.row("NDJSON in Node, threads=2 beside threads=1", f"{us(nodes, 'ndjson_1') / us(nodes, 'ndjson_2'):.2f} x")
    table.head("Deciding against SQLite, 500 operations a transaction, every commit on disk")
    table.row("operations heard for the first time", f"{rust['decide']['fresh_per_s']:,.0f} /s")
    table.row("operations heard again", f"{rust['decide']['repeated_per_s']:,.0f} /s")
    table.head("Decoding orders of about 8 kB, one by one on one thread, beside two parses of the same bytes in the same rounds")
    for source, rates in rust["decode"].items():
        decoded, parsed, skipped = (rates[f"{what}_mb_per_s"] for what in ("decoded", "parsed", "skipped"))
        table.row(f"{source}: bytes to records", f"{decoded:.0f} MB/s")
        beside, bar = "  beside a bare parse into the structs it reads", DECODE_BARS.get(source)
        table.row(beside, f"{decoded / parsed:.2f} x") if bar is None else table.at_least(beside, decoded / parsed, bar)
        table.row("  beside any JSON parsed and thrown away", f"{decoded / skipped:.2f} x")
    pull = rust["pull"]
    table.head("Pulling orders of 8 kB from the sandbox's shop on the same machine, 200 a page")
    table.row("a bare loop that fetches the same pages", f"{pull['bare_per_s']:,.0f} /s")
    table.at_least("  the client beside it", pull["client_per_s"] / pull["bare_per_s"], 0.8)
    table.at_least("  the client with everything decoded beside it", pull["decoded_per_s"] / pull["bare_per_s"], 0.8)
    print(f"\n{platform.machine()}, {os.cpu_count()} cores, Python {python['python']}, Node {node['node']}")
    return 1 if table.missed else 0


def main() -> int:
    if "--no-build" not in sys.argv[1:]:
        build()
    rust = ROOT / "target" / PROFILE / ("cartwire-bench.exe" if os.name == "nt" else "cartwire-bench")
    run(rust, "write", FOLDER)
    programs = {
        "rust": (rust, "measure", FOLDER),
        "python": (PYTHON, ROOT / "benches" / "python" / "bench.py", FOLDER),
        "node": ("node", ROOT / "benches" / "node" / "bench.mjs", FOLDER),
    }
    answers: dict[str, list[dict[str, Any]]] = {name: [] for name in programs}
    for _ in range(TURNS):
        for name, command in programs.items():
            answers[name].append(numbers(*command))
    merged = {name: best(list(several)) for name, several in answers.items()}
    for name, numbers_of in merged.items():
        (FOLDER / f"{name}.json").write_text(json.dumps(numbers_of, indent=2) + "\n")
    return report(merged["rust"], merged["python"], merged["node"])


if __name__ == "__main__":
    sys.exit(main())
