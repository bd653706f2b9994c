"""What needs torch and Opacus: a network's gradients, where they are installed, and a holder's own training."""

from __future__ import annotations

import importlib.util

from clients.analysis import Engine
from privacy.analyses.churn.local_training import LocalTraining
from privacy.analyses.churn.network_gradient import NetworkGradient
from privacy.kernel.features import FeatureTable
from privacy.statistics.base import IntArray


def has_opacus() -> bool:
    """Whether torch and Opacus are installed (``pip install 'cohortium[train]'``)."""
    return importlib.util.find_spec("torch") is not None and importlib.util.find_spec("opacus") is not None


def _encode_sum(statistic: NetworkGradient, table: FeatureTable, holder: str) -> IntArray:
    from clients.analyses.churn.network import encode_sum  # here: torch is slow to import

    return encode_sum(statistic, table)


def _train(statistic: LocalTraining, table: FeatureTable, holder: str) -> IntArray:
    from clients.analyses.churn import local_training  # here, as above

    return local_training.encode_sum(statistic, table, holder=holder)


TRAINING = Engine(is_installed=has_opacus, encode_sum=_train, needed=True)
OPACUS = Engine(is_installed=has_opacus, encode_sum=_encode_sum)
