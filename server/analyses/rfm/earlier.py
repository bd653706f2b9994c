"""What a study of segments takes from its earlier runs, and what its report compares them by."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from decimal import Decimal

from privacy.analyses.rfm import CONTRACT
from privacy.analyses.rfm.ageing import is_of_season
from privacy.analyses.rfm.options import KnownCuts, KnownTail, RfmOptions
from privacy.analyses.rfm.results import RfmResult, TailFigures
from privacy.errors import ConfigError
from privacy.protocol.study import Study
from privacy.results import EarlierRun, StudyResult
from server.analyses.rfm.shares_only import earlier_shares_only


def with_known_cuts(study: Study, before: Sequence[StudyResult]) -> Study:
    """A study with the cut points written out that ``cut_points = "previous"`` refers to.

    Those that were found in the same month one year before are taken first, since recency moves with the season; else
    those of the last earlier run.

    Raises:
        ConfigError: if there is no earlier run, or it was in another currency, or of another window of days.
    """
    if study.of(CONTRACT).cut_points != "previous" or "rfm" not in study.analyses:
        return study
    earlier = [r for r in before if r.study.as_of < study.as_of and r.of(RfmResult) is not None]
    chosen = next((r for r in reversed(earlier) if _is_of_season(r, study)), earlier[-1] if earlier else None)
    if chosen is None or (last := chosen.of(RfmResult)) is None:
        raise ConfigError(
            f"there is no earlier run of {study.name} whose cut points could be used",
            hint='run it once with cut_points = "new"',
        )
    if chosen.study.currency != study.currency:
        raise ConfigError("the earlier run was in another currency", hint='use cut_points = "new"')
    if chosen.study.of(CONTRACT).window_days != study.of(CONTRACT).window_days:
        raise ConfigError(
            "the earlier run counted purchases of other days (window_days)", hint='use cut_points = "new"'
        )
    used = chosen.study.of(CONTRACT).cut_points
    origin = used.origin if isinstance(used, KnownCuts) else f"{study.name} {chosen.study.as_of}"
    known = KnownCuts(
        cuts=last.rules.cuts,
        money_cap=round(last.money_cap * last.rules.money_unit),
        orders_cap=last.orders_cap,
        above_cap=Decimal(str(round(last.revenue_above_cap, 6))),
        origin=origin,
        orders_tail=_known(last.orders_tail),
        money_tail=_known(last.money_tail),
        found=_found_in(chosen),
    )
    return study.model_copy(update={"rfm": RfmOptions(**{**dict(study.of(CONTRACT)), "cut_points": known})})


def _found_in(result: StudyResult) -> dt.date | None:
    """The as-of day of the run that found a result's cut points; None where an earlier release did not keep it."""
    used = result.study.of(CONTRACT).cut_points
    return used.found if isinstance(used, KnownCuts) else result.study.as_of


def _is_of_season(result: StudyResult, study: Study) -> bool:
    found = _found_in(result)
    return (
        found is not None
        and is_of_season(found, study.as_of)
        and result.study.of(CONTRACT).window_days == study.of(CONTRACT).window_days
        and result.study.currency == study.currency
    )


def _known(tail: TailFigures | None) -> KnownTail | None:
    return None if tail is None else KnownTail.of(tail.likely, tail.most)


def compared(study: Study, rfm: RfmResult, before: Sequence[StudyResult]) -> list[EarlierRun]:
    """Earlier runs of a study, for the trend in its report.

    Args:
        study: the run that is being reported.
        rfm: its figures.
        before: all results of studies of its name, oldest first. Those of another window of days count other facts, and
            are left out.
    """
    window_days = study.of(CONTRACT).window_days
    runs = []
    for result in before:
        then = result.of(RfmResult)
        if (result.study.as_of, result.study.repeat) >= (study.as_of, study.repeat) or then is None:
            continue
        if result.study.of(CONTRACT).window_days != window_days:
            continue
        runs.append(
            EarlierRun(
                as_of=result.study.as_of.isoformat(),
                repeat=result.study.repeat,
                customers=then.customers,
                shares={
                    scheme.scheme: {
                        row.code: row.share_of_customers for row in scheme.segments if row.share_of_customers
                    }
                    for scheme in then.schemes
                },
                revenue_shares={
                    scheme.scheme: {row.code: row.share_of_revenue for row in scheme.segments if row.share_of_revenue}
                    for scheme in then.schemes
                },
                epsilon_person=result.spending.epsilon_person,
                same_cuts=then.rules.cuts == rfm.rules.cuts,
            )
        )
    # Earlier runs may have had totals.
    return [earlier_shares_only(run) for run in runs] if study.of(CONTRACT).totals == "shares" else runs
