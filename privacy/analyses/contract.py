"""What an analysis is to all parties: one object, ``CONTRACT`` of its room ``privacy/analyses/<name>/``.

Studies, admission, policies, results and the auditor's page find contracts through the tuple of ``privacy.analyses``
and know no analysis by name. A room imports this module and what stands below it, never the catalogue or another room.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar

from privacy.accounting.sampled import Slot
from privacy.kernel.canonical import Noun
from privacy.kernel.customers import CustomerRequest
from privacy.kernel.features import Feature
from privacy.kernel.row_requests import RowRequest
from privacy.kernel.terms import Terms
from privacy.statistics import Statistic

T = TypeVar("T", bound=Noun)

#: Whose figures are released; what a policy must allow by name.
Whose = Literal["overall", "by_holder"]


def _nothing(options: Any) -> frozenset[Any]:
    return frozenset()


def _suits_all(options: Any, terms: Terms) -> str:
    return ""


def _no_training(options: Any) -> Slot | None:
    return None


def _never(options: Any) -> str:
    return ""


def _found_on_the_way(options: Any, terms: Terms) -> tuple[Statistic[Any], ...]:
    return ()


def customer_table(options: Any, terms: Terms) -> CustomerRequest:
    """For an analysis that reads R, F and M of every customer's whole life, and no features."""
    return CustomerRequest()


@dataclass(frozen=True, kw_only=True)
class AnalysisContract(Generic[T]):
    """One analysis.

    Attributes:
        name: as studies name it; also of its table in ``study.toml``, of its field of results, and of its rooms.
        since: the release that it came with.
        options: its table of a study.
        statistics: what it may ask; a holder refuses any other.
        reads: the rows that its questions are asked about.
        questions: all that it asks, where that follows from the study alone: a holder refuses any other question, so
            that nothing is asked but what was approved. None where questions rest on earlier releases.
        features: those that it alone reads, beside the common ones; a second reader moves them to the kernel.
        consents: whose figures it releases; a policy must allow each.
        trains: the training on samples for which each holder needs a slot, if it asks for one; None where it does not.
        suits: why its options do not go with the study's terms, in a sentence; empty where they do.
        withholds: the setting by which results have no totals, as ``study.toml`` has it; empty where they have.
        has_withheld_form: whether its results have a form without totals; a study that withholds them may name no
            analysis that has none.
    """

    name: str
    since: str
    options: type[T]
    statistics: tuple[type[Statistic[Any]], ...]
    reads: Callable[[T, Terms], RowRequest] = customer_table
    questions: Callable[[T, Terms], tuple[Statistic[Any], ...]] = _found_on_the_way
    features: tuple[Feature, ...] = ()
    consents: Callable[[T], frozenset[Whose]] = _nothing
    trains: Callable[[T], Slot | None] = _no_training
    suits: Callable[[T, Terms], str] = _suits_all
    withholds: Callable[[T], str] = _never
    has_withheld_form: bool = False
