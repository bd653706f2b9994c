"""Every noun of ours: what is signed, hashed or stored."""

from __future__ import annotations

import importlib
import inspect
import pkgutil

from pydantic import BaseModel

import privacy
import server.analyses
from privacy.kernel.canonical import Noun
from privacy.kernel.terms import Terms
from privacy.statistics import Statistic
from privacy.statistics.vector import VectorStatistic

_OURS = ("privacy.", "clients.answering.policy", "server.releases", "server.analyses.")


def own_subclasses(*bases: type[BaseModel]) -> set[type[BaseModel]]:
    """Every class of ours under these, without pydantic's own of generic classes, and without private parts of some."""
    for package in (privacy, server.analyses):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            importlib.import_module(module.name)
    for name in ("clients.answering.policy", "server.releases"):
        importlib.import_module(name)
    found, open_ends = set(), list(bases)
    while open_ends:
        for kind in open_ends.pop().__subclasses__():
            open_ends.append(kind)
            if kind.__module__.startswith(_OURS) and "[" not in kind.__name__ and kind.__name__[0] != "_":
                found.add(kind)
    return found


def own_nouns() -> set[type[Noun]]:
    """Every noun of the contract, of policies, of releases and of the coordinator's rooms that is not only a base."""
    found = {kind for kind in own_subclasses(Noun) if issubclass(kind, Noun) and not inspect.isabstract(kind)}
    return found - {Statistic, VectorStatistic, Terms}
