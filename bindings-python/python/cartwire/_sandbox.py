"""A marketing platform on loopback, for trying a set-up and for tests of one's own jobs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from types import TracebackType
from typing import Any

from . import _cartwire
from ._data import encode
from .errors import ConfigError


class Sandbox:
    """Servers on 127.0.0.1 that behave as the marketing platforms do: keys, limits, type locks, partial failures.

    Nothing leaves the machine. Point a destination's ``base_url`` at :meth:`url`, deliver, and ask what arrived.

    Args:
        options: Keys of the sandbox, such as ``iterable={"project_type": "hybrid"}``; its README lists them.

    >>> import cartwire
    >>> with cartwire.Sandbox() as sandbox:
    ...     sandbox.url("iterable").startswith("http://127.0.0.1:")
    True

    Raises:
        ConfigError: an option the sandbox does not know, or an address that is taken or not loopback.
    """

    __slots__ = ("_native",)

    def __init__(self, **options: Any) -> None:
        self._native = _cartwire.Sandbox(encode(options))

    def __enter__(self) -> Sandbox:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    @staticmethod
    def sample(resource: str, **options: Any) -> bytes:
        """Made-up shop data as commercetools would send it, one record a line; the same options give the same bytes.

        Args:
            resource: ``customer``, ``product``, ``category``, ``cart`` or ``order``.
            options: ``count``, ``first``, ``seed``, ``customers``, ``lines``, ``malformed_every``, and ``revision=2`` (with
                ``changed_only``) for the shop after a few changes.

        >>> import cartwire
        >>> cartwire.Sandbox.sample("order", count=3).count(b"\\n")
        3

        Raises:
            ConfigError: an option the shop does not know.
        """
        return _cartwire.Sandbox.sample(encode({"resource": resource, **options}))

    def url(self, destination: str) -> str:
        """The base URL of a platform, without a slash at the end.

        >>> import cartwire
        >>> with cartwire.Sandbox() as sandbox:
        ...     sandbox.url("iterable").count(":")
        2

        Raises:
            ConfigError: no platform of that name.
        """
        url = self._native.url(destination)
        if url is None:
            raise ConfigError("the sandbox has no platform of that name", code="unknown_name", path="/destination")
        return url

    def inspect(self, what: str, **query: Any) -> Any:
        """Asks what a platform holds, such as ``inspect("profile", email="mara@example.com")`` or ``inspect("counts")``.

        >>> import cartwire
        >>> with cartwire.Sandbox() as sandbox:
        ...     sandbox.inspect("counts")["profiles"]
        0
        """
        return json.loads(self._native.inspect(encode({"what": what, **query})))

    def change(self, vendor: str, resource: str, do: str, **facts: Any) -> dict[str, Any]:
        """Changes what a shop holds, as the people who work there would.

        Args:
            vendor: The shop, such as ``bigcommerce``.
            resource: ``order``, ``customer``, ``product``, ``subscriber`` or ``cart``.
            do: ``place``, ``pay``, ``ship``, ``refund``, ``return``, ``cancel``, ``complete``, ``archive`` and ``edit`` for an
                order; ``edit`` and ``delete`` for the others; ``abandon`` for a cart.
            facts: ``id``, and what the change needs, such as ``items=[{"line": 0, "quantity": 1}]``.

        Returns:
            The row's ``id``, and the ``webhooks`` that the platform would send: each with ``headers`` and ``body``.

        >>> import cartwire
        >>> with cartwire.Sandbox() as sandbox:
        ...     told = sandbox.change("bigcommerce", "order", "ship", id=100)
        >>> len(told["webhooks"])
        3

        Raises:
            ConfigError: a change the shop does not know, or that can't be made.
        """
        told: dict[str, Any] = json.loads(self._native.change(encode({"vendor": vendor, "resource": resource, "do": do, **facts})))
        return told

    def fault(self, kind: str, *, match: Mapping[str, Any] | None = None, times: int | None = None, **facts: Any) -> None:
        """Makes requests fail: ``status``, ``timeout``, ``timeout_after``, ``reset``, ``reset_after``,
        ``truncated_body``, ``half_failed_bulk``, ``latency``.

        Args:
            kind: What goes wrong.
            match: Which requests: ``vendor``, ``path`` (a prefix), ``method``. All of them unless given.
            times: How often; once unless given.
            facts: ``status``, ``retry_after``, ``delay_ms``, ``body``.

        >>> import cartwire
        >>> with cartwire.Sandbox() as sandbox:
        ...     sandbox.fault("status", status=429, retry_after="1", times=2)
        """
        spec: dict[str, Any] = {"fault": {"kind": kind, **facts}}
        if match is not None:
            spec["match"] = match
        if times is not None:
            spec["times"] = times
        self._native.fault(encode(spec))

    def clear_faults(self) -> None:
        """Takes all faults out.

        >>> import cartwire
        >>> with cartwire.Sandbox() as sandbox:
        ...     sandbox.clear_faults()
        """
        self._native.clear_faults()

    def exchanges(self) -> list[dict[str, Any]]:
        """What was sent and answered, oldest first.

        >>> import cartwire
        >>> with cartwire.Sandbox() as sandbox:
        ...     sandbox.exchanges()
        []
        """
        return [json.loads(line) for line in self._native.exchanges().splitlines() if line]

    def reset(self) -> None:
        """Forgets everything it was sent, and all faults.

        >>> import cartwire
        >>> with cartwire.Sandbox() as sandbox:
        ...     sandbox.reset()
        """
        self._native.reset()

    def advance_clock(self, seconds: float) -> None:
        """Moves a clock that was started with ``manual_clock_ms``.

        >>> import cartwire
        >>> with cartwire.Sandbox(manual_clock_ms=0) as sandbox:
        ...     sandbox.advance_clock(60)
        """
        self._native.advance_clock(round(seconds * 1000))

    def stop(self) -> None:
        """Stops the servers. Stopping twice is fine.

        >>> import cartwire
        >>> cartwire.Sandbox().stop()
        """
        self._native.stop()
