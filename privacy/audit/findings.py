"""What an audit finds: claims with a verdict and a reason, what was spent, and exceptions that people should know."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Claim(_Value):
    """One thing that was checked, the verdict, and why."""

    about: str
    claim: str
    verdict: Literal["PASS", "FAIL"]
    why: str


class Spent(_Value):
    """What one ledger's charges add up to for one person, by independent accountants.

    Attributes:
        k: K, at how many holders the person is counted; None for a coordinator, whose charges count by their studies'.
        epsilon: closed form (Gaussian differential privacy), what the caps are held against.
        epsilon_pld: dp_accounting's privacy loss distribution, composed event by event; None beyond mu = 10.
        epsilon_prv: Opacus' PRV accountant; None where Opacus is not installed.
        cap: the lifetime cap in force; None for a coordinator.
    """

    owner: str
    role: str
    charges: int
    k: int | None
    delta: float
    epsilon: float
    epsilon_pld: float | None
    epsilon_prv: float | None = None
    cap: float | None


class Person(_Value):
    """Whoever lost most of a cap by all records together, of those who are customers of as many holders as K allows.

    Attributes:
        holders: where; of the ledgers that are here.
        k: K, the most holders that each of these counts one of its customers at.
        delta, epsilon: of all questions that any of these holders answered, each with the person's records in it.
        exact: whether all sets of holders were tried; else epsilon is a bound, by adding up mu over the ledgers.
        cap: largest lifetime cap of these holders at that delta; None where they state none.
        missing: holders of the federation whose ledgers are not here, and whose questions are not in the figure.
    """

    holders: tuple[str, ...]
    k: int
    delta: float
    epsilon: float
    exact: bool
    cap: float | None
    missing: tuple[str, ...]


class Verdict(_Value):
    """Everything that ``audit verify`` found.

    Attributes:
        person: one person over all records together; None where no holder's is among them.
        notes: exceptions that break no rule and that an auditor should ask about.
    """

    claims: tuple[Claim, ...]
    spent: tuple[Spent, ...]
    person: Person | None = None
    notes: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether every claim passed."""
        return all(claim.verdict == "PASS" for claim in self.claims)


def judged(about: str, claim: str, wrong: list[str], otherwise: str) -> Claim:
    """A claim that fails when something is wrong with it; the reason names the first three things."""
    more = f"; and {len(wrong) - 3} more" if len(wrong) > 3 else ""
    return Claim(
        about=about,
        claim=claim,
        verdict="FAIL" if wrong else "PASS",
        why="; ".join(wrong[:3]) + more if wrong else otherwise,
    )
