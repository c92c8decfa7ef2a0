# pyright: strict
"""Every marked line must fail to type-check, and no other may. Never run; test_types.py reads the marks.

A mark is `# mypy: <code> pyright: <rule>`.
"""

from __future__ import annotations

import cartwire
from cartwire.types import IterableDestinationConfig, Letter

cartwire.normalize(b"", sauce="commercetools")  # mypy: call-arg pyright: reportCallIssue
cartwire.normalize(42, source="commercetools")  # mypy: arg-type pyright: reportArgumentType
cartwire.normalize(b"", source="commercetools", mode="backfil")  # mypy: arg-type pyright: reportArgumentType
cartwire.normalize(b"", source={"type": "comercetools"})  # mypy: arg-type,typeddict-item pyright: reportArgumentType
cartwire.normalize(b"", source="commercetools", format="csv")  # mypy: arg-type pyright: reportArgumentType
cartwire.Sync(destinations={"eu": {"type": "iterabel"}})  # mypy: arg-type,typeddict-item,dict-item pyright: reportArgumentType
cartwire.Sync(destination="iterable")  # mypy: arg-type pyright: reportArgumentType
cartwire.Pipeline(destination={"type": "iterable", "project_typ": "email"})  # mypy: arg-type,typeddict-unknown-key pyright: reportArgumentType
misspelt: IterableDestinationConfig = {"type": "iterable", "api_ky": "k"}  # mypy: typeddict-unknown-key,typeddict-item pyright: reportAssignmentType


def stateful(sync: cartwire.Sync, asynchronous: cartwire.AsyncSync, letter: Letter) -> None:
    sync.deliver(b"", mod="live")  # mypy: call-arg pyright: reportCallIssue
    sync.dead_letters(reason="rejected")  # mypy: call-arg pyright: reportCallIssue
    sync.replay(fixes={"7": letter["record"]})  # mypy: dict-item pyright: reportArgumentType
    sync.deliver(b"").count  # mypy: attr-defined pyright: reportAttributeAccessIssue
    letter["kode"]  # mypy: typeddict-item pyright: reportGeneralTypeIssues
    asynchronous.deliver(b"").counts  # mypy: attr-defined pyright: reportAttributeAccessIssue
