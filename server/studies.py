"""Studies over time: what was run before, and what a study that refers to it means."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

from pydantic import ValidationError

from privacy.contract.results import EarlierRun, StudyResult
from privacy.contract.study import ClusterOptions, KnownClusters, KnownCuts, RfmOptions, Study
from privacy.errors import ConfigError


class Results:
    """The results that a coordinator keeps, one folder a run."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def folder(self, study: Study) -> Path:
        """Folder of a study's result."""
        again = f"-repeat-{study.repeat}" if study.repeat else ""
        return self.root / f"{study.name}-{study.as_of.isoformat()}{again}"

    def of(self, study: Study) -> StudyResult | None:
        """The recorded result of exactly this study, or None."""
        return next((result for result in self.named(study.name) if result.study_digest == study.digest), None)

    def named(self, name: str) -> list[StudyResult]:
        """All results of the studies of one name, oldest as-of day first, repeats in their order."""
        found = []
        for path in sorted(self.root.glob(f"{name}-*/result.json")):
            try:
                result = StudyResult.model_validate_json(path.read_bytes())
            except ValidationError:
                continue  # written by another release; its ledger entries still count
            if result.study.name == name:
                found.append(result)
        return sorted(found, key=lambda result: (result.study.as_of, result.study.repeat))

    def resolve(self, study: Study) -> Study:
        """Write out what ``cut_points = "previous"`` and ``centres = "previous"`` refer to.

        Raises:
            ConfigError: if there is no earlier run.
        """
        return self._with_known_centres(self._with_known_cuts(study))

    def _with_known_centres(self, study: Study) -> Study:
        if "clusters" not in study.analyses or study.clusters.centres != "previous":
            return study
        earlier = [r for r in self.named(study.name) if r.study.as_of < study.as_of and r.clusters is not None]
        if not earlier or (last := earlier[-1].clusters) is None:
            raise ConfigError(
                f"there is no earlier run of {study.name} whose clusters could be kept",
                hint='run it once with clusters.centres = "new"',
            )
        if last.clusters.features != study.scaled(study.clusters.features):
            raise ConfigError(
                "the earlier run compared customers by other features", hint='use clusters.centres = "new"'
            )
        shares = {
            figures.id: tuple(Decimal(str(round(part, 6))) for part in (figures.share.value, figures.share.margin))
            for figures in last.figures
            if figures.share is not None
        }
        known = KnownClusters(clusters=last.clusters, shares=shares, origin=f"{study.name} {earlier[-1].study.as_of}")
        return study.model_copy(update={"clusters": ClusterOptions(**{**dict(study.clusters), "centres": known})})

    def _with_known_cuts(self, study: Study) -> Study:
        if study.rfm.cut_points != "previous" or "rfm" not in study.analyses:
            return study
        earlier = [r for r in self.named(study.name) if r.study.as_of < study.as_of and r.rfm is not None]
        if not earlier or (last := earlier[-1].rfm) is None:
            raise ConfigError(
                f"there is no earlier run of {study.name} whose cut points could be used",
                hint='run it once with cut_points = "new"',
            )
        if earlier[-1].study.currency != study.currency:
            raise ConfigError("the earlier run was in another currency", hint='use cut_points = "new"')
        used = earlier[-1].study.rfm.cut_points
        origin = used.origin if isinstance(used, KnownCuts) else f"{study.name} {earlier[-1].study.as_of}"
        known = KnownCuts(
            cuts=last.rules.cuts,
            money_cap=round(last.money_cap * last.rules.money_unit),
            orders_cap=last.orders_cap,
            above_cap=Decimal(str(round(last.revenue_above_cap, 6))),
            origin=origin,
        )
        return study.model_copy(update={"rfm": RfmOptions(**{**dict(study.rfm), "cut_points": known})})

    def again(self, study: Study) -> Study:
        """The next repetition of a study: a study of its own, with a budget of its own."""
        repeats = [r.study.repeat for r in self.named(study.name) if r.study.as_of == study.as_of]
        return study.model_copy(update={"repeat": max(repeats, default=-1) + 1})

    def earlier(self, study: Study, result_cuts: object) -> tuple[EarlierRun, ...]:
        """Earlier runs of a study, for the trend in its report.

        Args:
            study: the run that is being reported.
            result_cuts: its cut points.
        """
        runs = []
        for result in self.named(study.name):
            if (result.study.as_of, result.study.repeat) >= (study.as_of, study.repeat) or result.rfm is None:
                continue
            runs.append(
                EarlierRun(
                    as_of=result.study.as_of.isoformat(),
                    repeat=result.study.repeat,
                    customers=result.rfm.customers,
                    shares={
                        scheme.scheme: {
                            row.code: row.share_of_customers for row in scheme.segments if row.share_of_customers
                        }
                        for scheme in result.rfm.schemes
                    },
                    revenue_shares={
                        scheme.scheme: {
                            row.code: row.share_of_revenue for row in scheme.segments if row.share_of_revenue
                        }
                        for scheme in result.rfm.schemes
                    },
                    epsilon_person=result.spending.epsilon_person,
                    same_cuts=result.rfm.rules.cuts == result_cuts,
                )
            )
        return tuple(runs)
