"""The holder's section on clusters in one language: values for the template ``holder_clusters.html.j2``."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from clients.analyses.clusters.own import LISTED, ClusterLine, ClusterMoves, Listed, OwnClusters, action_code
from clients.analyses.clusters.suggestions import suggestions
from clients.analyses.clusters.texts import text
from clients.analysis import HolderView
from clients.analysis.cells import MARKS, Judged, released_share, shade
from clients.analysis.comparison import Compared
from clients.analysis.pictures import Pair, Share, compared_shares
from privacy.analyses.clusters import CONTRACT
from privacy.analyses.clusters.words import cluster_words
from privacy.figures.estimates import Estimate, strictness
from privacy.kernel.features import FEATURES, MISSING, FeatureName
from privacy.kernel.terms import minor_digits
from privacy.presentation.cells import Cell
from privacy.presentation.features import feature_heading, feature_value
from privacy.presentation.numbers import day_text, grouped
from privacy.presentation.pictures import Form, Width, both
from privacy.presentation.words import percent
from privacy.section import Section

#: Units in which a raw value is what people read.
_WHOLE = ("days", "orders")
_WORDS = {"higher": "above", "lower": "below", "alike": "alike", "unknown": "not_shown"}
#: Findings about single clusters.
_TOLD = 2


class _Section:
    def __init__(self, view: HolderView[OwnClusters]) -> None:
        self._own = view.figures
        self._actions = view.actions
        self._study = view.result.study
        self._language = view.language
        self._file = view.actions_file
        self._digits = minor_digits(self._study.currency)
        self._say = view.say
        self._words = cluster_words(
            self._own.result.figures, view.language, options=self._study.of(CONTRACT), currency=self._study.currency
        )
        self._suggested = suggestions(self._own.result.figures, view.language, lists=self._study.of(CONTRACT).lists)
        self._with_money = any(line.money is not None for line in self._own.lines)

    def values(self) -> dict[str, Any]:
        own, say, study = self._own, self._say, self._study
        active = study.of(CONTRACT).active_days
        as_of = day_text(self._study.as_of, self._language)
        lists = study.of(CONTRACT).lists
        lead = say("groups_lead", count=own.counted, as_of=as_of)
        return {
            "lead": lead if own.counted else say("groups_nobody", active=f"{active:,}", as_of=as_of),
            "away": say("groups_away", away=f"{own.away:,}", active=f"{active:,}") if own.away else "",
            "findings": self._findings() if own.counted else [],
            "picture": both(self._picture) if own.counted else None,
            "rows": [self._row(line) for line in own.lines],
            "notes": self._notes(),
            "movement": self._movement(own.moves) if own.moves else None,
            "no_movement": "" if own.moves else say("groups_not_comparable"),
            "act_lead": say("groups_act_lead", file=self._file, order=self._order()),
            "columns": [
                feature_heading(name, self._language, currency=study.currency, of=lists.value_of(name))
                for name in own.features
            ],
            "actions": [self._action(line) for line in own.lines],
            "limits": [say(f"groups_limit_{name}") for name in ("borders", "cause", "ids")],
        }

    def _name(self, line: ClusterLine) -> str:
        return self._say("groups_named", id=line.figures.id, words=self._words[line.figures.id])

    # --- shares --------------------------------------------------------------------------------------------------

    def _findings(self) -> list[str]:
        own, say = self._own, self._say
        sure = [line for line in own.lines if line.share_of_customers.verdict in ("higher", "lower")]
        sure.sort(key=lambda line: -abs(line.share_of_customers.strength))
        sentences = []
        for line in sure[:_TOLD]:
            compared = line.share_of_customers
            if compared.shown is None:
                continue
            key = "groups_more" if compared.verdict == "higher" else "groups_fewer"
            sentences.append(
                say(
                    key,
                    cluster=self._name(line),
                    own=_points(compared.own.value),
                    all=percent(compared.shown, self._language),
                )
            )
        if not sure:
            sentences.append(say("groups_same"))
        total = sum(line.money or 0 for line in own.lines)
        if self._with_money and total > 0:
            first = max(own.lines, key=lambda line: line.money or 0)
            sentences.append(
                say(
                    "groups_money",
                    cluster=self._name(first),
                    customers=_points(first.customers / own.counted),
                    revenue=_points((first.money or 0) / total),
                )
            )
        if own.moves is not None:
            sentences.append(
                say(
                    "groups_moved",
                    day=day_text(own.moves.since, self._language),
                    changed=f"{own.moves.changed:,}",
                    both=f"{int(own.moves.matrix.sum()):,}",
                    new=f"{int(own.moves.new.sum()):,}",
                )
            )
        return sentences

    def _picture(self, width: Width) -> str:
        pairs = [
            Pair(
                self._say("groups_name", id=line.figures.id),
                line.share_of_customers,
                line.share_of_revenue,
            )
            for line in self._own.lines
        ]
        shares: tuple[Share, ...] = ("customers", "revenue") if self._with_money else ("customers",)
        form = Form(alt=self._say("groups_picture"), salt=f"groups-{self._language}", width=width)
        return compared_shares(pairs, self._language, hidden=self._say("groups_hidden"), form=form, shares=shares)

    def _row(self, line: ClusterLine) -> dict[str, Any]:
        say, customers, revenue = self._say, line.share_of_customers, line.share_of_revenue
        cells = [
            Cell(say("column_customers"), f"{line.customers:,}"),
            Cell(say("column_own_share"), _points(customers.own.value)),
            released_share(say("column_all_share"), customers, self._language),
        ]
        money = []
        if line.money is not None:
            own = _points(revenue.own.value) if revenue else ""
            money = [
                Cell(say("column_revenue", currency=self._study.currency), self._whole(line.money)),
                Cell(say("column_own_revenue"), own),
                released_share(say("column_all_revenue"), revenue, self._language),
            ]
        return {
            "name": say("groups_name", id=line.figures.id),
            "words": self._words[line.figures.id],
            "cells": cells,
            "verdict": self._judged(customers),
            "money": money,
            "money_verdict": self._judged(revenue) if money else None,
        }

    def _judged(self, compared: Compared | None) -> Judged:
        verdict = compared.verdict if compared is not None else "unknown"
        return Judged(self._say("column_compared"), MARKS[verdict], self._say(_WORDS[verdict]), verdict)

    def _notes(self) -> list[str]:
        own, say = self._own, self._say
        count = len(own.lines) * (2 if self._with_money else 1)
        notes = [say("groups_note_margin", factor=f"{strictness(count):.1f}", count=count)]
        if self._with_money:
            notes.append(say("groups_note_revenue"))
        if own.border:
            share = _points(own.border / own.counted)
            notes.append(say("groups_note_border", count=own.border, share=share))
        return notes

    # --- movement ------------------------------------------------------------------------------------------------

    def _movement(self, moves: ClusterMoves) -> dict[str, Any]:
        say = self._say
        new, gone = int(moves.new.sum()), int(moves.gone.sum())
        names = [self._words.get(number, say("groups_vanished")) for number in moves.ids]
        return {
            "title": say("groups_movement", day=day_text(moves.since, self._language)),
            "lead": say(
                "groups_movement_lead",
                changed=f"{moves.changed:,}",
                both=f"{int(moves.matrix.sum()):,}",
                gone=say("groups_gone", gone=f"{gone:,}") if gone else "",
            ),
            "why": self._why(moves),
            "columns": moves.ids,
            "rows": [
                {
                    "number": number,
                    "name": name,
                    "cells": [
                        (_count(count), shade(count, int(row.sum())), place == other)
                        for other, count in enumerate(row.tolist())
                    ],
                    "gone": _count(left),
                    "total": f"{int(row.sum()) + left:,}",
                }
                for place, (number, name, row, left) in enumerate(
                    zip(moves.ids, names, moves.matrix, moves.gone.tolist(), strict=True)
                )
            ],
            "new": [_count(count) for count in moves.new.tolist()],
            "new_total": f"{new:,}",
            "totals": [f"{count:,}" for count in (moves.matrix.sum(axis=0) + moves.new).tolist()],
            "any_gone": gone > 0,
            "gone_total": f"{gone:,}",
            "total": f"{self._own.counted:,}",
        }

    def _why(self, moves: ClusterMoves) -> str:
        rest = moves.changed - moves.by_themselves
        if not moves.changed:
            return ""
        if not rest:
            return self._say("groups_movement_own")
        return self._say("groups_movement_why", own=f"{moves.by_themselves:,}", rest=f"{rest:,}")

    # --- actions -------------------------------------------------------------------------------------------------

    def _order(self) -> str:
        return self._say("groups_by_money" if self._with_money else "groups_by_distance", count=LISTED)

    def _action(self, line: ClusterLine) -> dict[str, Any]:
        say, code = self._say, action_code(line.figures.id)
        action = self._actions.of(code)
        share = _points(line.customers / self._own.counted) if self._own.counted else "0.0"
        return {
            "name": say("groups_name", id=line.figures.id),
            "words": self._words[line.figures.id],
            "action": action.text(self._language)
            if action
            else self._suggested.get(line.figures.id) or say("act_none", code=code, file=self._file),
            "size": say("act_size", count=line.customers, share=share) if line.customers else say("act_empty"),
            "revenue": say("act_revenue", revenue=self._whole(line.money), currency=self._study.currency)
            if line.customers and line.money is not None
            else "",
            "ids": [(item.customer_id, self._values(item)) for item in line.listed],
        }

    def _values(self, item: Listed) -> list[str]:
        return [self._value(name, raw) for name, raw in zip(self._own.features, item.values, strict=True)]

    def _value(self, name: FeatureName, raw: int) -> str:
        if raw == MISSING:
            return "–"
        if FEATURES[name].unit in _WHOLE:
            return f"{raw:,}"
        unit = 10**self._digits if FEATURES[name].money else 1
        return feature_value(name, Estimate(value=raw / unit, margin=0.0), currency=self._study.currency).value

    def _whole(self, minor: int) -> str:
        return grouped(Decimal(minor).scaleb(-self._digits), 0)


def _points(share: float) -> str:
    return f"{100 * share:.1f}"


def _count(count: int) -> str:
    return f"{count:,}" if count else "·"


#: The section on clusters.
SECTION: Section[OwnClusters] = Section(
    package="clients.analyses.clusters",
    text=text,
    body=lambda view: _Section(view).values(),
)
