"""The holder's sections on segments in one language: values for the template ``section.html.j2``."""

from __future__ import annotations

import math
from collections.abc import Sequence
from decimal import Decimal
from functools import partial
from typing import Any

import numpy as np

from clients.analyses.rfm.comparison import MEASURES, SegmentLine
from clients.analyses.rfm.findings import SHARES, decimals_of, findings
from clients.analyses.rfm.movement import Mover
from clients.analyses.rfm.own import OwnSegments
from clients.analyses.rfm.texts import text
from clients.analyses.rfm.yardstick import CutLine, yardstick
from clients.analysis import HolderView
from clients.analysis.cells import MARKS, Judged, released_share, shade
from clients.analysis.comparison import Compared
from clients.analysis.pictures import Pair, compared_shares
from privacy.analyses.rfm import CONTRACT
from privacy.analyses.rfm.options import KnownCuts
from privacy.analyses.rfm.results import SchemeFigures
from privacy.analyses.rfm.words import definition, segment_name
from privacy.figures.estimates import Estimate, strictness
from privacy.kernel.terms import minor_digits
from privacy.presentation.cells import Cell, cell
from privacy.presentation.numbers import day_text, grouped, plain, shown
from privacy.presentation.pictures import Form, both
from privacy.presentation.texts import join
from privacy.presentation.words import amount, beside, percent, written
from privacy.section import Section

#: Ids shown for each segment.
LISTED = 10


