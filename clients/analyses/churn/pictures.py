"""What the holder's section on churn draws (:mod:`privacy.presentation.charts`)."""

from __future__ import annotations

from collections.abc import Sequence

from clients.analyses.churn.texts import text
from privacy.figures.ranking import CalibrationPoint
from privacy.presentation import charts
from privacy.presentation.charts import Group, Mark, Panel, Points, Series
from privacy.presentation.pictures import CUSTOMERS, EVERYONE, OWN, REVENUE, Form
from privacy.presentation.texts import Language


def calibration(own: Sequence[CalibrationPoint], everyone: Sequence[CalibrationPoint], language: Language) -> str:
    """Predicted probability against the share that left: the holder's customers and the consortium's.

    Args:
        own: the holder's groups.
        everyone: the released ones.
        language: of the labels.
    """
    series = [
        Points(_marks(own), text("churn_legend_own", language), OWN),
        Points(_marks(everyone), text("churn_legend_everyone", language), EVERYONE, "s"),
    ]
    form = Form(alt=text("churn_picture_calibration", language), salt=f"churn-calibration-{language}", width="half")
    return charts.agreement(series, text("churn_axis_predicted", language), text("churn_axis_observed", language), form)


def bands(rows: Sequence[tuple[str, float, float | None]], language: Language) -> str:
    """Share of customers and of their spend in each band of risk.

    Args:
        rows: name, share of customers, share of spend (None where that cannot be said), from the highest risk.
        language: of the labels.
    """
    groups = [Group(name, (_exact(share), None if part is None else _exact(part))) for name, share, part in rows]
    series = (
        Series(text("churn_legend_customers", language), CUSTOMERS),
        Series(text("churn_legend_money", language), REVENUE),
    )
    form = Form(alt=text("churn_picture_bands", language), salt=f"churn-bands-{language}", width="half")
    return charts.bars([Panel(groups)], series, form)


def _exact(share: float) -> Mark:
    return Mark(max(share, 0.0), words=f"{100 * share:.1f}%")


def _marks(points: Sequence[CalibrationPoint]) -> list[tuple[float, Mark]]:
    return [(point.predicted, Mark(point.observed.value, point.observed.margin)) for point in points]
