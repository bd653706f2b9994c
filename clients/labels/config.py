"""``labels.toml``: where labels are written, beside ``holder.toml``. Without it, CSV files in ``labels/``.

It holds no password: it says in which environment variable or owner-only file one is.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import ConfigDict, Field, StringConstraints, field_validator, model_validator

from privacy.kernel.canonical import Noun, read_toml

NAME = "labels.toml"
_Text = Annotated[str, StringConstraints(min_length=1, max_length=1000)]
_PART = r"[A-Za-z_][A-Za-z0-9_]{0,39}"


class FileTarget(Noun):
    """Files of one format in one folder.

    Attributes:
        format: ``csv`` or ``parquet``.
        folder: relative to the folder of ``labels.toml``.
        separator: CSV only: between columns. Excel expects ``;`` where its language writes decimal commas.
        decimal: CSV only: the decimal sign of money.
        ids: CSV only: ``exact``, or ``excel``: written as ``="007"``, which Excel shows as the text 007.
        changed_only: only customers who are new or changed their segment.
        segment: only customers of this segment.
    """

    format: Literal["csv", "parquet"] = "csv"
    folder: _Text = "labels"
    separator: Literal[",", ";", "\t"] = ","
    decimal: Literal[".", ","] = "."
    ids: Literal["exact", "excel"] = "exact"
    changed_only: bool = False
    segment: str | None = Field(default=None, pattern=r"^([a-z]{1,20}:)?[a-z][a-z0-9_]{0,39}$")

    @model_validator(mode="after")
    def _signs_differ(self) -> Self:
        if self.separator == self.decimal:
            raise ValueError('separator and decimal are the same sign; with decimal = "," take separator = ";"')
        if self.format != "csv" and (self.separator, self.decimal, self.ids) != (",", ".", "exact"):
            raise ValueError("separator, decimal and ids are for CSV only")
        return self

    @property
    def whole(self) -> bool:
        """Whether all customers are written, and not those of some segments."""
        return not self.changed_only and self.segment is None


class DatabaseTarget(Noun):
    """Tables of one database, through a connection of their own.

    Attributes:
        url: ``duckdb://path`` (relative to the folder of ``labels.toml``; ``duckdb:///path`` is absolute) or
            ``postgresql://user@host:port/database``. Never with a password.
        table: the current labels are in this view, all labels in ``<table>_history``; churn scores in
            ``<table>_churn`` and ``<table>_churn_history``; ``schema.table`` where there are schemas.
        password_env: the environment variable that holds the password.
        password_file: a file that holds it, readable by its owner only; relative to the folder of ``labels.toml``.
    """

    model_config = ConfigDict(hide_input_in_errors=True)

    url: _Text
    table: str = Field(default="rfm_labels", pattern=rf"^({_PART}\.)?{_PART}$")
    password_env: str | None = Field(default=None, pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,99}$")
    password_file: _Text | None = None

    @field_validator("url")
    @classmethod
    def _known_and_without_password(cls, value: str) -> str:
        scheme, mark, rest = value.partition("://")
        if not mark or scheme not in ("duckdb", "postgresql", "postgres") or not rest:
            raise ValueError("write duckdb://path or postgresql://user@host:port/database")
        if scheme != "duckdb" and (
            ":" in rest.partition("?")[0].rpartition("@")[0] or re.search(r"[?&]\w*password=", rest, re.IGNORECASE)
        ):
            raise ValueError(
                "a password does not belong in the URL; take it out, change it if this file was shared, and name "
                'where it is: password_env = "NAME" or password_file = "path", or PGPASSFILE'
            )
        return value

    @model_validator(mode="after")
    def _one_password(self) -> Self:
        if self.password_env is not None and self.password_file is not None:
            raise ValueError("password_env and password_file are both given; give one of them")
        return self

    @property
    def scheme(self) -> str:
        """``duckdb`` or ``postgresql``."""
        return "duckdb" if self.url.startswith("duckdb:") else "postgresql"


class ContactSettings(Noun):
    """How long the list of customers to contact is.

    Attributes:
        call: how many can be called: the first ones.
        write: how many can be written to: the next ones.
        control: the share of both that is left alone, to see what the list brings, 0 to 0.5; 0.3 of less than 3,000
            names and 0.1 of more where nothing is stated.
    """

    call: int = Field(default=300, ge=0, le=1_000_000)
    write: int = Field(default=1200, ge=0, le=10_000_000)
    control: float | None = Field(default=None, ge=0, le=0.5)


class Labels(Noun):
    """``labels.toml``, read with ``read_labels_config``.

    Attributes:
        contacts: ``[contacts]``.
        file: ``[[file]]``; one CSV target where not stated.
        database: ``[[database]]``.
    """

    model_config = ConfigDict(hide_input_in_errors=True)

    contacts: ContactSettings = ContactSettings()
    file: tuple[FileTarget, ...] = (FileTarget(),)
    database: tuple[DatabaseTarget, ...] = ()

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        files = [(item.folder, item.format, item.changed_only, item.segment) for item in self.file]
        tables = [(item.url, item.table) for item in self.database]
        if len(set(files)) < len(files) or len(set(tables)) < len(tables):
            raise ValueError("two targets write to the same place")
        return self


def read_labels_config(root: Path) -> Labels:
    """``labels.toml`` of a holder's folder; the defaults where there is none.

    Raises:
        ConfigError: if it is wrong.
    """
    path = root / NAME
    return read_toml(path, Labels) if path.exists() else Labels()
