"""Every code has its class, and an exception loses nothing on its way between processes."""

from __future__ import annotations

import copy
import json
import pickle
from typing import Any

import pytest

import cartwire
from cartwire import errors

CATALOG: list[dict[str, str]] = json.loads(cartwire.raw.catalog())["error_codes"]


def crossing(**facts: Any) -> str:
    """An error as the core writes it."""
    return json.dumps(
        {
            "code": "rate_limited",
            "class": "TransientError",
            "message": "slow down",
            "text": "rate_limited: slow down at /0",
            "retryable": True,
            "retry_after_s": 2.5,
            "operation": "deliver",
            "path": "/0",
            "context": {"endpoint": "users.update"},
            "correlation_id": "c-1",
            "cause": "connection reset",
            **facts,
        }
    )


@pytest.mark.parametrize("row", CATALOG, ids=lambda row: row["code"])
def test_every_code_of_the_catalogue_becomes_its_class(row: dict[str, str]) -> None:
    error = errors.from_json(crossing(code=row["code"], **{"class": row["class"]}))
    assert type(error) is getattr(cartwire, row["class"])
    assert isinstance(error, cartwire.CartwireError)
    assert error.code == row["code"]


def test_every_class_is_used_by_some_code() -> None:
    public = {name for name in errors.__all__ if name != "CartwireError"}
    assert public == {row["class"] for row in CATALOG}


def test_the_facts_are_attributes() -> None:
    error = errors.from_json(crossing())
    assert str(error) == "rate_limited: slow down at /0"
    assert (error.retryable, error.retry_after, error.path, error.operation) == (True, 2.5, "/0", "deliver")
    assert error.context == {"endpoint": "users.update"}
    assert error.correlation_id == "c-1"
    assert str(error.__cause__) == "connection reset"


def test_an_error_without_a_cause_has_none() -> None:
    assert errors.from_json(crossing(cause=None)).__cause__ is None


@pytest.mark.parametrize("again", [lambda e: pickle.loads(pickle.dumps(e)), copy.copy, copy.deepcopy], ids=["pickle", "copy", "deepcopy"])
def test_an_error_survives_travel(again: Any) -> None:
    error = errors.from_json(crossing())
    other = again(error)
    assert type(other) is type(error)
    assert str(other) == str(error)
    assert vars(other) == vars(error)
    assert str(other.__cause__) == "connection reset"


def test_a_wrong_option_names_itself_and_its_place() -> None:
    with pytest.raises(cartwire.ConfigError) as caught:
        cartwire.normalize(b"[]", source={"type": "commercetools", "projekt": "demo"})  # type: ignore[typeddict-unknown-key]
    assert caught.value.code == "invalid_config"
    assert "projekt" in str(caught.value)
    assert caught.value.path is not None and caught.value.path.startswith("/source")


def test_no_error_shows_the_data() -> None:
    secret = "mara@example.com"
    with pytest.raises(cartwire.InputError) as caught:
        cartwire.normalize({"email": secret, "total": float("nan")}, source="commercetools")
    assert secret not in str(caught.value)
    with pytest.raises(cartwire.InputError) as caught:
        cartwire.normalize({"email": secret, "when": object()}, source="commercetools")
    assert secret not in str(caught.value)
    with pytest.raises(cartwire.InputError) as caught:
        cartwire.normalize({"name": "\ud800" + secret}, source="commercetools")
    assert secret not in repr(caught.value)


def test_data_of_a_wrong_kind_is_an_input_error() -> None:
    with pytest.raises(cartwire.InputError):
        cartwire.normalize(42, source="commercetools")  # type: ignore[arg-type]
