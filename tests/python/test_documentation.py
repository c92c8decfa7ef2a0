"""What the documentation shows works as it is written, in the order it is read."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = ["README.md", "docs/guide-python.md"]


def blocks(page: str) -> list[str]:
    """The Python examples of a page."""
    return re.findall(r"^```python\n(.*?)^```", (ROOT / page).read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("page", PAGES)
def test_the_examples_of_a_page_run(page: str, capsys: pytest.CaptureFixture[str]) -> None:
    examples = blocks(page)
    assert examples, f"{page} has no Python example"
    for number, example in enumerate(examples):
        exec(compile(example, f"{page}, example {number + 1}", "exec"), {"__name__": "example"})  # noqa: S102
    assert capsys.readouterr().out, f"the examples of {page} show nothing"


def test_the_readme_shows_both_commands() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert "make demo" in readme
    assert "make test" in readme
