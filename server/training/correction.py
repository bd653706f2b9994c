"""Correcting a public formula: what the customers of all holders add to it, as far as the budget can tell.

The logit is the formula's plus a linear correction w.z over whitened coordinates z. Three questions, with the bounds of
a regression (:mod:`privacy.statistics.prior_moments`): size and centre, moments of what the formula leaves, and
one gradient.

**The start is shrunken.** Least squares on the scale of logits is ``w = 4 W E[(y - p) z] = 8 W S / N``, with S the
released sum of (y - p) / 2 z and N the number of customers, so coordinate j has noise of variance
``v_j = (8 noise / N)^2 / l_j``, l_j its eigenvalue. With ``w_j ~ N(0, tau^2)`` before anything is known, the
posterior mean is ``w_j tau^2 / (tau^2 + v_j)``, and what is still unknown has the variance
``v_j tau^2 / (tau^2 + v_j)``; a little is added to it for what least squares is not.

**The step, too.** The gradient at w is about ``H (w - w*)`` with H = N times the loss' mean curvature, and noise of
variance ``noise^2 + H`` (the release's, and chance). The posterior mean moves w by ``- g u H / (u H^2 + noise^2 + H)``,
never by more than ``g / H``.

With a tiny budget this is the formula, with a large one a regression. Where the noise hides how many customers there
are, nothing more is asked and the formula stays as it is: a training is never refused. Constants are public, and were
found on public data.
"""

from __future__ import annotations

from fractions import Fraction
from statistics import NormalDist

import numpy as np

from privacy.figures.ranking import TrainingRound
from privacy.kernel.features import ScaledFeature
from privacy.models.priors import Prior
from privacy.models.scorers import PriorModel
from privacy.models.trained import weight
from privacy.statistics.prior_gradient import PriorGradient
from privacy.statistics.prior_moments import PriorMoments
from server.analysis import Ask
from server.training.foundation import (
    CENTRE,
    MOMENTS,
    Trained,
    ask_centre,
    ask_moments,
    gradient_norm,
    gradient_title,
    linear_weights,
    moments_fields,
)

#: Shares of the training budget.
_SHARES = (Fraction(4, 100), Fraction(50, 100), Fraction(46, 100))
#: Variance of a correction's weight in whitened coordinates before anything is known. From .005 to .1 the same within
#: .001 of AUC.
SPREAD = 0.02
#: Variance that the start leaves unknown beside its noise.
_FRESH = 0.002
#: Curvature of the logistic loss in whitened coordinates: at even odds, where least squares are on the scale of logits,
#: and on average, for churn rates between .2 and .8.
EVEN, USUAL = 0.25, 0.19
#: Nothing is blown up beyond what a mean curvature of this does.
_FLATTEST = 0.02
_PLACES = 200


def correction_weights() -> dict[str, Fraction]:
    """Shares of the training budget, by title."""
    return dict(zip((CENTRE, MOMENTS, gradient_title(1, 1)), _SHARES, strict=True))


def train_prior(
    features: tuple[ScaledFeature, ...],
    days: tuple[int, ...],
    formula: Prior,
    *,
    ask: Ask,
    spread: float = SPREAD,
    rare: bool = False,
) -> Trained[PriorModel]:
    """The formula and its correction, in up to three questions.

    Args:
        features: the correction's inputs.
        days: indices of the training days.
        formula: what is corrected.
        ask: asks a question by its title.
        spread: variance of a weight before anything is known; with 0 the formula stays as it is.
        rare: whether few have the outcome: the curvature is then what the formula says of such customers as were
            released.
    """
    plain = PriorModel(prior=formula, features=features, weights=(0,) * (len(features) + 1))
    centre = ask_centre(features, days, ask)
    if centre is None:
        return Trained(plain, (), None)
    base = ask_moments(PriorMoments(prior=formula, **moments_fields(features, days, centre.place)), centre, ask)
    if base is None:
        return Trained(plain, (), None)
    customers = base.count.customers
    even, usual = EVEN, USUAL
    if rare:
        even = usual = _mean_curvature(base.population.scores(formula))
    noise = (2 / even * base.noise / customers) ** 2 / base.lengths
    known = spread / (spread + noise)
    start = 2 / even * base.matrix @ (base.products / customers) * known

    title = gradient_title(1, 1)
    question = PriorGradient(
        view=base.view,
        weights=tuple(weight(value) for value in start.tolist()),
        days=days,
        norm=gradient_norm(len(start)),
        prior=formula,
    )
    release = ask(title, question)
    gradient, deviation = question.decode(release.array, release.deviation)
    unknown = noise * known + (_FRESH if spread else 0.0)
    curvature = usual * customers
    gain = unknown * curvature / (unknown * curvature**2 + deviation**2 + curvature)
    change = gradient * np.minimum(gain, 1 / curvature)
    model = plain.model_copy(update={"weights": linear_weights(base, start - change)})
    return Trained(model, (TrainingRound(title=title, step=float(np.linalg.norm(change))),), base.population)


def _mean_curvature(scores: NormalDist | None) -> float:
    """E[p (1 - p)] of customers with these logits."""
    if scores is None:
        return USUAL
    logits = np.array([scores.inv_cdf((place + 0.5) / _PLACES) for place in range(_PLACES)])
    chance = 1 / (1 + np.exp(-logits))
    return max(float((chance * (1 - chance)).mean()), _FLATTEST)
