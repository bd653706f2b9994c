"""What the coordinator states about a model that a study has trained, and the files that carry the statement."""

from __future__ import annotations

import datetime as dt
import json
from decimal import ROUND_CEILING, Decimal

from privacy.analyses.churn import CONTRACT
from privacy.analyses.churn.results import ChurnResult
from privacy.kernel.canonical import sha256_hex
from privacy.models.scorers import PriorModel
from privacy.results import StudyResult
from server.analyses.churn.earlier import pinned_test
from server.analyses.churn.model_card import render_card
from server.analyses.churn.model_file import (
    Corrected,
    Evaluation,
    Measured,
    ModelFile,
    ModelRecord,
    PrivacySpent,
    Quality,
    Reliability,
    Words,
    encode_model,
)
from server.analysis import ResultFolder

MODEL = "model.safetensors"
SUMMARY = "model.json"
CARD = "model-card.html"

_INTENDED = (
    (
        "Ranking a holder's own customers by the risk that they buy nothing in the {horizon} days after a cutoff, so "
        "that people decide whom to contact first, and with what.",
        "由持有方对自己的客户排序：按截止日之后 {horizon} 天内不再购买的风险高低，供业务人员决定优先联系谁、提供什么。",
    ),
    (
        "Customers of the holders that took part, with a purchase in the {active} days before the cutoff, and features "
        "computed by the study's rules.",
        "适用对象：参与本项目的持有方的客户，截止日前 {active} 天内有过购买，且特征按本项目规则计算。",
    ),
)
_NOT_FOR = (
    (
        "Decisions about single persons that nobody reviews: prices, credit, refusing a contract or a service, or "
        "anything else with a legal or similarly significant effect.",
        "未经人工复核的个人决定：定价、授信、拒绝交易或服务，以及其他对个人权益有重大影响的决定。",
    ),
    (
        "Saying why somebody leaves: the weights show what goes together with churn, not what causes it.",
        "解释客户为何流失：权重只反映与流失同时出现的因素，不代表原因。",
    ),
    (
        "Measuring what a campaign has achieved: that needs a group of customers that was not contacted.",
        "衡量营销活动的效果：这需要设置未触达的对照组。",
    ),
    (
        "Other horizons, other businesses, or days long after the scoring day, without a new test there.",
        "未经重新检验即用于其他预测期、其他业务，或距评分日已久的日期。",
    ),
    (
        "Finding out anything about a person beyond the purchases that the holder already knows.",
        "推断持有方已知购买记录以外的任何个人信息。",
    ),
)


def describe_model(result: StudyResult, churn: ChurnResult, *, federation: str) -> ModelRecord:
    """The statement that the coordinator signs; it says nothing that the study has not released."""
    study, spending = result.study, result.spending
    formula = churn.model.prior if isinstance(churn.model, PriorModel) else None
    training = study.of(CONTRACT).training
    numbers = {"horizon": churn.horizon_days, "active": churn.active_days}
    return ModelRecord(
        format=2 if churn.family in ("prior", "trees") or training == "local" else 1,
        federation=federation,
        study=study.name,
        study_digest=result.study_digest,
        run=result.run,
        finished=dt.date.fromisoformat(result.finished[:10]),
        software=result.version,
        family=churn.family,
        model_digest=churn.model.digest,
        prior=formula,
        origin=churn.origin,
        tests=tuple(pinned_test(test) for test in (*churn.tests, churn.test)) if churn.tests else (),
        recalibration=None if churn.recalibration is None else Corrected.of(churn.recalibration),
        training=training,
        features=churn.model.features,
        currency=study.currency,
        time_zone=study.time_zone,
        horizon_days=churn.horizon_days,
        active_days=churn.active_days,
        training_days=tuple(dt.date.fromisoformat(day) for day in churn.training_days),
        test_day=dt.date.fromisoformat(churn.test_day),
        score_day=dt.date.fromisoformat(churn.score_day),
        holders=len(result.participants) + len(result.missing),
        evaluation=Evaluation(
            customers=Measured.of(churn.customers),
            quality=Quality.of(churn.quality),
            baselines=tuple(Quality.of(figures) for figures in churn.baselines),
            reliability=tuple(Reliability.of(point) for point in churn.quality.calibration),
        ),
        privacy=PrivacySpent(
            epsilon_promised=_up(spending.epsilon_promised),
            epsilon_person=_up(spending.epsilon_person),
            epsilon_all_holders=_up(spending.epsilon_all_holders),
            delta=Decimal(repr(spending.delta)),
            records=spending.k,
            placement=study.placement,
            mechanism=study.mechanism,
            colluding=study.budget.colluding_holders,
        ),
        intended_use=tuple(Words(en=en.format(**numbers), zh=zh.format(**numbers)) for en, zh in _INTENDED),
        not_for=tuple(Words(en=en, zh=zh) for en, zh in _NOT_FOR),
    )


def write_model(churn: ChurnResult, result: StudyResult, folder: ResultFolder) -> None:
    """Sign the model of a result and write the model file, its summary for scripts and its card."""
    record = describe_model(result, churn, federation=folder.federation)
    data = encode_model(churn.model, folder.identity.sign(record))
    (folder.path / MODEL).write_bytes(data)
    file = ModelFile(record=record, model=churn.model, signer=folder.identity.member, sha256=sha256_hex(data))
    summary = {"file": MODEL, **file.summary()}
    (folder.path / SUMMARY).write_text(json.dumps(summary, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    (folder.path / CARD).write_text(render_card(file), encoding="utf-8")


def _up(epsilon: float) -> Decimal:
    """What was spent, to six decimals, rounded up: never shown smaller than it is."""
    return Decimal(repr(float(epsilon))).quantize(Decimal("0.000001"), ROUND_CEILING)
