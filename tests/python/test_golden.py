"""Runs every golden case through the public functions. Only Rust writes these files; see tests/README.md."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

import cartwire
from cartwire import raw

GOLDEN = Path(__file__).resolve().parents[1] / "golden"
CASES = sorted(path.parent for path in GOLDEN.glob("*/*/case.json"))
KEYS = ("now", "source", "mode", "resource", "format", "validate", "max_record_bytes")


def name(case: Path) -> str:
    return case.relative_to(GOLDEN).as_posix()


def read(case: Path) -> tuple[dict[str, Any], bytes, dict[str, Any]]:
    spec = json.loads((case / "case.json").read_bytes())
    data = next(path.read_bytes() for file in ("json", "ndjson", "bin") if (path := case / f"source.{file}").exists())
    destinations = json.loads((GOLDEN / "destinations.json").read_bytes()) | spec.get("destinations", {})
    return {key: spec[key] for key in KEYS if key in spec}, data, destinations


def digest(file: str) -> str:
    digests: dict[str, str] = json.loads((GOLDEN / "digests.json").read_bytes())
    return digests[file]


def test_there_are_cases() -> None:
    assert len(CASES) >= 30, "an empty folder would let the tests below pass without a case"


@pytest.mark.parametrize("case", CASES, ids=name)
def test_normalize_gives_the_very_bytes_on_file(case: Path) -> None:
    options, data, _ = read(case)
    answer = raw.normalize(data, **options)
    assert json.loads(answer) == json.loads((case / "canonical.json").read_bytes())
    assert hashlib.sha256(answer).hexdigest() == digest(f"{name(case)}/canonical.json")
    assert cartwire.normalize(data, **options) == json.loads(answer)


@pytest.mark.parametrize("case", CASES, ids=name)
def test_build_gives_the_very_bytes_on_file(case: Path) -> None:
    options, data, destinations = read(case)
    for destination, config in destinations.items():
        answer = raw.build(data, destination=config, **options)
        assert json.loads(answer) == json.loads((case / f"{destination}.json").read_bytes())
        assert hashlib.sha256(answer).hexdigest() == digest(f"{name(case)}/{destination}.json")
        pipeline = cartwire.Pipeline(destination=config, **options)
        assert pipeline.build(data) == answer
        assert pipeline.build(bytearray(data)) == answer
        assert pipeline.build(memoryview(data)) == answer
        assert cartwire.build(data, destination=config, **options) == json.loads(answer)
