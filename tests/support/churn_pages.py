"""Churn results, signed model files, and the pages made of them."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path

import numpy as np
from report_pages import PLAIN as RFM_RESULT

from privacy.analyses.churn.options import CHURN_FEATURES, ChurnOptions
from privacy.analyses.churn.recalibration import recalibration
from privacy.analyses.churn.results import ChurnResult
from privacy.figures.estimates import Estimate
from privacy.figures.ranking import TrainingRound
from privacy.models.mbg import public_prior
from privacy.models.scorers import ChurnModel, PriorModel
from privacy.models.trained import LOGIT, WEIGHT, LogisticModel, NetworkModel
from privacy.models.trees import TreesModel
from privacy.protocol.identity import Identity, Roster
from privacy.results import QuestionCost, StudyResult, Timing
from server.analyses.churn.model_file import (
    ModelFile,
    decode_model,
    encode_model,
)
from server.analyses.churn.model_record import describe_model
from server.analyses.churn.run import TYPICAL, predicted
from server.analyses.churn.trees import public_trees
from server.report.render import render_report
from server.training.ranking import ranking
from server.training.score_bins import middles, upper_ends
from simulations.worlds.kit import make_keys


@cache
def members(name: str = "demo") -> tuple[Roster, dict[str, Identity]]:
    """A federation's roster and its members' keys."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        roster = make_keys(root, ("online", "store-1"), federation=name)
        homes = {"coordinator": root / "coordinator"} | {h: root / "holders" / h for h in roster.holders}
        return roster, {member: Identity.load(member, home / "keys/signing.pem") for member, home in homes.items()}


@cache
def made(family: str = "logistic", signer: str = "coordinator", *, bias: int = 0) -> ModelFile:
    return decode_model(encoded(family, signer, bias=bias), members()[0])


@cache
def encoded(family: str = "logistic", signer: str = "coordinator", *, federation: str = "demo", bias: int = 0) -> bytes:
    churn = churn_result(family=family)
    if bias:
        weights = (*churn.model.weights[:-1], bias)
        churn = churn.model_copy(update={"model": churn.model.model_copy(update={"weights": weights})})
    record = describe_model(study_result(churn), churn, federation=federation)
    return encode_model(churn.model, members()[1][signer].sign(record))


#: Where the bins end.
ENDS = np.array(upper_ends(TYPICAL)) / LOGIT


def counts(separation: float = 1.0, people: float = 9000, odds: float = 0.0) -> np.ndarray:
    """Customers by bin of logits and outcome, as a model's test would release them."""
    everyone = people * np.diff([0, *map(TYPICAL.cdf, ENDS), 1])
    churned = 1 / (1 + np.exp(-separation * middles(TYPICAL) - odds))
    return np.stack([everyone * (1 - churned), everyone * churned], axis=1)


