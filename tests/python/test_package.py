"""The package itself: versions, tags, types and words."""

from __future__ import annotations

import doctest
import importlib
import inspect
import json
import pkgutil
import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import cartwire

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = ROOT / "bindings-python" / "scripts"
MODULES = ["cartwire", *(f"cartwire.{one.name}" for one in pkgutil.iter_modules(cartwire.__path__) if one.name not in ("__main__", "_cartwire"))]


def manifest() -> str:
    return (ROOT / "Cargo.toml").read_text(encoding="utf-8")


def project() -> str:
    return (ROOT / "pyproject.toml").read_text(encoding="utf-8")


def found(pattern: str, text: str) -> str:
    match = re.search(pattern, text)
    assert match is not None, pattern
    return match.group(1)


def test_there_is_one_version() -> None:
    version = found(r'\[workspace\.package\]\nversion = "([^"]+)"', manifest())
    assert cartwire.__version__ == version
    assert metadata.version("cartwire") == version
    assert json.loads(cartwire.raw.catalog())["version"] == version


def test_the_wheel_runs_on_every_python_it_promises() -> None:
    minor = found(r'requires-python = ">=3\.(\d+)"', project())
    assert f'"abi3-py3{minor}"' in (ROOT / "bindings-python" / "Cargo.toml").read_text(encoding="utf-8")
    wheel = metadata.distribution("cartwire").read_text("WHEEL")
    assert wheel is not None
    assert found(r"Tag: (\S+?-\S+?)-", wheel) == f"cp3{minor}-abi3"


def test_nothing_else_is_needed() -> None:
    needed = [one for one in metadata.requires("cartwire") or [] if "extra ==" not in one]
    assert needed == []
    # Isolated and without site-packages: only the standard library and the package itself.
    script = f"import sys; sys.path.insert(0, {str(Path(cartwire.__path__[0]).parent)!r}); import cartwire.cli, cartwire.types"
    subprocess.run([sys.executable, "-I", "-S", "-c", script], check=True)


def test_the_generated_types_are_those_of_the_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(SCRIPTS))
    generate = importlib.import_module("generate_types").generate
    target = ROOT / "bindings-python" / "python" / "cartwire" / "types.py"
    assert generate(cartwire.raw.schema()) == target.read_text(encoding="utf-8"), "run `make types`"


def test_types_can_be_read_at_run_time() -> None:
    import typing

    from cartwire import types

    for name in types.__all__:
        kind = getattr(types, name)
        if isinstance(kind, type):
            typing.get_type_hints(kind, vars(types))
    assert types.SyncOptions.__required_keys__ == set()


def test_the_stub_is_true() -> None:
    pytest.importorskip("mypy")
    done = subprocess.run(
        [sys.executable, "-m", "mypy.stubtest", "cartwire._cartwire"], capture_output=True, text=True, cwd=ROOT
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", MODULES)
def test_examples_in_docstrings_work(name: str, settings: dict[str, Any]) -> None:
    module = importlib.import_module(name)
    # The methods' examples go on with the `sync` that the class's example opens.
    with cartwire.Sync(**settings) as sync:
        sync.deliver([])
        results = doctest.testmod(module, extraglobs={"cartwire": cartwire, "sync": sync})
    assert results.failed == 0


def public(module: ModuleType) -> list[tuple[str, object]]:
    names: list[tuple[str, object]] = []
    for name in getattr(module, "__all__", ()):
        value = getattr(module, name)
        names.append((f"{module.__name__}.{name}", value))
        if inspect.isclass(value):
            own = [(f"{module.__name__}.{name}.{key}", one) for key, one in vars(value).items() if not key.startswith("_")]
            names += [(key, one) for key, one in own if callable(one) or isinstance(one, property)]
    return names


def test_every_public_name_is_explained() -> None:
    modules = [importlib.import_module(name) for name in ("cartwire", "cartwire.raw", "cartwire.errors", "cartwire.report", "cartwire.cli")]
    silent = [
        name
        for module in modules
        for name, value in public(module)
        if (callable(value) or isinstance(value, property))
        and getattr(value, "__module__", "cartwire").startswith("cartwire")
        and not inspect.getdoc(value)
    ]
    assert silent == []


def test_every_public_class_and_function_has_an_example() -> None:
    bare = [
        name
        for module in (cartwire, cartwire.raw)
        for name, value in public(module)
        if (inspect.isclass(value) or inspect.isfunction(value) or isinstance(value, property))
        and not name.startswith(("cartwire.AsyncSync.", "cartwire.Sync.close"))
        and getattr(value, "__module__", "cartwire").startswith("cartwire")
        and ">>>" not in (value.__doc__ or "")
    ]
    assert bare == []
