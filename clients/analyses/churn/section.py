"""The holder's churn section in one language: values for the template ``holder_churn.html.j2``."""

from __future__ import annotations

import datetime as dt
import math
from decimal import Decimal
from typing import Any

from clients.analyses.churn import pictures
from clients.analyses.churn.bands import CERTAIN, Band
from clients.analyses.churn.own import AtRisk, BandLine, OwnChurn, PlaceLine
from clients.analyses.churn.quality import Ranked
from clients.analyses.churn.texts import text
from clients.analysis import HolderView
from clients.analysis.comparison import compare
from clients.labels.control import PARTS, seen_from
from privacy.analyses.churn import CONTRACT
from privacy.analyses.churn.ageing import Ageing
from privacy.analyses.churn.shown import shown as shown_churn
from privacy.figures.estimates import Estimate
from privacy.figures.ranking import ListFigures, RankingFigures
from privacy.kernel.terms import minor_digits
from privacy.presentation.cells import Cell, cell
from privacy.presentation.numbers import Shown, day_text, grouped, plain, shown
from privacy.presentation.pages import inline
from privacy.presentation.texts import of_its_own
from privacy.section import Section

#: Figures of a ranking with their decimals.
_FIGURES = {"auc": 3, "average_precision": 3, "top_lift": 2}
#: Bands that are called high.
_HIGH = 2
#: With more churned customers than others the end of the list is worth as much as its head.
_MOST = 0.5


