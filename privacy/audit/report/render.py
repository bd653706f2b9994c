"""From records and a verdict to the page."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Sequence
from functools import cache, partial
from typing import Any

from privacy.accounting.sampled import guess_with
from privacy.analyses.catalogue import NAMES
from privacy.audit.budget_words import budget_in_words
from privacy.audit.findings import Verdict
from privacy.audit.report.texts import claim_text, text
from privacy.audit.timeline import Story, StudySum, Sum
from privacy.errors import ConfigError
from privacy.kernel.version import software_version
from privacy.ledger.state import Total
from privacy.presentation.numbers import day_text, delta_text, epsilon_text, plain
from privacy.presentation.pages import render_page
from privacy.presentation.texts import LANGUAGE_TAGS, LANGUAGES, Language, Text, read_texts
from privacy.presentation.texts import say as say_text

Say = partial[str]


def render_audit(stories: Sequence[Story], verdict: Verdict, *, made: dt.date) -> str:
    """The report as one self-contained HTML page in English and Chinese.

    Args:
        stories: what each record tells.
        verdict: of ``audit verify`` on the same records.
        made: the day that stands in it.

    Raises:
        ConfigError: if no record is a holder's: only holders have a budget for life.
    """
    holders = sorted((story for story in stories if story.role == "holder"), key=lambda story: story.owner)
    if not holders:
        raise ConfigError(
            "none of these records is a holder's", hint="only holders keep a budget for life; add a bundle"
        )
    return render_page(
        "report.html.j2",
        package="privacy.audit.report",
        pages=[_Page(stories, holders, verdict, made, language).values() for language in LANGUAGES],
        subject=next((story.federation for story in stories if story.federation), "audit"),
        style="report.css",
    )


class _Page:
    """The page's values in one language."""

    def __init__(
        self, stories: Sequence[Story], holders: list[Story], verdict: Verdict, made: dt.date, language: Language
    ) -> None:
        self._stories = stories
        self._holders = holders
        self._verdict = verdict
        self._made = made
        self._language = language
        self._say: Say = partial(_text, language=language)
        self._most = max(holders, key=lambda story: story.epsilon(story.for_a_person(story.total.own)))
        self._spent = self._most.for_a_person(self._most.total.own)

    def values(self) -> dict[str, Any]:
        say = self._say
        guess = self._guess(self._spent)
        failed = [claim for claim in self._verdict.claims if claim.verdict == "FAIL"]
        count = len(self._verdict.claims)
        return {
            "title": say("title"),
            "language": self._language,
            "tag": LANGUAGE_TAGS[self._language],
            "t": say,
            "facts": self._facts(),
            "passed": not failed,
            "verdict": say("verdict_fail", failed=len(failed), count=count)
            if failed
            else say("verdict_pass", count=count),
            "plain": self._plain(guess),
            "cards": self._cards(guess),
            "warnings": [
                say("warn_80", holder=story.owner) for story in self._holders if any(cap.warn for cap in story.caps())
            ],
            "budget": self._budget(),
            "picture": self._picture(),
            "analyses": self._analyses(),
            "studies": self._studies(),
            "refused": self._refused(),
            "notes": [note for note in self._verdict.notes if " refused study " not in note],
            "failures": [f"{claim.about}: {claim.claim}: {claim.why}" for claim in failed],
            "checked": self._checked(),
            "accountants": self._accountants(),
            **self._annexes(guess),
            "footer": say("footer_report", version=software_version()),
        }

    # --- the report ----------------------------------------------------------------------------------------------

    def _facts(self) -> list[tuple[str, str]]:
        say = self._say
        days = [day for story in self._stories for day in story.days]
        between = say("no_charges")
        if days:
            between = f"{day_text(min(days), self._language)} – {day_text(max(days), self._language)}"
        names = say("separator").join(story.owner for story in self._stories)
        federation = next((story.federation for story in self._stories if story.federation), "–")
        return [
            (say("federation"), federation),
            (say("records"), say("of_members", count=len(self._stories), names=names)),
            (say("period"), between),
            (say("made"), day_text(self._made, self._language)),
        ]

    def _guess(self, total: Total) -> str:
        return f"{100 * guess_with(total.squared_mu, total.fits):.1f}"

    def _plain(self, guess: str) -> list[str]:
        say, most = self._say, self._most
        sentences = [say("plain_guess", count=most.counted, guess=guess)]
        if words := budget_in_words(most.left(), self._language):
            sentences.append(say("plain_left", holder=most.owner, words=words))
        return [*sentences, *self._person(), say("plain_forever"), say("plain_not")]

    def _person(self) -> list[str]:
        """One person over all records together, in a sentence."""
        say, person = self._say, self._verdict.person
        if person is None:
            return []
        fields = {
            "holders": say("separator").join(person.holders),
            "count": person.k,
            "spent": epsilon_text(person.epsilon),
            "delta": delta_text(person.delta),
            "cap": "–" if person.cap is None else plain(person.cap),
        }
        sentences = [say("plain_person" if person.exact else "plain_person_bound", **fields)]
        if person.missing:
            sentences.append(say("plain_person_missing", missing=say("separator").join(person.missing)))
        return sentences

    def _cards(self, guess: str) -> list[tuple[str, str, str]]:
        say, most = self._say, self._most
        spent = epsilon_text(most.epsilon(self._spent))
        used = (say("card_spent"), spent, "")
        for cap in most.caps()[:1]:
            of = say("card_used_of", spent=spent, cap=plain(most.most_for_life(cap)), delta=delta_text(cap.delta))
            used = (say("card_used"), f"{100 * cap.used:.0f}%", of)
        studies = {digest for story in self._stories for digest in story.studies}
        refused = sum(len(story.declined) for story in self._stories)
        return [
            used,
            (say("card_guess"), f"{guess}%", say("card_guess_blind")),
            (say("card_studies"), str(len(studies)), say("card_questions", count=most.total.questions)),
            (say("card_refused"), str(refused), say("card_refused_note")),
        ]

    def _budget(self) -> dict[str, Any]:
        say = self._say
        rows = []
        for story in self._holders:
            caps = story.caps()
            life = next((cap for cap in caps if cap.until is None), None)
            period = next((cap for cap in caps if cap.until is not None), None)
            left = story.left()
            in_period = say("no_period")
            if period is not None and period.until is not None:
                in_period = say(
                    "period_cell",
                    spent=epsilon_text(period.spent),
                    cap=plain(period.epsilon),
                    until=day_text(period.until, self._language),
                )
            rows.append(
                [
                    story.owner,
                    f"{plain(life.epsilon)} (δ {delta_text(life.delta)})" if life else "–",
                    str(story.counted),
                    *self._relations(story, story.total),
                    f"{100 * life.used:.0f}%" if life else "–",
                    f"{left.fit_life:,}" if left else "–",
                    in_period,
                ]
            )
        heads = [
            say(key)
            for key in ("holder", "cap", "counted", "person", "own", "everywhere", "used", "left", "this_period")
        ]
        return {"heads": heads, "rows": rows}

    def _relations(self, story: Story, total: Sum) -> list[str]:
        values = (story.for_a_person(total.own), total.own, story.everywhere(total.own))
        return [epsilon_text(story.epsilon(value)) for value in values]

    def _picture(self) -> Any:
        if not self._most.days:
            return None
        from privacy.audit.report.picture import over_time
        from privacy.presentation.pictures import both

        return both(lambda width: over_time(self._most, self._language, width))

    def _analyses(self) -> dict[str, Any]:
        say, most = self._say, self._most
        rows = [
            [_called("analysis", name, self._language), str(total.questions), *self._relations(most, total)]
            for name, total in sorted(most.analyses.items())
        ]
        heads = [say(key) for key in ("analysis", "questions", "person", "own", "everywhere")]
        return {"caption": say("analyses_caption", holder=most.owner), "heads": heads, "rows": rows}

    def _studies(self) -> dict[str, Any]:
        say = self._say
        seen: dict[str, tuple[Story, StudySum]] = {}
        for story in (*self._holders, *self._stories):
            for digest, study in story.studies.items():
                if digest not in seen or study.size > seen[digest][1].size:
                    seen[digest] = (story, study)
        rows = []
        for digest, (story, study) in sorted(seen.items(), key=lambda item: (item[1][1].first, item[1][1].name)):
            shown = next((s.shown[digest] for s in self._stories if digest in s.shown), None)
            how = say(f"noise_{study.placement}")
            approved = any(s.state.decisions.get(digest) == "approved" for s in self._stories)
            rows.append(
                [
                    f"{study.name} {shown.as_of}" if shown else study.name,
                    day_text(study.first, self._language),
                    str(study.questions),
                    # beside the promise, which is at the study's own delta
                    epsilon_text(
                        study.person.epsilon(float(shown.budget.effective_delta))
                        if shown
                        else story.epsilon(study.person)
                    ),
                    plain(float(shown.budget.epsilon)) if shown else "–",
                    str(study.records),
                    say("separator").join(study.holders),
                    say("noise_float", how=how) if study.assurance == "float" else how,
                    say("permission_approved") if approved else say("permission_policy"),
                ]
            )
        keys = ("study_name", "asked", "questions", "person", "promised", "k", "holders", "noise", "permission")
        return {"heads": [say(key) for key in keys], "rows": rows}

    def _refused(self) -> dict[str, Any]:
        from privacy.audit.budget import day_of

        say = self._say
        rows = [
            [story.owner, fact.study, fact.code, day_text(day_of(fact.time), self._language)]
            for story in self._holders
            for fact in story.declined
        ]
        return {"heads": [say(key) for key in ("holder", "study_name", "code", "day")], "rows": rows}

    def _checked(self) -> dict[str, Any]:
        say = self._say
        passed: Counter[str] = Counter()
        failed: Counter[str] = Counter()
        for claim in self._verdict.claims:
            (passed if claim.verdict == "PASS" else failed)[claim.claim] += 1
        names = list(dict.fromkeys(claim.claim for claim in self._verdict.claims))
        rows = [[claim_text(name, self._language), str(passed[name]), str(failed[name])] for name in names]
        return {"heads": [say(key) for key in ("claim", "passed", "failed")], "rows": rows}

    def _accountants(self) -> dict[str, Any]:
        say = self._say

        def shown(value: float | None) -> str:
            return say("not_asked") if value is None else epsilon_text(value)

        rows = [
            [
                spent.owner,
                str(spent.charges),
                epsilon_text(spent.epsilon),
                shown(spent.epsilon_pld),
                shown(spent.epsilon_prv),
            ]
            for spent in self._verdict.spent
        ]
        return {
            "heads": [say("record"), say("questions"), say("closed_form"), "dp_accounting PLD", "Opacus PRV"],
            "rows": rows,
        }

    # --- annexes -------------------------------------------------------------------------------------------------

    def _annexes(self, guess: str) -> dict[str, Any]:
        say, most = self._say, self._most
        comma = say("separator")
        used = sorted({name for story in self._stories for name in story.analyses})
        analyses = comma.join(_called("analysis", name, self._language) for name in used) or say("none")
        labels = comma.join(_called("labels", name, self._language) for name in used) or say("none")
        studies = comma.join(sorted({study.name for story in self._stories for study in story.studies.values()}))
        cap = next(iter(most.caps()), None)
        names = comma.join(story.owner for story in self._holders)
        federation = next((story.federation for story in self._stories if story.federation), "–")
        fields = {
            "count": len(self._holders),
            "analyses": analyses,
            "studies": studies or say("none"),
            "names": names,
            "federation": federation,
            "spent": epsilon_text(most.epsilon(self._spent)),
            "cap": plain(most.most_for_life(cap)) if cap else "–",
            "guess": guess,
            "everywhere": epsilon_text(most.epsilon(most.everywhere(most.total.own))),
            "labels": labels,
        }

        def rows(*keys: str) -> list[tuple[str, str]]:
            return [(say(f"row_{key}"), say(f"row_{key}_text", **fields)) for key in keys]

        return {
            "gdpr_records": rows("controller", "purpose", "subjects", "recipients", "retention", "measures"),
            "gdpr_dpia": rows("purpose", "necessity", "risks", "measures", "residual"),
            "gdpr_profiling": rows("profiling", "decisions"),
            "pipl_pia": [
                *rows("legal", "purpose", "risks"),
                (say("row_protection"), say("row_measures_text")),
                *rows("keep"),
            ],
            "pipl_auto": [(say("row_profiling"), labels), *rows("transparency")],
        }


def _text(key: str, *, language: Language, **fields: object) -> str:
    return text(key, language, **fields)


def _called(what: str, name: str, language: Language) -> str:
    """What an analysis' room calls the analysis, or its labels; its bare name where it is not installed here."""
    return say_text(_words_of(name), what, language) if name in NAMES else name


@cache
def _words_of(name: str) -> dict[str, Text]:
    return read_texts(f"privacy.analyses.{name}", "words.toml")
