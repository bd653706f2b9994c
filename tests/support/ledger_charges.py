"""A ledger's first entry, caps, and charges to put into it."""

from __future__ import annotations

import hashlib
from decimal import Decimal

from contract_examples import LIFETIME

from privacy.accounting.events import GaussianSum
from privacy.ledger import (
    Caps,
    Opened,
    Question,
    Reserved,
)

ONE = (Decimal("1"), Decimal("0.000001"))  # mu^2 of 0.0560 in hundredths of a percent less


CAPS = Caps(study=ONE, lifetime=LIFETIME)  # lifetime epsilon 2: mu^2 of 0.2009


#: mu^2 of 0.01: five fit into a study, twenty into the lifetime.
CHARGE = GaussianSum(squared_norm=1 << 40, gamma=1 << 20, dim=10, share_scale=10 << 20, protecting_shares=1)


PER_STUDY, PER_LIFE = 5, 20


OPENED = Opened(owner="alpha", role="holder", epsilon=LIFETIME[0], delta=LIFETIME[1], records=1)


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def charge(number: int = 1, *, study: str = "one", event: GaussianSum = CHARGE, records: int = 1) -> Reserved:
    return Reserved(
        question=Question(run=f"run-{study}".replace(" ", "-"), round=number, attempt=1),
        study=study,
        study_digest=digest(study),
        core=digest(f"core {study} {number}"),
        analysis="rfm",
        title="cut points",
        statistic="prefix_sums",
        statistic_digest=digest("statistic"),
        event=event,
        records=records,
        placement="distributed",
        holders=("alpha", "beta", "gamma"),
        colluding=1,
        sampler="opendp",
        roster=digest("roster"),
        policy=digest("policy"),
        software="cohortium",
        time=1_700_000_000,
    )
