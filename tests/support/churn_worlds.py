"""Churn studies over a generated world: what the runs left at the coordinator and its holders."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from holder_kit import own_features

from clients.analyses.churn.scoring import released_model
from clients.analysis import asked_by
from clients.answering.folder import HolderFolder
from clients.answering.runs import RunFolder
from clients.data.rows.features import CustomerFeatures
from privacy.models.scorers import ChurnModel
from privacy.protocol.study import Study
from privacy.results import StudyResult
from simulations.worlds.local import Workspace


@dataclass(frozen=True)
class Ran:
    """A workspace in which one study ran for two as-of days."""

    workspace: Workspace
    results: tuple[StudyResult, ...]

    @property
    def online(self) -> HolderFolder:
        return self.workspace.holder("online")

    @property
    def study(self) -> Study:
        return self.results[-1].study

    def answered(self, place: int = -1) -> tuple[Any, ...]:
        plans = RunFolder(self.online.state / "runs").released_plans(self.results[place].run)
        return tuple(plan.core for plan in plans)

    @property
    def stated(self) -> str | None:
        return RunFolder(self.online.state / "runs").result(self.results[-1].run)

    @property
    def model(self) -> ChurnModel:
        model = released_model(asked_by("churn", self.answered()))
        assert model is not None
        return model

    @property
    def features(self) -> CustomerFeatures:
        return own_features(self.online, self.study)