class _Section:
    def __init__(self, view: HolderView[OwnChurn]) -> None:
        self._own = view.figures
        self._actions = view.actions
        self._study = view.result.study
        self._language = view.language
        self._file = view.actions_file
        self._digits = minor_digits(self._study.currency)
        self._say = view.say

    def values(self) -> dict[str, Any]:
        own, say, options = self._own, self._say, self._study.of(CONTRACT)
        as_of = self._day(self._study.as_of)
        if own.scored:
            lead = say(
                "churn_lead",
                days=options.horizon_days,
                as_of=as_of,
                count=own.scored,
                active=options.active_days,
            )
        else:
            lead = say("churn_nobody", as_of=as_of, active=options.active_days)
        return {
            "lead": lead,
            "away": say("churn_lead_away", away=f"{own.away:,}") if own.away else "",
            "cards": self._cards(),
            "findings": self._findings(),
            "quality": self._quality() if own.rankings else None,
            "bands": [self._band(line) for line in own.bands] if own.scored else [],
            "picture_bands": inline(pictures.bands(self._shares(), self._language)) if own.scored else "",
            "notes_bands": [
                *filter(None, [self._corrected()]),
                say("churn_note_value"),
                say("churn_note_actions", file=self._file),
            ],
            "places": [self._place(line) for line in own.places] if own.names else [],
            "notes_places": self._notes_places(),
            "list_lead": say("churn_list_lead", count=len(own.listed), name=f"{self._study.name}-…-churn"),
            "listed": [self._listed(item) for item in own.listed],
            "notes_list": [say("churn_note_act_by", days=options.horizon_days), say("churn_note_expected")],
            "limits": [
                say(f"churn_limit_{name}") for name in ("cause", "reasons", "drift", "records", "people", "stated")
            ],
        }

    # --- headline --------------------------------------------------------------------------------------------------

    def _high(self) -> tuple[int, int]:
        """Customers in the bands that are called high, and their money."""
        lines = self._own.bands[:_HIGH]
        return sum(line.customers for line in lines), sum(line.money for line in lines)

    def _money(self) -> int:
        return sum(line.money for line in self._own.bands)

    def _cards(self) -> list[tuple[str, str, str]]:
        own, say, currency = self._own, self._say, self._study.currency
        count, _ = self._high()
        model = own.rankings.get("model")
        cards = [(say("churn_scored"), f"{own.scored:,}", say("own_exact"))]
        if own.scored:
            cards += [
                (say("churn_high"), self._share(count, own.scored), say("churn_high_below", count=count)),
                (
                    say("churn_at_risk", currency=currency),
                    self._whole(sum(line.at_risk for line in own.bands)),
                    say("churn_at_risk_below", money=self._whole(self._money())),
                ),
            ]
        cards.append(
            (
                say("churn_own_list", part=self._length()),
                self._of_100(model.listed.rate).value if model else say("churn_not_known"),
                say("churn_own_list_below", all=self._of_100(model.figures.churn_rate).value)
                if model
                else say("churn_too_few"),
            )
        )
        return cards

    def _findings(self) -> list[str]:
        own, say = self._own, self._say
        sentences = []
        model = own.rankings.get("model")
        if model is None:
            sentences.append(say("churn_find_too_few", count=own.tested))
        else:
            sentences.append(self._against(model))
            if model.figures.stayed is not None and model.figures.churn_rate.value > _MOST:
                sentences.append(self._end(model.figures.stayed))
        if own.scored:
            count, money = self._high()
            total = self._money()
            key = "churn_find_money" if total > 0 else "churn_find_money_plain"
            sentences.append(
                say(
                    key,
                    count=count,
                    share=self._percent(count, own.scored),
                    money=self._whole(money),
                    currency=self._study.currency,
                    part=self._percent(money, total),
                )
            )
        if own.aged is not None:
            sentences.append(self._aged(own.aged))
        if own.since is not None:
            sentences.append(
                say("churn_find_moved", day=self._day(own.since), risen=f"{own.risen:,}", fallen=f"{own.fallen:,}")
            )
        if model is not None:
            sentences.append(self._level(model.figures))
        return sentences[:6]

    def _aged(self, found: Ageing) -> str:
        """Whether the model has aged on the holder's own customers since the day of its first test."""
        kind = "ranks" if found.ranks_worse else "level" if found.has_moved else "none"
        auc, listed = shown(found.auc, decimals=3), shown(found.listed, decimals=1, scale=100)
        level = shown(found.level, decimals=2) if found.level is not None else None
        return self._say(
            f"churn_find_aged_{kind}",
            day=self._day(dt.date.fromisoformat(found.since.test_day)),
            auc=self._say("value_with_margin", value=auc.value, margin=auc.margin),
            listed=self._say("value_with_margin", value=listed.value, margin=listed.margin),
            level=self._say("value_with_margin", value=level.value, margin=level.margin)
            if level is not None
            else self._say("churn_not_known"),
        )

    def _corrected(self) -> str:
        """What the shown probabilities are corrected by; empty where they are the model's."""
        found = self._own.result.recalibration
        if found is None or not found.shift:
            return ""
        return self._say("churn_note_corrected", shift=f"{found.shift:+.2f}")

    def _against(self, model: Ranked) -> str:
        """The model's list against the best that the holder has without it."""
        others = [item for code, item in self._own.rankings.items() if code != "model"]
        best = max(others, key=lambda item: item.listed.rate.value)
        gain = model.gain_on_list(best)
        verdict = "tie" if abs(gain.value) <= gain.margin else "better" if gain.value > 0 else "worse"
        value, margin = shown(gain, decimals=1, scale=100)
        return self._say(
            f"churn_find_{verdict}",
            part=self._length(),
            other=self._say(f"churn_by_{best.figures.code}"),
            count=self._of_100(model.listed.rate).value,
            rest=self._of_100(best.listed.rate).value,
            all=self._of_100(model.figures.churn_rate).value,
            gain=self._say("value_with_margin", value=value, margin=margin),
        )

    def _end(self, stayed: ListFigures) -> str:
        """Who is least at risk, as a number of customers: as exact as all of this page."""
        listed = round(stayed.part * self._own.tested)
        bought = round(stayed.rate.value * listed)
        return self._say("churn_find_end", part=self._length(), listed=f"{listed:,}", bought=f"{bought:,}")

    def _length(self) -> str:
        return plain(100 * float(self._study.of(CONTRACT).list_share), 3)

    def _of_100(self, rate: Estimate) -> Shown:
        possible = Estimate(value=min(max(rate.value, 0.0), 1.0), margin=rate.margin)
        return shown(possible, decimals=0, scale=100)

    def _level(self, figures: RankingFigures) -> str:
        predicted = sum(point.predicted * point.share for point in figures.calibration)
        off = predicted - figures.churn_rate.value
        verdict = "good" if abs(off) <= figures.churn_rate.margin else "high" if off > 0 else "low"
        found = self._own.result.recalibration
        corrected = "_corrected" if found is not None and found.shift and verdict != "good" else ""
        return self._say(
            f"churn_find_level_{verdict}{corrected}",
            predicted=f"{100 * predicted:.1f}",
            observed=f"{100 * figures.churn_rate.value:.1f}",
        )

    # --- quality ---------------------------------------------------------------------------------------------------

    def _quality(self) -> dict[str, Any]:
        own, say = self._own, self._say
        test = dt.date.fromisoformat(own.result.test_day)
        end = test + dt.timedelta(days=self._study.of(CONTRACT).horizon_days - 1)
        everyone = shown_churn(own.result)
        released = {"model": everyone.quality} | {item.code: item for item in everyone.baselines}
        model = own.rankings["model"].figures
        return {
            "lead": say("churn_quality_lead", day=self._day(test), end=self._day(end), count=own.tested),
            "columns": [one.label for one in self._figures(model, None)],
            "rows": [
                (say(f"churn_by_{code}"), self._figures(item.figures, released.get(code)))
                for code, item in own.rankings.items()
            ],
            "notes": [
                say("churn_note_margins"),
                say("churn_note_figures", rate=plain(model.churn_rate.value, 2)),
                say("churn_note_formulas"),
                say("churn_note_intervals", days=f"{own.typical_days:,.0f}"),
                self._beside(model),
            ],
            "picture": inline(pictures.calibration(model.calibration, own.result.quality.calibration, self._language)),
        }

    def _figures(self, mine: RankingFigures, everyone: RankingFigures | None) -> list[Cell]:
        part = float(self._study.of(CONTRACT).list_share)
        shared = everyone.on_list(part) if everyone is not None else None
        titles = {name: self._say(f"churn_{name}") for name in _FIGURES}
        cells = [
            *self._pair(
                self._say("churn_on_list", part=self._length()),
                self._of_100(mine.on_list(part).rate),
                shared.rate if shared is not None and math.isclose(shared.part, part) else None,
                (0, 100),
            )
        ]
        for name, decimals in _FIGURES.items():
            released = getattr(everyone, name) if everyone is not None else None
            exact = getattr(mine, name)
            value = shown(Estimate(value=exact.value, margin=0.0), decimals=decimals).value
            chance = shown(exact, decimals=decimals).margin
            cells += self._pair(titles[name], Shown(value, chance), released, (decimals, 1))
        return cells

    def _pair(self, title: str, mine: Shown, everyone: Estimate | None, form: tuple[int, int]) -> tuple[Cell, Cell]:
        """One's own figure beside the consortium's; ``form`` is the decimals and the scale of the latter."""
        label = self._say("churn_everyones", figure=title)
        other = cell(label, everyone, self._language, decimals=form[0], scale=form[1])
        return Cell(self._say("churn_yours", figure=title), *mine), other

    def _beside(self, model: RankingFigures) -> str:
        """Whether the model does better here than for all."""
        total = self._own.result.customers.value
        weight = min(self._own.tested / total, 1.0) if total > 0 else 0.0
        verdict = compare(model.auc, self._own.result.quality.auc, weight=weight, comparisons=1).verdict
        if verdict not in ("higher", "lower"):
            return self._say("churn_note_same")
        return self._say(
            "churn_note_same_kind", word=self._say("churn_word_better" if verdict == "higher" else "churn_word_worse")
        )

    # --- bands and list --------------------------------------------------------------------------------------------

    def _shares(self) -> list[tuple[str, float, float | None]]:
        total = self._money()
        return [
            (
                f"{self._name(line.band)} · {self._range(line.band)}",
                line.customers / self._own.scored,
                line.money / total if total > 0 else None,
            )
            for line in self._own.bands
        ]

    def _band(self, line: BandLine) -> dict[str, Any]:
        say, currency, total = self._say, self._study.currency, self._money()
        action = self._actions.of(line.band.code)
        return {
            "name": self._name(line.band),
            "range": self._range(line.band),
            "cells": [
                Cell(say("churn_customers"), f"{line.customers:,}"),
                Cell(say("churn_share"), self._percent(line.customers, self._own.scored)),
                Cell(say("churn_money", currency=currency), self._whole(line.money)),
                Cell(say("churn_part"), self._percent(line.money, total) if total > 0 else ""),
                Cell(say("churn_value", currency=currency), self._whole(line.at_risk)),
            ],
            "action": action.text(self._language) if action else say("act_none", code=line.band.code, file=self._file),
        }

    def _place(self, line: PlaceLine) -> dict[str, Any]:
        say, currency = self._say, self._study.currency
        return {
            "name": say(f"churn_place_{line.place}"),
            "cells": [
                Cell(say("churn_customers"), f"{line.customers:,}"),
                Cell(say("churn_money", currency=currency), self._whole(line.money)),
                Cell(say("churn_value", currency=currency), self._whole(line.at_risk)),
            ],
        }

    def _notes_places(self) -> list[str]:
        """What the control group is, and what it can show of those who are contacted."""
        own, say = self._own, self._say
        notes = [say("churn_note_places", command="cohortium holder contacts", file="labels.toml")]
        chosen = own.places[:-1]
        if own.names and own.share:
            stay = sum(line.stay * line.customers for line in chosen) / own.names
            seen = 100 * seen_from(own.names, own.share, stay)
            part = f"{100 * own.share / PARTS:g}%"
            notes.append(say("churn_note_control", part=part, names=f"{own.names:,}", points=f"{seen:.1f}"))
        return notes

    def _name(self, band: Band) -> str:
        return of_its_own(band, self._language)

    def _range(self, band: Band) -> str:
        codes = [line.band for line in self._own.bands]
        place = codes.index(band)
        low = plain(100 * band.low / CERTAIN)
        if place == 0:
            return self._say("churn_band_top", low=low)
        high = plain(100 * codes[place - 1].low / CERTAIN)
        return (
            self._say("churn_band_range", low=low, high=high) if band.low else self._say("churn_band_bottom", high=high)
        )

    def _listed(self, item: AtRisk) -> dict[str, Any]:
        say, currency = self._say, self._study.currency
        change = f" ({100 * item.change / CERTAIN:+.0f})" if item.change is not None else ""
        return {
            "id": item.customer_id,
            "reason": of_its_own(item.reason, self._language) if item.reason else "",
            "cells": [
                Cell(say("churn_probability"), f"{100 * item.probability / CERTAIN:.0f}{change}"),
                Cell(say("churn_money", currency=currency), self._whole(item.money)),
                Cell(say("churn_value", currency=currency), self._whole(item.at_risk)),
                Cell(say("churn_silent"), f"{item.recency_days:,}"),
                Cell(
                    say("churn_act_by"),
                    item.act_by.isoformat() if item.act_by > self._study.as_of else say("churn_at_once"),
                ),
                Cell(say("churn_expected"), item.expected.isoformat() if item.expected else say("churn_never")),
            ],
        }

    # --- numbers ---------------------------------------------------------------------------------------------------

    def _day(self, day: dt.date) -> str:
        return day_text(day, self._language)

    def _percent(self, part: int, whole: int) -> str:
        return f"{100 * part / whole:.1f}" if whole > 0 else "0.0"

    def _share(self, part: int, whole: int) -> str:
        return f"{self._percent(part, whole)}%"

    def _whole(self, minor: int) -> str:
        return grouped(Decimal(minor).scaleb(-self._digits), 0)


#: The section on churn.
SECTION: Section[OwnChurn] = Section(
    package="clients.analyses.churn",
    text=text,
    body=lambda view: _Section(view).values(),
)
