"""What a guess is, what it leaves open, and how an answer changes it."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from pydantic import ValidationError

from clients.data.config import HolderConfig
from clients.data.guess.confidence import CONFIDENCE, SURE
from clients.data.guess.names import common_codes
from clients.data.guess.spelled import SEVERAL, OpenColumn, Spelled, Spellings, key_of
from clients.data.place import CsvFormat, Status
from clients.data.reading import ReadId, ReadTime
from privacy.errors import ConfigError, DataError
from privacy.kernel.canonical import describe_validation

ROLES = (
    "customer", "order", "time", "amount", "order_amount", "quantity", "price", "currency",
    "product", "channel", "store", "discount",
)  # fmt: skip
_COMMON = ("EUR", "USD", "GBP", "CNY")
#: An answer to the question for the order's id.
NO_ORDER_IDS = "none: an order is all that a customer buys on one day"


@dataclass(frozen=True, kw_only=True)
class Guessed:
    """One guess.

    Attributes:
        value: a column, currency, zone or format.
        confidence: 0 to 1.
        reason: why, in words that name columns but show nothing of the rows.
        alternatives: other values that might be meant, the likeliest first.
    """

    value: str
    confidence: float
    reason: str
    alternatives: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class States:
    """What the values of a column say of rows.

    Attributes:
        status: as it stands in ``[source.status]``.
        reason: why, in words that name the column.
    """

    status: Status
    reason: str


@dataclass(frozen=True, kw_only=True)
class Question:
    """What could not be guessed.

    Attributes:
        key: ``table``, a role such as ``order``, ``currency``, or a setting such as ``read.time.formats``.
        text: the question.
        choices: possible answers; empty where anything may be given.
        default: the best guess; None where there is none.
    """

    key: str
    text: str
    choices: tuple[str, ...] = ()
    default: str | None = None


@dataclass(frozen=True, kw_only=True)
class Guess:
    """What a source probably is.

    Attributes:
        holder, url, table: as they go into ``holder.toml``.
        password: ``password_env`` or ``password_file``, as given.
        names: all columns of the source.
        columns: by role; quantity and price, or amount, never all three. Without ``order`` an order is all that a
            customer buys on one day.
        currency_code: the currency of all rows, where there is no currency column.
        currencies: codes found in the currency column.
        time_zone: what times without a zone mean.
        csv: how CSV files are written; None for other sources. With the reasons for its fields.
        spellings: what is known of how columns are spelled.
        chosen: answers about that, by key.
        also: other names that columns have in some of the files.
        twice: names that the source has more than once: their first column is written with ``_0``.
        filled: columns that later lines of an order leave empty.
        goods: columns that all of these lines have.
        ids, ids_reason: how spellings of one customer id are brought together, and why; None: as every id.
        states: which rows are sales, and why; none where all are.
        unsure_states: columns that may say so, with values that are not known.
        money_choices: columns that may hold amounts.
        notes: more that a reader of the file should know.
    """

    holder: str
    url: str
    table: str | None
    password: Mapping[str, str]
    names: tuple[str, ...]
    columns: Mapping[str, Guessed]
    currency_code: Guessed | None
    currencies: tuple[str, ...]
    time_zone: Guessed
    csv: CsvFormat | None = None
    csv_reasons: Mapping[str, Guessed] = field(default_factory=dict)
    spellings: Spellings = field(default_factory=Spellings)
    chosen: Mapping[str, str] = field(default_factory=dict)
    also: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    filled: tuple[str, ...] = ()
    goods: tuple[str, ...] = ()
    twice: frozenset[str] = frozenset()
    ids: ReadId | None = None
    ids_reason: str = ""
    states: tuple[States, ...] = ()
    unsure_states: tuple[States, ...] = ()
    money_choices: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def spelled(self) -> tuple[dict[str, Spelled], tuple[OpenColumn, ...]]:
        """How columns are spelled, by role, where a run must be told; and those for which that is open."""
        columns = {role: item.value for role, item in self.columns.items()}
        return self.spellings.of(columns, self.currency_code.value if self.currency_code else None, self.chosen)

    @property
    def csv_form(self) -> CsvFormat | None:
        """How CSV files are written, with what is known of the columns."""
        if self.csv is None:
            return None
        down = tuple(role for role, item in self.columns.items() if item.value in self.filled)
        return self.csv.model_copy(update={"fill_down": down, "goods": self.goods if down else ()})

    def names_of(self, role: str) -> str | list[str]:
        """The column of a role, with other names that it has."""
        name = self.columns[role].value
        if name in self.twice:
            return f"{name}_0"
        return [name, *self.also[name]] if name in self.also else name

    def config(self) -> HolderConfig:
        """The guess as a ``HolderConfig``.

        Raises:
            DataError: if something is missing that cannot be guessed.
            ConfigError: if a value cannot be written.
        """
        missing = [question for question in open_questions(self) if question.default is None]
        if missing:
            advice = "give --currency, or " if any(question.key == "currency" for question in missing) else ""
            raise DataError(
                f"{self.url}: this cannot be guessed:\n" + "\n".join(f"  {question.text}" for question in missing),
                hint=f"{advice}run without --yes to be asked, or answer with "
                + " ".join(_as_option(question, self.spellings.unread) for question in missing),
            )
        source: dict[str, Any] = {"url": self.url, "time_zone": self.time_zone.value} | dict(self.password)
        if self.table:
            source["table"] = self.table
        if self.currency_code is not None:
            source["currency_code"] = self.currency_code.value
        elif self.currencies:
            source["currencies"] = self.currencies
        if (csv := self.csv_form) is not None:
            source["csv"] = csv
        source["read"] = {role: item.read for role, item in self.spelled()[0].items()}
        if self.ids is not None:
            source["read"] |= {"customer": self.ids}
        if self.states:
            source["status"] = [found.status for found in self.states]
        columns = {role: self.names_of(role) for role in self.columns}
        try:
            return HolderConfig.model_validate({"holder": self.holder, "source": source, "columns": columns})
        except ValidationError as problem:
            raise ConfigError(
                f"these answers do not go together:\n{describe_validation(problem)}", hint="answer once more"
            ) from None


def _as_option(question: Question, unread: Iterable[str]) -> str:
    """How a question is answered beforehand."""
    key = f"columns.{question.key}" if question.key in ROLES and question.key != "currency" else question.key
    such = {"currency": "USD", key_of("time"): '"%d.%m.%Y %H:%M"'}.get(key)
    first = next(iter(question.choices), "...")
    likely = first if key.startswith("read.") or first in unread else "..."
    return f"--set {key}={such or json.dumps(likely, ensure_ascii=False)}"


_WHAT = {
    "customer": "Which column is the customer's id?",
    "time": "Which column says when the order was placed?",
    "order": "Which column is the order's (receipt's) id, the same on all lines of one order?",
}


def open_questions(guess: Guess) -> tuple[Question, ...]:
    """What is not sure, with choices; a question without a default has no answer that could be guessed."""
    questions = []
    used = {item.value for item in guess.columns.values()}
    for role, text in _WHAT.items():
        found = guess.columns.get(role)
        if found is None or found.confidence < SURE:
            rest = [name for name in guess.names if name not in used]
            first = [found.value, *found.alternatives] if found else []
            likely = sorted(rest, key=lambda name: name not in guess.spellings.unread) if role == "time" else rest
            none = [NO_ORDER_IDS] if role == "order" else []
            choices = tuple(dict.fromkeys([*first, *none, *likely]))
            default = next(iter([*first, *none]), None)
            note = guess.spellings.unread_of(role) if found is None else ""
            questions.append(Question(key=role, text=text + note, choices=choices, default=default))
    money = [guess.columns[role] for role in ("amount", "quantity", "price") if role in guess.columns]
    if "order_amount" not in guess.columns and (not money or min(item.confidence for item in money) < SURE):
        choices = tuple(dict.fromkeys([*(item.value for item in money), *guess.money_choices]))
        questions.append(
            Question(
                key="amount",
                text="Which column is the money of a line? R, F and M need money: add it where the rows come from, if "
                f"none of the {len(guess.names):,} columns is." + guess.spellings.unread_of("amount"),
                choices=choices,
                default=money[0].value if len(money) == 1 else None,
            )
        )
    code = guess.currency_code
    if "currency" not in guess.columns and (code is None or code.confidence < SURE):
        questions.append(
            Question(
                key="currency",
                text="In which currency are all amounts (three letters, such as EUR)?",
                choices=_COMMON,
                default=code.value if code else None,
            )
        )
    for item in guess.spelled()[1]:
        questions.append(Question(key=item.key, text=item.text, choices=tuple(item.choices)))
    return tuple(questions)


def _doubted(guess: Guess, given: Guessed) -> Guessed:
    """A currency that somebody says, less sure where names of columns, or signs beside amounts, say another."""
    known, doubt = guess.currency_code, ""
    if (
        known is not None
        and known.confidence >= CONFIDENCE["a currency in a column's name"]
        and known.value != given.value
    ):
        doubt = f"{known.reason} says {known.value}"
    money = [guess.columns[role].value for role in ("amount", "order_amount", "price") if role in guess.columns]
    for name in money:
        codes = common_codes(sign for sign in name if unicodedata.category(sign) == "Sc")
        if codes and given.value not in codes:
            doubt = doubt or f"the name of the column {json.dumps(name, ensure_ascii=False)} has another sign"
    if not doubt:
        return given
    confidence = CONFIDENCE["a currency against signs"]
    return replace(given, reason=f"{given.reason}; but {doubt}", confidence=confidence)


def formats(answer: str) -> str:
    """Formats of times as somebody writes them.

    Raises:
        ConfigError: if they are none.
    """
    try:
        ReadTime(formats=tuple(answer.split(SEVERAL)))
    except ValidationError as problem:
        raise ConfigError(
            f"these are no formats of times:\n{describe_validation(problem)}",
            hint="such as %d.%m.%Y %H:%M, iso or epoch_ms; several with ' | ' between them",
        ) from None
    return answer


def answered(guess: Guess, question: Question, answer: str) -> Guess:
    """The guess with a question answered.

    Raises:
        ConfigError: if the answer is none of the choices (any three letters will do for a currency).
    """
    given = Guessed(value=answer, confidence=1.0, reason="you said so")
    if question.key == "currency":
        code = answer.strip().upper()
        if not re.fullmatch("[A-Z]{3}", code):
            raise ConfigError("a currency has three letters", hint="such as EUR, USD, GBP or CNY")
        return replace(guess, currency_code=_doubted(guess, replace(given, value=code)))
    if question.key == key_of("time") and answer not in question.choices:
        answer = formats(answer)
    elif answer not in question.choices:
        raise ConfigError(f"{answer!r} is none of the choices", hint=", ".join(question.choices))
    if question.key.startswith("read."):
        return replace(guess, chosen={**guess.chosen, question.key: answer})
    columns = dict(guess.columns)
    if question.key == "amount":
        columns.pop("order_amount", None)
        columns.pop("quantity", None)
        columns.pop("price", None)
    if answer == NO_ORDER_IDS:
        columns.pop("order", None)
        return replace(guess, columns=columns)
    for role in [role for role, item in columns.items() if item.value == answer]:
        del columns[role]
    columns[question.key] = given
    return replace(guess, columns={role: columns[role] for role in ROLES if role in columns})
