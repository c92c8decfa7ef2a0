"""Measures cartwire from Python, and the same job by hand with pydantic v2 and orjson.

    python bench.py FOLDER    # FOLDER as written by `cartwire-bench write`; numbers as JSON on standard output
"""

from __future__ import annotations

import json
import multiprocessing
import sys
import time
from collections import deque
from collections.abc import Callable, Iterable
from pathlib import Path
from statistics import median

import cartwire
import by_hand

SINGLE = 64


def rounds(budget: float, *works: Callable[[], object]) -> list[dict[str, float]]:
    """Runs all works in turns until the budget is spent; the first two rounds do not count."""
    taken: list[list[float]] = [[] for _ in works]
    started, count = time.perf_counter(), 0
    while count < 9 or time.perf_counter() - started < budget:
        for work, seconds in zip(works, taken):
            before = time.perf_counter()
            work()
            seconds.append(time.perf_counter() - before)
        count += 1
        if count == 2:
            for seconds in taken:
                seconds.clear()
            started = time.perf_counter()
    return [{"best": min(seconds), "median": median(seconds)} for seconds in taken]


def drain(answers: Iterable[object]) -> None:
    """Takes every answer and keeps none."""
    deque(answers, maxlen=0)


def each(cost: dict[str, float], orders: int) -> dict[str, float]:
    return {f"{name}_us": seconds * 1e6 / orders for name, seconds in cost.items()}


def main(folder: Path) -> None:
    options = json.loads((folder / "options.json").read_bytes())
    one = cartwire.Pipeline(**options)
    two = cartwire.Pipeline(**options, threads=2)
    sizes = {}
    pool = multiprocessing.get_context("spawn").Pool(2)
    for name in ("8k", "18k"):
        raw = (folder / f"orders-{name}.ndjson").read_bytes()
        every = raw.splitlines()
        # Not the comparison's point if they do not do the same: every order, field by field, numbers as numbers.
        for order in every:
            plan = json.loads(one.build(order))
            key, body = by_hand.purchase(order)
            ours = [(request["idempotency_keys"], request["body"]) for request in plan["requests"]]
            if ours != [([key], json.loads(body))] or plan["findings"]:
                raise SystemExit("the hand-written job and cartwire do not build the same purchase")
        halves = [b"\n".join(every[:250]), b"\n".join(every[250:])]
        orders = every[:SINGLE]
        objects = [json.loads(order) for order in orders]
        # As the Rust program does: every answer is let go of at once, and nothing heavy runs between two rounds of a path, for
        # that would measure the processor's caches. The dict path: the caller holds objects and wants objects.
        (path,) = rounds(3, lambda: drain(one.build(order) for order in orders))
        (objects_path,) = rounds(3, lambda: drain(json.loads(one.build(order)) for order in objects))
        (hand,) = rounds(3, lambda: drain(by_hand.purchase(order) for order in orders))
        lines_one, lines_two, lines_hand, lines_pool = rounds(
            6, lambda: one.build(raw), lambda: two.build(raw), lambda: by_hand.lines(raw), lambda: pool.map(by_hand.lines, halves)
        )
        sizes[name] = {
            "path": each(path, len(orders)),
            "objects": each(objects_path, len(orders)),
            "by_hand": each(hand, len(orders)),
            "ndjson_1": each(lines_one, len(every)),
            "ndjson_2": each(lines_two, len(every)),
            "by_hand_ndjson": each(lines_hand, len(every)),
            "by_hand_ndjson_pool": each(lines_pool, len(every)),
        }
    pool.terminate()
    json.dump({"orders": sizes, "python": sys.version.split()[0]}, sys.stdout, indent=2)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
