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
        epsilon: closed form (Gaussian differential privacy), what the caps are held against.
        epsilon_pld: dp_accounting's privacy loss distribution, composed event by event; None beyond mu = 10.
        epsilon_prv: Opacus' PRV accountant; None where Opacus is not installed.
        cap: the lifetime cap in force; None for a coordinator.
    """

    owner: str
    role: str
    charges: int
    delta: float
    epsilon: float
    epsilon_pld: float | None
    epsilon_prv: float | None = None
    cap: float | None


class Verdict(_Value):
    """Everything that ``audit verify`` found.

    Attributes:
        notes: exceptions that break no rule and that an auditor should ask about.
    """

    claims: tuple[Claim, ...]
    spent: tuple[Spent, ...]
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
