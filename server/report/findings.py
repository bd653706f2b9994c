"""What a run spent, in sentences; everything here is computed from a result, nothing is assumed."""

from __future__ import annotations

import math

from privacy.presentation.numbers import delta_text, epsilon_text, plain
from privacy.presentation.texts import Language
from privacy.results import Spending, StudyResult
from server.analysis.texts import text


def spent_sentence(spending: Spending, language: Language) -> str:
    """What the run spent for one person, and what was promised."""
    return text(
        "spent_sentence",
        language,
        count=spending.k,
        person=epsilon_text(spending.epsilon_person),
        promised=plain(spending.epsilon_promised),
        delta=delta_text(spending.delta),
    )


def all_runs_sentences(result: StudyResult, language: Language) -> list[str]:
    """What all runs so far spent for one person, and why that is not the sum; empty without earlier runs."""
    spending = result.spending
    total = spending.epsilon_all_runs
    if not result.earlier or total is None:
        return []
    sentences = [
        text(
            "all_runs",
            language,
            studies=spending.studies,
            total=epsilon_text(total),
            delta=delta_text(spending.delta),
        )
    ]
    single = math.fsum([spending.epsilon_person, *(run.epsilon_person for run in result.earlier)])
    # The ledger may hold studies of other names as well; then the single epsilons known here are not all of them.
    if spending.studies != len(result.earlier) + 1:
        sentences.append(text("all_runs_why", language))
    elif total < single:
        sentences.append(text("all_runs_sum", language, sum=epsilon_text(single)))
    return sentences


def guess_sentence(spending: Spending, language: Language) -> str:
    """What the spending means for someone who guesses whether one person's records are in the data."""
    return text(
        "guess_sentence",
        language,
        guess=f"{100 * spending.best_guess:.1f}",
        guess_promised=f"{100 * spending.best_guess_promised:.1f}",
    )


def describe_spending(spending: Spending, lang: Language) -> str:
    """What a run spent and what that means, in a few plain sentences.

    Args:
        spending: what was spent, from ``StudyResult.spending``.
        lang: ``en`` or ``zh``.
    """
    sentences = [spent_sentence(spending, lang)]
    if spending.epsilon_all_holders > spending.epsilon_person:
        sentences.append(text("all_sentence", lang, all_holders=epsilon_text(spending.epsilon_all_holders)))
    if spending.epsilon_own < spending.epsilon_person:
        sentences.append(text("own_sentence", lang, own=epsilon_text(spending.epsilon_own)))
    sentences.append(guess_sentence(spending, lang))
    return text("sentence_gap", lang).join(sentences)
