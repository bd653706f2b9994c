"""Gradients of a network with torch and Opacus, where they are installed."""

from __future__ import annotations

import importlib.util

from clients.analysis import Engine
from privacy.analyses.churn.network_gradient import NetworkGradient
from privacy.kernel.features import FeatureTable
from privacy.statistics.base import IntArray


def has_opacus() -> bool:
    """Whether torch and Opacus are installed (``pip install 'cohortium[train]'``)."""
    return importlib.util.find_spec("torch") is not None and importlib.util.find_spec("opacus") is not None


def _encode_sum(statistic: NetworkGradient, table: FeatureTable) -> IntArray:
    from clients.analyses.churn.network import encode_sum  # here: torch is slow to import

    return encode_sum(statistic, table)


OPACUS = Engine(is_installed=has_opacus, encode_sum=_encode_sum)