class _Section:
    """The section's values in one language."""

    def __init__(self, view: HolderView[OwnSegments]) -> None:
        self._facts = facts = view.figures
        self._view = view
        self._actions, self._file = view.actions, view.actions_file
        self._language = view.language
        self._checked = view.checked
        self._study = facts.result.study
        self._currency = self._study.currency
        self._digits = minor_digits(self._currency)
        self._unit = facts.rfm.rules.money_unit
        self._say = view.say
        self._withheld = facts.result.totals_withheld

    def values(self) -> dict[str, Any]:
        """What the template needs."""
        facts, say = self._facts, self._say
        rows = len(facts.segments[0][1])
        whole = self._withheld and facts.rfm.form == "centred"
        moved = None if facts.since is None or facts.movement is None else (facts.since, facts.movement)
        return {
            "currency": self._currency,
            "window": self._study.of(CONTRACT).window_days,
            "findings": findings(
                facts.measures,
                facts.segments[0][1],
                moved,
                self._language,
                cuts=facts.rfm.rules.cuts,
                currency=self._currency,
            ),
            "cards": self._cards(),
            "measures": [self._measure(name) for name in MEASURES],
            "measure_notes": [
                say("note_both_margins_share" if self._withheld else "note_both_margins"),
                say("note_strict", factor=f"{strictness(len(MEASURES)):.1f}", count=len(MEASURES)),
                say("note_fifths") if facts.rfm.distributions else say("note_not_asked", origin=self._origin()),
                say(
                    "note_capped_measures",
                    money=self._money_cap(),
                    currency=self._currency,
                    orders=f"{facts.rfm.orders_cap:,}",
                ),
            ],
            "schemes": [self._scheme(scheme, lines) for scheme, lines in facts.segments],
            "segment_notes": [
                say("note_revenue_whole" if whole else "note_revenue_shares"),
                say("note_strict", factor=f"{strictness(2 * rows):.1f}", count=2 * rows),
            ],
            "movement": self._movement(),
            "actions": self._act(),
            "yardstick": self._yardstick(),
            "limits": [*facts.aged(self._language), *self._limits()],
        }

    def _origin(self) -> str:
        """The earlier run whose cut points this one used; empty where it found its own."""
        known = self._study.of(CONTRACT).cut_points
        return known.origin if isinstance(known, KnownCuts) else ""

    def _cards(self) -> list[tuple[str, str, str]]:
        stand, say = self._facts.standing, self._say
        customers = (say("own_customers"), f"{stand.customers:,}", say("own_exact"))
        revenue = (say("own_revenue", currency=self._currency), self._whole(stand.revenue), say("own_exact"))
        if self._withheld:
            return [customers, revenue]
        return [
            customers,
            self._share_card("part_of_customers", stand.share_of_customers, "of_records"),
            revenue,
            self._share_card("part_of_revenue", stand.share_of_revenue, "of_revenue"),
        ]

    def _share_card(self, label: str, share: Estimate | None, below: str) -> tuple[str, str, str]:
        if share is None:
            return (self._say(label), self._say("not_known"), self._say("hidden_by_noise"))
        figure = written(share, self._language, decimals=1, scale=100, unit="%")
        around = beside(figure, self._language)
        return (self._say(label), figure.value, self._say(below, interval=around) if around else "")

    def _measure(self, name: str) -> dict[str, Any]:
        compared, cuts, say = self._facts.measures[name], self._facts.rfm.rules.cuts, self._say
        days = cuts.recency_days[0 if name == "recent_five" else 1]
        money = amount(Decimal(cuts.money[3]) / self._unit, self._digits)
        decimals, scale = (1, 100) if name in SHARES else (decimals_of(name, self._currency), 1)
        own, everyone = compared.own, compared.shown
        exact = shown(
            Estimate(value=own.value, margin=0.0), decimals=decimals, scale=scale
        ).value  # chance takes no digit from a fact
        words = {"higher": "better", "lower": "worse", "alike": "within_noise", "unknown": "not_known"}
        return {
            "name": say(f"name_{name}", days=f"{days:,}", money=money, currency=self._currency),
            "own": Cell(say("you"), exact, shown(own, decimals=decimals, scale=scale).margin),
            "everyone": cell(say("everyone"), everyone, self._language, decimals=decimals, scale=scale),
            "verdict": self._judged("verdict", compared, words),
        }

    def _judged(self, label: str, compared: Compared | None, words: dict[str, str]) -> Judged:
        verdict = compared.verdict if compared is not None else "unknown"
        return Judged(self._say(label), MARKS[verdict], self._say(words[verdict]), verdict)

    def _scheme(self, scheme: SchemeFigures, lines: Sequence[SegmentLine]) -> dict[str, Any]:
        say = self._say
        floor = self._floor(scheme)
        pairs = [
            Pair(segment_name(line.figures, self._language), line.share_of_customers, line.share_of_revenue)
            for line in lines
        ]
        hidden_short = say("suppressed_short", floor=floor)
        picture = partial(compared_shares, pairs, self._language, hidden=hidden_short)
        form = partial(Form, alt=say("picture_compared"), salt=f"{scheme.scheme}-{self._language}")
        hidden = "note_hidden_share" if self._withheld else "note_hidden"
        return {
            "code": scheme.scheme,
            "title": say(f"scheme_{scheme.scheme}"),
            "picture": both(lambda width: picture(form=form(width=width))),
            "rows": [self._segment(scheme, position, line) for position, line in enumerate(lines)],
            "hidden": say(hidden, floor=floor) if any(line.figures.suppressed for line in lines) else "",
        }

    def _floor(self, scheme: SchemeFigures) -> Any:
        """What a segment must reach to be shown, as the page prints it: a count of records, or a share of them."""
        if scheme.least_share is not None:
            return f"{plain(100 * scheme.least_share)}%"
        return max(self._study.of(CONTRACT).floor, 1)

    def _segment(self, scheme: SchemeFigures, position: int, line: SegmentLine) -> dict[str, Any]:
        say = self._say
        words = {"higher": "above", "lower": "below", "alike": "alike", "unknown": "not_shown"}
        customers, revenue = line.share_of_customers, line.share_of_revenue
        return {
            "name": segment_name(line.figures, self._language),
            "definition": definition(scheme.scheme, position, line.figures.code, self._facts.rfm.rules, self._language),
            "customers": Cell(say("column_customers"), f"{line.customers:,}"),
            "share": Cell(say("column_own_share"), _exact_percent(customers)),
            "all_share": released_share(say("column_all_share"), customers, self._language),
            "verdict": self._judged("column_compared", customers, words),
            "revenue": Cell(say("column_revenue", currency=self._currency), self._whole(line.revenue)),
            "revenue_share": Cell(say("column_own_revenue"), _exact_percent(revenue)),
            "all_revenue": released_share(say("column_all_revenue"), revenue, self._language),
            "revenue_verdict": self._judged("column_compared", revenue, words),
        }

    def _movement(self) -> dict[str, Any] | None:
        moves, since, say = self._facts.movement, self._facts.since, self._say
        if moves is None or since is None:
            return None
        new, gone = int(moves.new.sum()), int(moves.gone.sum())
        scheme = self._facts.segments[0][0].scheme
        if moves.changed_own_cuts is not None:
            yard = say("this_cuts", own=f"{moves.changed_own_cuts:,}")
        else:
            yard = say("this_rules" if scheme == "rules" else "same_cuts")
        names = [segment_name(segment, self._language) for segment in moves.segments]
        return {
            "title": say("movement", day=day_text(since, self._language)),
            "lead": say(
                "movement_lead",
                changed=f"{moves.changed:,}",
                both=f"{int(moves.matrix.sum()):,}",
                up=f"{moves.up:,}",
                down=f"{moves.down:,}",
                level=say("movement_level", level=f"{moves.level:,}") if moves.level else "",
                new=f"{new:,}",
                gone=say("movement_gone", gone=f"{gone:,}") if gone else "",
            ),
            "yard": yard,
            "direction": say({"eight": "up_eight", "rules": "up_rules"}.get(scheme, "up_grid")),
            "columns": list(range(1, len(names) + 1)),
            "rows": [
                {
                    "number": position + 1,
                    "name": name,
                    "cells": [
                        (f"{count:,}" if count else "·", shade(count, int(row.sum())), position == other)
                        for other, count in enumerate(row.tolist())
                    ],
                    "gone": f"{left:,}" if left else "·",
                    "total": f"{int(row.sum()) + left:,}",
                }
                for position, (name, row, left) in enumerate(zip(names, moves.matrix, moves.gone.tolist(), strict=True))
            ],
            "new": [f"{count:,}" if count else "·" for count in moves.new.tolist()],
            "new_total": f"{new:,}",
            "totals": [f"{count:,}" for count in (moves.matrix.sum(axis=0) + moves.new).tolist()],
            "any_gone": gone > 0,
            "gone_total": f"{gone:,}",
            "total": f"{len(self._facts.table):,}",
            "lists": [
                (say("fallen"), self._movers(moves.fallen, names)),
                (say("risen"), self._movers(moves.risen, names)),
            ],
        }

    def _movers(self, movers: Sequence[Mover], names: Sequence[str]) -> list[tuple[str, str, str]]:
        return [(m.customer_id, f"{names[m.before]} → {names[m.after]}", self._minor(m.money)) for m in movers]

    def _act(self) -> dict[str, Any]:
        say, facts = self._say, self._facts
        scheme, lines = facts.segments[0]
        columns = facts.table.columns
        index = facts.rfm.rules.assign(scheme.scheme, columns)
        segments = []
        for position, line in enumerate(lines):
            code = line.figures.code
            action = self._actions.of(code)
            words = action.text(self._language) if action else say("act_none", code=code, file=self._file)
            mine = np.flatnonzero(index == position)
            first = mine[np.argsort(-columns.money[mine], kind="stable")][:LISTED]
            share = f"{100 * line.customers / len(facts.table):.1f}"
            segments.append(
                {
                    "name": segment_name(line.figures, self._language),
                    "definition": definition(scheme.scheme, position, code, facts.rfm.rules, self._language),
                    "action": words,
                    "size": say("act_size", count=line.customers, share=share) if line.customers else say("act_empty"),
                    "revenue": say("act_revenue", revenue=self._whole(line.revenue), currency=self._currency)
                    if line.customers
                    else "",
                    "ids": [
                        (
                            str(facts.table.ids[row]),
                            f"{columns.recency_days[row]:,}",
                            f"{columns.orders[row]:,}",
                            self._minor(int(columns.money[row])),
                        )
                        for row in first
                    ],
                }
            )
        unknown = list(self._view.unknown)
        return {
            "lead": say("act_lead", file=self._file, count=LISTED),
            "unknown": say("act_unknown", file=self._file, codes=join(unknown, self._language)) if unknown else "",
            "segments": segments,
        }

    def _yardstick(self) -> dict[str, Any]:
        facts, say = self._facts, self._say
        columns = facts.table.columns
        yard = yardstick(columns, facts.rfm, self._study, scheme=facts.segments[0][0].scheme)
        count = len(columns)
        return {
            "gain": self._gain(yard.lines) if yard.lines else say("gain_not_asked", origin=self._origin()),
            "relabelled": say("relabelled", count=yard.relabelled, share=f"{100 * yard.relabelled / count:.1f}"),
            "rows": [self._cut(line) for line in yard.lines],
            "note": say("yard_note_share" if self._withheld else "yard_note"),
        }

    def _gain(self, lines: Sequence[CutLine]) -> str:
        better = sum(line.together_tighter for line in lines)
        if self._withheld:
            key = "gain_share"
        else:
            key = "gain_all" if better == len(lines) else "gain_some" if better else "gain_none"
        factor = min(line.own_margin / line.everyone_margin for line in lines)
        return self._say(
            key,
            count=len(self._facts.table),
            own=_points(max(line.own_margin for line in lines)),
            all=_points(max(line.everyone_margin for line in lines)),
            factor=f"{factor:.1f}",
            lines=len(lines),
            better=better,
        )

    def _cut(self, line: CutLine) -> dict[str, str]:
        say, percentage = self._say, round(100 * line.rank)
        money = line.feature == "money"
        name = say("yard_money" if money else "yard_days", percent=percentage, currency=self._currency)

        def value(number: float) -> str:
            return (
                amount(Decimal(repr(round(float(number), self._digits))), self._digits) if money else f"{number:,.0f}"
            )

        def interval(ends: tuple[float, float]) -> str:
            # Outwards, so that what is shown still covers what it promises.
            low, high = value(math.floor(ends[0])), value(math.ceil(ends[1]))
            return say("yard_interval", low=low, high=high)

        factor = line.own_margin / line.everyone_margin
        sharper = say("yard_them", factor=f"{factor:.1f}") if line.together_tighter else say("yard_you")
        return {
            "name": name,
            "own": value(line.own),
            "own_range": say("yard_range", interval=interval(line.own_interval), points=_points(line.own_margin)),
            "all": value(line.everyone),
            "all_range": say(
                "yard_range", interval=interval(line.everyone_interval), points=_points(line.everyone_margin)
            ),
            "sharper": sharper if line.comparable else MARKS["unknown"],
        }

    def _limits(self) -> list[str]:
        facts, say, rfm = self._facts, self._say, self._facts.rfm
        money = facts.table.columns.money / self._unit
        above = float(np.maximum(money - rfm.money_cap, 0).sum())
        total = float(np.maximum(money, 0).sum())
        holders = join(list(facts.result.participants), self._language)
        part = facts.standing.share_of_customers
        sentences = [
            say("limit_margin"),
            say("limit_cause"),
            say("limit_who", holders=holders, part=percent(part, self._language))
            if part
            else say("limit_who_unknown", holders=holders),
            say("limit_records", count=facts.result.spending.k),
            say(
                _CAP[rfm.form, self._withheld],
                money=self._money_cap(),
                currency=self._currency,
                share=plain(100 * rfm.revenue_above_cap) if self._withheld else f"{100 * rfm.revenue_above_cap:.1f}",
                own=f"{100 * above / total:.1f}" if total > 0 else "0.0",
            ),
            say("limit_stated" if self._checked else "limit_stated_unchecked"),
        ]
        if len(facts.result.participants) == 2:
            sentences.insert(3, say("limit_two_share" if self._withheld else "limit_two"))
        if self._withheld:
            sentences.append(say("limit_withheld"))
        return sentences

    def _money_cap(self) -> str:
        return amount(Decimal(repr(self._facts.rfm.money_cap)), self._digits)

    def _whole(self, value: float) -> str:
        return grouped(Decimal(repr(value)), 0)

    def _minor(self, value: int) -> str:
        return grouped(Decimal(value).scaleb(-self._digits), self._digits)


def _exact_percent(compared: Compared | None) -> str:
    return f"{100 * compared.own.value:.1f}" if compared else ""


def _points(margin: float) -> str:
    """A rank margin in percentage points, rounded up to the digits that mean something."""
    return shown(Estimate(value=0.0, margin=margin), decimals=2, scale=100).margin


#: What is said of the cap, by how customers were counted, and whether totals are withheld.
_CAP = {
    ("capped", False): "limit_cap",
    ("capped", True): "limit_cap_share",
    ("centred", False): "limit_cap_added",
    ("centred", True): "limit_cap_added_share",
}

#: The sections on segments.
SECTION: Section[OwnSegments] = Section(
    package="clients.analyses.rfm",
    text=text,
    body=lambda view: _Section(view).values(),
)
