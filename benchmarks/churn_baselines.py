"""Churn models without privacy, for ``churn.py`` to compare with."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from churn_customers import HORIZONS, Customers, FloatArray, IntArray, reference_study
from numpy.typing import NDArray

import cohortium  # noqa: F401 -- puts the other packages on the path
from privacy.kernel.features import UNIT, FeatureName

Predict = Callable[[FloatArray], FloatArray]
Fit = Callable[[FloatArray, IntArray], Predict]


def fit_logistic(inputs: FloatArray, outcome: IntArray) -> Predict:
    """scikit-learn's logistic regression on standardised inputs."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=5000)).fit(inputs, outcome)
    return lambda new: np.asarray(model.decision_function(new))


def fit_network(inputs: FloatArray, outcome: IntArray, *, decay: float, direct: bool) -> Predict:
    """A perceptron on standardised inputs: 300 steps of Adam over all customers.

    Args:
        decay: weight decay of the hidden layer.
        direct: the product's (8 units, hyperbolic tangent, beside a direct path); else 16 rectified units alone.
    """
    import torch

    torch.manual_seed(0)
    centre, spread = inputs.mean(axis=0), inputs.std(axis=0) + 1e-9
    hidden = torch.nn.Linear(inputs.shape[1], 8 if direct else 16)
    output = torch.nn.Linear(hidden.out_features, 1, bias=False)
    path = torch.nn.Linear(inputs.shape[1], 1)
    bend = torch.tanh if direct else torch.relu

    def tensor(array: NDArray[Any]) -> torch.Tensor:
        return torch.tensor((array - centre) / spread, dtype=torch.float32)

    def logits(given: torch.Tensor) -> torch.Tensor:
        return (output(bend(hidden(given))) + (path(given) if direct else path.bias))[:, 0]

    adam = torch.optim.Adam([*hidden.parameters(), *output.parameters(), *path.parameters()], lr=0.01)
    seen, wanted = tensor(inputs), torch.tensor(outcome, dtype=torch.float32)
    for _ in range(300):
        adam.zero_grad()
        loss = torch.nn.functional.binary_cross_entropy_with_logits(logits(seen), wanted)
        loss += decay * ((hidden.weight**2).sum() + (output.weight**2).sum()) + 1e-4 * (path.weight**2).sum()
        loss.backward()
        adam.step()
    return lambda new: np.asarray(logits(tensor(new)).detach().numpy(), dtype=np.float64)


#: Of these the best on the test folds is the ceiling.
CEILINGS: dict[str, tuple[Fit, ...]] = {
    "logistic": (fit_logistic,),
    "network": tuple(
        partial(fit_network, decay=decay, direct=direct)
        for decay, direct in ((1e-3, True), (3e-3, True), (2e-3, False))
    ),
}


def inputs_of(customers: Customers, names: tuple[FeatureName, ...], day: int) -> FloatArray:
    """Scaled features of all customers as real numbers, shape ``(customers, features)``."""
    scaled = reference_study(HORIZONS[0]).scaled(names)
    return customers.table.scaled(scaled, day) / UNIT
