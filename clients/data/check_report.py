"""What ``holder check`` found, for the holder's own screen."""

from __future__ import annotations

import datetime as dt

from pydantic import BaseModel, ConfigDict

from clients.data.account import CurrencyFigures, Step
from clients.data.feeds.coverage import FeedFigures
from clients.data.findings import Finding
from clients.data.looks import Looks
from clients.data.rows.cleaning_report import CleaningReport
from clients.data.sources.opened import FileLines


class PersonFigures(BaseModel):
    """What putting several sources together did; of lines used.

    Attributes:
        ids: customers of the sources, each source by itself.
        customers: customers of all together.
        at: by number of sources, customers who bought at so many.
        linked: of them, those whom ``[person]`` or ``columns.person`` names; None where equal ids are one customer.
        several_ids, several_lines: ids that belong to several persons, and their lines, which are left out.
        hubs, most_ids: customers with very many ids, and how many the first of them has.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    ids: int
    customers: int
    at: dict[int, int]
    linked: int | None = None
    several_ids: int = 0
    several_lines: int = 0
    hubs: int = 0
    most_ids: int = 0


class CheckReport(BaseModel):
    """What a holder sees of its own data before a study. Its repr shows nothing.

    Attributes:
        holder: the holder's name.
        study: the study whose rules were applied; None where the defaults were.
        order_column: the column of order ids; None where an order is all that a customer buys on one day.
        as_of: the as-of day applied; without a study, the day after the last row.
        columns: the source's columns.
        files: where the source is files of lines, what the lines of each are.
        rows: rows of the source; None where a problem came before counting.
        first, last: earliest and latest time in the source, as written there (in UTC where it has zones).
        cleaning: what each rule did; None where a problem came first.
        currencies: lines used and their revenue, by currency.
        steps: all rows of the source, by what became of them.
        looks: what else there is to see.
        unknown_currencies: those that the study has no rate for.
        excluded_ids: ids on the exclusion list.
        discounted: share of purchase lines that were reduced; None where no column says so, or there is no line.
        feeds: what is in feeds beside purchases; not there where a problem came first.
        sources: of several sources, each by itself; then the rest is of all together.
        persons: what putting them together did.
        problems: what must be mended before a study can run.
        warnings: what to look at.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    holder: str
    study: str | None = None
    order_column: str | None = None
    as_of: dt.date | None = None
    columns: tuple[str, ...] = ()
    files: tuple[FileLines, ...] = ()
    rows: int | None = None
    first: dt.datetime | None = None
    last: dt.datetime | None = None
    cleaning: CleaningReport | None = None
    currencies: tuple[CurrencyFigures, ...] = ()
    steps: tuple[Step, ...] = ()
    looks: Looks = Looks()
    unknown_currencies: tuple[str, ...] = ()
    excluded_ids: int = 0
    discounted: float | None = None
    feeds: tuple[FeedFigures, ...] = ()
    sources: tuple[CheckReport, ...] = ()
    persons: PersonFigures | None = None
    problems: tuple[Finding, ...] = ()
    warnings: tuple[Finding, ...] = ()

    def __repr__(self) -> str:
        return "CheckReport(<private>)"

    __str__ = __repr__
