"""Answers to what cannot be guessed: given beforehand, or asked for, and asked for again where they cannot be used."""

from __future__ import annotations

import contextlib
import difflib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from clients.data.guess.nouns import ROLES, Guess, Guessed, Question, answered, formats, open_questions
from clients.data.guess.spelled import key_of
from privacy.errors import CohortiumError, ConfigError

_DECIMALS = tuple(key_of(role) for role in ("amount", "order_amount", "price", "quantity"))
#: Times that one question is asked before its answers are given up.
_ATTEMPTS = 3


@dataclass(frozen=True)
class Kept:
    """Answers that were taken, so that nobody has to think of them again.

    Attributes:
        answers: by the key of ``--set``.
        prefix: the name of the source that they are of, where there are several.
    """

    answers: dict[str, str] = field(default_factory=dict)
    prefix: str = ""

    def under(self, name: str) -> Kept:
        """The same, of one of several sources."""
        return Kept(self.answers, f"{name}.")

    def add(self, key: str, answer: str) -> None:
        """Keep an answer."""
        option = f"columns.{key}" if key in ROLES and key != "currency" else key
        self.answers[self.prefix + option] = answer

    def __str__(self) -> str:
        """As options of the command; empty where there are none."""
        return " ".join(f"--set {key}={json.dumps(one, ensure_ascii=False)}" for key, one in self.answers.items())


@contextlib.contextmanager
def not_lost(kept: Kept) -> Iterator[None]:
    """Whatever is refused in here also says how to give the answers again that were taken before."""
    try:
        yield
    except CohortiumError as error:
        if kept.answers:
            error.hint = f"{error.hint}; your answers so far: {kept}".removeprefix("; ")
        raise


def settled(
    guess: Guess, given: Mapping[str, str], ask: Callable[[Question], str] | None, kept: Kept | None = None
) -> Guess:
    """The guess with all answers, in which an answer may raise the next question.

    Args:
        guess: what was found.
        given: answers known beforehand, by key: ``currency``, ``columns.time``, ``read.price.decimal``.
        ask: called with every other open question; None takes the best guesses.
        kept: answers are kept there as they are taken.

    Raises:
        ConfigError: if an answer cannot be used.
    """
    for key, answer in given.items():
        guess = _given(guess, key, answer)
    said: dict[str, str] = {}
    while ask is not None and (question := _next(guess, said)) is not None:
        guess, said[question.key] = _asked(guess, question, ask)
        if kept is not None:
            kept.add(question.key, said[question.key])
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
    if key == key_of("time"):
        return replace(guess, chosen={**guess.chosen, key: formats(answer)})
    if key in _DECIMALS:
        if answer not in (".", ","):
            raise ConfigError(f"{key} is . or ,", hint=f'such as --set {key}=","')
        return replace(guess, chosen={**guess.chosen, key: answer})
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


def _asked(guess: Guess, question: Question, ask: Callable[[Question], str]) -> tuple[Guess, str]:
    text, attempts = question.text, 0
    while True:
        answer, attempts = ask(replace(question, text=text)), attempts + 1
        try:
            return answered(guess, question, answer), answer
        except ConfigError as error:
            if attempts == _ATTEMPTS:
                raise
            text = f"{error.message}. {question.text}"
