"""Exceptions: one base, one class per kind of trouble, one stable ``code`` each.

A *record* that cannot be used is a value in the answer (``rejected``, ``findings``, dead letters). An exception means the
*call* could not go on. Catch by class, decide by ``retryable``, log the ``code``:

>>> import cartwire
>>> try:
...     cartwire.normalize(b"{}", source="nonesuch")
... except cartwire.ConfigError as error:
...     print(error.code, error.path)
unknown_name /source

Messages, contexts and causes never hold a payload, a secret or personal data; ``path`` says where to look.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

__all__ = [
    "CartwireError",
    "ConfigError",
    "DestinationError",
    "InputError",
    "InternalError",
    "LifecycleError",
    "StateError",
    "TransientError",
]


class CartwireError(Exception):
    """Base of everything that cartwire raises.

    >>> error = TransientError("slow down", code="rate_limited", retryable=True, retry_after=2.5)
    >>> (error.code, error.retryable, error.retry_after, str(error))
    ('rate_limited', True, 2.5, 'slow down')
    """

    code: str
    """Stable word for what went wrong, such as ``rate_limited``; the catalogue lists all of them."""
    retryable: bool
    """Whether the same call can succeed later."""
    retry_after: float | None
    """Seconds the server asked to wait, where it did."""
    path: str | None
    """JSON pointer (RFC 6901) into the input or the options, where the fault has a place."""
    context: dict[str, str]
    """Facts such as the endpoint."""
    correlation_id: str | None
    """Ties the error to the log lines of one record or run."""
    operation: str | None
    """The operation that failed, such as ``deliver``."""

    def __init__(
        self,
        message: str,
        *,
        code: str = "internal",
        retryable: bool = False,
        retry_after: float | None = None,
        path: str | None = None,
        context: Mapping[str, str] | None = None,
        correlation_id: str | None = None,
        operation: str | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.retryable = retryable
        self.retry_after = retry_after
        self.path = path
        self.context = dict(context or {})
        self.correlation_id = correlation_id
        self.operation = operation

    def __reduce__(self) -> tuple[Callable[..., CartwireError], tuple[Any, ...]]:
        # Exceptions travel between processes (Airflow, multiprocessing); the default would lose all but the message.
        facts = {
            "code": self.code,
            "retryable": self.retryable,
            "retry_after": self.retry_after,
            "path": self.path,
            "context": self.context,
            "correlation_id": self.correlation_id,
            "operation": self.operation,
        }
        return _rebuild, (type(self), str(self), facts, self.__cause__)


class InputError(CartwireError):
    """The data of the call cannot be used at all: not JSON, the wrong shape, a signature that does not match.

    >>> import cartwire
    >>> try:
    ...     cartwire.normalize({"total": float("nan")}, source="commercetools")
    ... except cartwire.InputError as error:
    ...     print(error.code)
    invalid_input
    """


class ConfigError(CartwireError):
    """An option has a wrong name, type or value; ``path`` names it.

    >>> import cartwire
    >>> try:
    ...     cartwire.Pipeline(**{"sauce": "commercetools"})
    ... except cartwire.ConfigError as error:
    ...     print(error.code)
    invalid_config
    """


class DestinationError(CartwireError):
    """The destination said no for good, such as for wrong credentials.

    >>> DestinationError("the key was refused", code="unauthorized").retryable
    False
    """


class TransientError(CartwireError):
    """The destination or the network said no for now; nothing is lost, try later.

    >>> TransientError("no answer in time", code="timeout", retryable=True).retryable
    True
    """


class StateError(CartwireError):
    """The state store failed: held by another process, damaged, or written by a newer version.

    >>> StateError("another process holds it", code="state_locked").code
    'state_locked'
    """


class LifecycleError(CartwireError):
    """The handle cannot be used any more: closed, cancelled, or opened before a ``fork``.

    >>> LifecycleError("closed", code="closed").code
    'closed'
    """


class InternalError(CartwireError):
    """A defect in cartwire; please report it.

    >>> InternalError("a defect").code
    'internal'
    """


class Cause(Exception):
    """What was below an error, in words: the chain of causes in the core."""


_CLASSES: dict[str, type[CartwireError]] = {
    kind.__name__: kind
    for kind in (InputError, ConfigError, DestinationError, TransientError, StateError, LifecycleError, InternalError)
}


def _rebuild(
    kind: type[CartwireError], message: str, facts: Mapping[str, Any], cause: BaseException | None
) -> CartwireError:
    error = kind(message, **facts)
    error.__cause__ = cause
    return error


def from_json(text: str) -> CartwireError:
    """The exception for an error of the core; the native module calls this."""
    facts = json.loads(text)
    error = _CLASSES.get(facts["class"], CartwireError)(
        facts["text"],
        code=facts["code"],
        retryable=facts["retryable"],
        retry_after=facts["retry_after_s"],
        path=facts["path"],
        context=facts["context"],
        correlation_id=facts["correlation_id"],
        operation=facts["operation"],
    )
    if facts["cause"]:
        error.__cause__ = Cause(facts["cause"])
    return error