def linear(names=CHURN_FEATURES) -> LogisticModel:
    features = RFM_RESULT.study.scaled(names)
    weights = tuple(int(WEIGHT * (0.9 - 0.13 * place)) for place in range(len(names)))
    return LogisticModel(features=features, weights=(*weights, -WEIGHT // 3))


def corrected(*, plain: bool = False) -> PriorModel:
    features = RFM_RESULT.study.scaled(CHURN_FEATURES)
    weights = tuple(0 if plain else weight // 4 for weight in linear().weights)
    return PriorModel(prior=public_prior(90), features=features, weights=weights)


def network() -> NetworkModel:
    features = RFM_RESULT.study.scaled(CHURN_FEATURES)
    hidden = tuple(tuple((7919 * (i + 31 * j)) % 90_000 - 45_000 for i in range(len(features) + 1)) for j in range(5))
    output = (*range(-20_000, 30_000, 10_000), *linear().weights)
    return NetworkModel(features=features, hidden=hidden, output=output)


def grown(*, bare: bool = False) -> TreesModel:
    drawn = public_trees(32, [(-900, 0, 1200)] * (len(CHURN_FEATURES) + 1), "pages")
    learnt = tuple(
        tree.model_copy(update={"leaves": tuple((7919 * (leaf + 8 * place)) % 9_000 - 4_500 for leaf in range(8))})
        for place, tree in enumerate(drawn)
    )
    return TreesModel(**dict(linear()) | {"kind": "trees", "trees": () if bare else learnt})


_MODELS: dict[str, Callable[[], ChurnModel]] = {
    "logistic": linear, "network": network, "prior": corrected, "plain": partial(corrected, plain=True),
    "trees": grown, "bare": partial(grown, bare=True),
}  # fmt: skip


@cache
def churn_result(
    *,
    separation: float = 1.0,
    recency: float = 0.4,
    prior: float = 0.2,
    odds: float = 0.0,
    deviation: float = 8.0,
    family: str = "logistic",
    holders: tuple[str, ...] = (),
) -> ChurnResult:
    """What the analysis leaves, from made-up counts through the real figures."""
    quality = ranking("model", counts(separation, odds=odds), deviation, ENDS, predicted=predicted(TYPICAL))
    others = (("recency_days", recency), ("prior", prior))
    baselines = [ranking(code, counts(slope), 2 * deviation, ENDS) for code, slope in others]
    assert quality is not None
    by_holder = {holder: ranking(holder, counts(separation, 3000), deviation, ENDS) for holder in holders}
    return ChurnResult(
        family={"plain": "prior", "bare": "trees"}.get(family, family),
        horizon_days=90,
        active_days=365,
        training_days=("2024-04-07", "2024-07-06"),
        test_day="2024-10-03",
        score_day="2025-01-01",
        model=_MODELS[family](),
        customers=Estimate(value=9012.3, margin=77.0),
        quality=quality,
        baselines=baselines,
        by_holder=by_holder,
        recalibration=recalibration(counts(separation, odds=odds), middles(TYPICAL), deviation),
        rounds=tuple(TrainingRound(title=f"training {n} of 3", step=0.3 / n) for n in (1, 2, 3)),
    )


def again_tested(churn: ChurnResult, *, fell: float = 0.3, moved: float = -0.5) -> ChurnResult:
    """The same model as an earlier run's, with two tests before; of the first the AUC was higher by this much."""
    now = churn.test
    better = Estimate(value=min(now.auc.value + fell, 1.0), margin=now.auc.margin)
    level = Estimate(value=moved, margin=0.1)
    first = now.model_copy(update={"test_day": "2024-08-04", "auc": better, "level": level})
    second = now.model_copy(update={"test_day": "2024-09-03", "level": None})
    return churn.model_copy(update={"origin": "spring 2024-11-01", "rounds": (), "tests": (first, second)})


def study_result(churn: ChurnResult, *, with_rfm: bool = False, missing: tuple[str, ...] = ()) -> StudyResult:
    analyses = ("rfm", "churn") if with_rfm else ("churn",)
    study = RFM_RESULT.study.model_copy(update={"analyses": analyses, "churn": ChurnOptions(training_days=2)})
    titles = ("size and centre", "moments", "training 1 of 3", "training 2 of 3", "training 3 of 3", "evaluation")
    if churn.by_holder:
        titles += ("evaluation by holder",)
    questions = tuple(
        QuestionCost(question=title, attempt=1, outcome="released", mu=0.09, holders=4) for title in titles
    )
    spending = RFM_RESULT.spending.model_copy(update={"questions": questions})
    return RFM_RESULT.model_copy(
        update={
            "study": study,
            "study_digest": study.digest,
            "rfm": RFM_RESULT.rfm if with_rfm else None,
            "churn": churn,
            "spending": spending,
            "missing": missing,
            "timings": tuple(Timing(step=f"{title}: asking", seconds=0.5) for title in titles),
        }
    )


def kinds() -> dict[str, StudyResult]:
    bare = churn_result()
    unclear = bare.quality.model_copy(update={"calibration": ()})
    return {
        "alone": study_result(bare),
        "both": study_result(bare, with_rfm=True),
        "network": study_result(churn_result(family="network", holders=("online", "store-1"))),
        "unclear": study_result(bare.model_copy(update={"quality": unclear, "baselines": (), "rounds": ()})),
        "prior": study_result(churn_result(family="prior", prior=0.9)),
        "plain": study_result(churn_result(family="plain", prior=1.0)),
        "trees": study_result(churn_result(family="trees")),
        "bare": study_result(churn_result(family="bare")),
        "earlier": study_result(again_tested(bare)),
        "missing": study_result(bare, missing=("shop-7",)),
    }


@cache
def html(name: str) -> str:
    if name.startswith("card"):
        from server.analyses.churn.model_card import render_card

        return render_card(made(name.removeprefix("card-") if name != "card" else "logistic"))
    return render_report(kinds()[name])
