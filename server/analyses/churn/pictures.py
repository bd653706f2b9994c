"""What the report's section on churn draws (:mod:`privacy.presentation.charts`)."""

from __future__ import annotations

from collections.abc import Sequence

from privacy.figures.estimates import Estimate
from privacy.figures.ranking import CalibrationPoint
from privacy.presentation import charts
from privacy.presentation.charts import Column, Mark, Points
from privacy.presentation.pictures import Form, Width
from privacy.presentation.texts import Language
from server.analyses.churn.texts import text


def calibration(points: Sequence[CalibrationPoint], language: Language) -> str:
    """Predicted probability against the share that churned, by group of scores, with 95% intervals."""
    marks = [(point.predicted, Mark(point.observed.value, point.observed.margin)) for point in points]
    form = Form(alt=text("picture_calibration", language), salt=f"calibration-{language}", width="half")
    return charts.agreement([Points(marks)], text("axis_predicted", language), text("axis_observed", language), form)


def lift(points: Sequence[CalibrationPoint], everyone: Estimate, language: Language) -> str:
    """Share that churned in groups from the highest score to the lowest, beside the churn rate of all customers."""
    columns = [Column(point.share, Mark(point.observed.value, point.observed.margin)) for point in reversed(points)]
    form = Form(alt=text("picture_lift", language), salt=f"lift-{language}", width="half")
    mean = Mark(everyone.value, everyone.margin, text("lift_all", language))
    return charts.ranked(columns, mean, (text("axis_reached", language), text("axis_observed", language)), form)


def weights(rows: Sequence[tuple[str, float]], language: Language, *, width: Width) -> str:
    """Weights as bars to the left and to the right of zero, in the order given."""
    form = Form(alt=text("picture_features", language), salt=f"weights-{language}", width=width)
    marks = [(name, Mark(weight, words=f"{weight:+.2f}")) for name, weight in rows]
    return charts.diverging(marks, (text("weight_lowers", language), text("weight_raises", language)), form)
