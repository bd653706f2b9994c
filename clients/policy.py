"""The holder's own policy: what it allows, outside anything the coordinator can send."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator

from privacy.contract.canonical import ExactDecimal, Noun, read_toml
from privacy.contract.messages import PlanCore
from privacy.contract.study import Study
from privacy.errors import PolicyError
from privacy.ledger import PeriodCap
from privacy.statistics import ByHolder


class LifetimeBudget(Noun):
    """What one customer may lose over all studies ever answered with this ledger; there is no default.

    Attributes:
        epsilon: the cap, for one person, at ``delta``.
        delta: probability bound.
    """

    epsilon: ExactDecimal = Field(ge=Decimal("0.01"), le=50)
    delta: ExactDecimal = Field(ge=Decimal("1e-18"), le=Decimal("0.001"))


class Allow(Noun):
    """What the holder takes part in.

    Attributes:
        analyses: names of analyses.
        placements: who may add the noise. ``local`` and ``central`` must be allowed on purpose: the first makes
            results much noisier, the second means that the coordinator sees exact totals.
        mechanisms: kinds of noise; ``opacus`` (floating-point, at the coordinator) must be allowed on purpose.
        max_study_epsilon: largest epsilon of one study, at a delta of at most ``max_study_delta``.
        figures: whose; with ``by_holder`` this holder's own totals may be released (with noise).
        min_participants: fewest holders in one sum.
        min_colluding: how many other holders this one wants to be safe against, at least.
        min_hidden: smallest m - t; below 2, another holder may learn this holder's totals to within noise.
    """

    analyses: tuple[str, ...] = ("rfm",)
    placements: tuple[Literal["distributed", "local", "central"], ...] = ("distributed",)
    mechanisms: tuple[Literal["integer", "opacus"], ...] = ("integer",)
    max_study_epsilon: ExactDecimal = Field(default=Decimal(4), gt=0)
    max_study_delta: ExactDecimal = Field(default=Decimal("0.0001"), gt=0, le=Decimal("0.001"))
    figures: tuple[Literal["overall", "by_holder"], ...] = ("overall",)
    min_participants: int = Field(default=3, ge=2)
    min_colluding: int = Field(default=1, ge=1)
    min_hidden: int = Field(default=2, ge=1)


class HolderPolicy(Noun):
    """``policy.toml`` beside the holder's data. The lifetime budget is mandatory.

    Attributes:
        lifetime: what one customer may lose over all studies.
        period: what one customer may lose in each period of so many days; None for no such cap.
        allow: what the holder takes part in.
    """

    lifetime: LifetimeBudget
    period: PeriodCap | None = None
    allow: Allow = Allow()

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read ``policy.toml``.

        Raises:
            ConfigError: if it is missing or wrong.
        """
        return read_toml(path, cls)

    @model_validator(mode="after")
    def _usable(self) -> Self:
        if not self.allow.analyses:
            raise ValueError("allow.analyses is empty: nothing would ever be answered")
        return self

    def admit_study(self, study: Study) -> None:
        """Refuse a study that this holder does not take part in.

        Raises:
            PolicyError: saying which rule it breaks (for the holder's own log; only a code leaves).
        """
        extra = [name for name in study.analyses if name not in self.allow.analyses]
        if extra:
            raise PolicyError(f"the policy does not allow the analysis {extra[0]}")
        if study.placement not in self.allow.placements:
            raise PolicyError(f"the policy does not allow the placement {study.placement}")
        if "churn" in study.analyses and study.churn.figures not in self.allow.figures:
            raise PolicyError("the policy does not allow figures by holder (churn.figures)")
        if study.mechanism not in self.allow.mechanisms:
            raise PolicyError(f"the policy does not allow {study.mechanism} noise")
        if study.budget.epsilon > self.allow.max_study_epsilon:
            raise PolicyError("the study's epsilon is above the policy's")
        if study.budget.effective_delta > self.allow.max_study_delta:
            raise PolicyError("the study's delta is above the policy's")
        if study.budget.colluding_holders < self.allow.min_colluding:
            raise PolicyError("the study guards against fewer colluding holders than the policy asks")

    def admit_core(self, core: PlanCore) -> None:
        """Refuse a question that this holder does not answer.

        Raises:
            PolicyError: as above.
        """
        mechanism = core.mechanism
        if core.analysis not in self.allow.analyses or mechanism.placement not in self.allow.placements:
            raise PolicyError("the policy does not allow this question")
        if isinstance(core.statistic, ByHolder) and "by_holder" not in self.allow.figures:
            raise PolicyError("the policy does not allow figures by holder")
        if mechanism.noise not in self.allow.mechanisms:
            raise PolicyError("the policy does not allow this noise")
        if mechanism.holders < self.allow.min_participants:
            raise PolicyError("fewer holders take part than the policy asks")
        if mechanism.colluding < self.allow.min_colluding:
            raise PolicyError("the question guards against fewer colluding holders than the policy asks")
        if mechanism.holders - mechanism.colluding < self.allow.min_hidden:
            raise PolicyError("too few holders would hide this one's totals")
