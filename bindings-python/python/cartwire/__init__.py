"""cartwire carries commerce data into marketing platforms: correctly, once, and fast.

Pure functions need no set-up: :func:`normalize`, :func:`validate`, :func:`build`, and :class:`Pipeline` and
:mod:`cartwire.raw` for speed. :class:`Sync` and :class:`AsyncSync` deliver and remember. :class:`Sandbox` is a marketing
platform on loopback to try it all on.

>>> import cartwire
>>> cartwire.validate([], source="commercetools")["ok"]
True

What goes wrong with a *record* is a value in the answer; what goes wrong with a *call* is a :class:`CartwireError`. Log lines
go to ``logging.getLogger("cartwire")``.
"""

from __future__ import annotations

from . import _log as _log, raw, types
from ._cartwire import VERSION as _VERSION
from ._data import Data
from ._pure import Pipeline, build, normalize, validate
from ._sandbox import Sandbox
from ._sync import AsyncSync, Sync
from .errors import (
    CartwireError,
    ConfigError,
    DestinationError,
    InputError,
    InternalError,
    LifecycleError,
    StateError,
    TransientError,
)
from .report import Report

__version__: str = _VERSION
"""The version: one number for Rust, Python and Node."""

__all__ = [
    "AsyncSync",
    "CartwireError",
    "ConfigError",
    "Data",
    "DestinationError",
    "InputError",
    "InternalError",
    "LifecycleError",
    "Pipeline",
    "Report",
    "Sandbox",
    "StateError",
    "Sync",
    "TransientError",
    "__version__",
    "build",
    "normalize",
    "raw",
    "types",
    "validate",
]
