"""Answers to what cannot be guessed: given beforehand, or asked for, and asked for again where they cannot be used."""

from __future__ import annotations

import difflib
import json
from collections.abc import Callable, Mapping
from dataclasses import replace

from clients.data.guess.nouns import ROLES, Guess, Guessed, Question, answered, open_questions
from privacy.errors import ConfigError

#: Times that one question is asked before its answers are given up.
_ATTEMPTS = 3


def settled(guess: Guess, given: Mapping[str, str], ask: Callable[[Question], str] | None) -> Guess:
    """The guess with all answers, in which an answer may raise the next question.

    Args:
        guess: what was found.
        given: answers known beforehand, by key: ``currency``, ``columns.time``, ``read.price.decimal``.
        ask: called with every other open question; None takes the best guesses.

    Raises:
        ConfigError: if an answer cannot be used; what was answered before is in its hint.
    """
    for key, answer in given.items():
        guess = _given(guess, key, answer)
    said: dict[str, str] = {}
    while ask is not None and (question := _next(guess, said)) is not None:
        guess, said[question.key] = _asked(guess, question, ask, said)
    return guess


def _next(guess: Guess, said: Mapping[str, str]) -> Question | None:
    return next((question for question in open_questions(guess) if question.key not in said), None)


def _given(guess: Guess, key: str, answer: str) -> Guess:
    """An answer that nobody was asked for."""
    role = key.removeprefix("columns.")
    if role in ROLES and (key != role or role != "currency"):
        return _with_column(guess, role, answer)
    if key == "currency":
        columns = {name: item for name, item in guess.columns.items() if name != "currency"}
        return replace(answered(guess, Question(key=key, text=""), answer), columns=columns)
    question = next((item for item in open_questions(guess) if item.key == key), None)
    if question is not None:
        return answered(guess, question, answer)
    if not key.startswith("read."):
        roles = (f"columns.{name}" for name in ROLES)
        names = ", ".join(["currency", *roles, "read.time.formats", "read.price.decimal"])
        raise ConfigError(f"there is nothing called {key!r} to answer", hint=f"there is: {names}")
    return guess  # it is known already


def _with_column(guess: Guess, role: str, name: str) -> Guess:
    if name not in guess.names:
        near = difflib.get_close_matches(name, guess.names, n=3) or list(guess.names[:20])
        raise ConfigError(f"columns.{role}: the source has no column {name!r}", hint=f"there is: {', '.join(near)}")
    columns = {other: item for other, item in guess.columns.items() if item.value != name}
    instead = {"amount": ("order_amount", "quantity", "price"), "order_amount": ("amount", "quantity", "price"),
               "price": ("amount", "order_amount"), "quantity": ("amount", "order_amount")}  # fmt: skip
    for other in instead.get(role, ()):
        columns.pop(other, None)
    columns[role] = Guessed(value=name, confidence=1.0, reason="you said so")
    return replace(guess, columns={other: columns[other] for other in ROLES if other in columns})


def _asked(
    guess: Guess, question: Question, ask: Callable[[Question], str], said: Mapping[str, str]
) -> tuple[Guess, str]:
    text, attempts = question.text, 0
    while True:
        answer, attempts = ask(replace(question, text=text)), attempts + 1
        try:
            return answered(guess, question, answer), answer
        except ConfigError as error:
            if attempts == _ATTEMPTS:
                raise ConfigError(error.message, hint=_kept(said) or error.hint) from None
            text = f"{error.message}. {question.text}"


def _kept(said: Mapping[str, str]) -> str:
    """How to give the same answers again."""
    keys = {key: f"columns.{key}" if key in ROLES and key != "currency" else key for key in said}
    options = (f"--set {keys[key]}={json.dumps(answer, ensure_ascii=False)}" for key, answer in said.items())
    return f"your answers so far: {' '.join(options)}" if said else ""
