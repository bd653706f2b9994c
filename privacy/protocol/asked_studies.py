"""Which studies a ledger's runs were of: what the coordinator's kept invitations say."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from privacy.ledger import Ledger
from privacy.protocol.messages import HelloRequest


def studies_of_runs(ledger: Ledger) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Runs and their studies, oldest first; read without the classes of this release, for another may have asked."""
    for statement in ledger.statements():
        if statement.kind == HelloRequest.__name__:
            asked = json.loads(json.loads(statement.text)["body"])
            yield asked["run"], asked["study"]
