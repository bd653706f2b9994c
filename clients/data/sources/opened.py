"""An open source: its rows, and an account of the lines that are none."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from ibis.expr import types as ir
from pydantic import BaseModel, ConfigDict

from clients.data.sources.lines import REASONS
from privacy.errors import DataError


class LeftOut(BaseModel):
    """Lines that are left out for one of ``lines.REASONS``.

    Attributes:
        reason: its name.
        lines: how many.
        file: the first one's file.
        line: the first one's number in that file, from 1.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    reason: str
    lines: int
    file: str
    line: int

    @property
    def why(self) -> str:
        """The reason in words."""
        return next(f"lines {reason.says}" for reason in REASONS if reason.name == self.reason)

    @property
    def says(self) -> str:
        """All in words, for the holder's own screen and log. Nothing of what the lines say."""
        return f"{self.why}: {self.lines:,}, the first at line {self.line} of {self.file}"


class FileLines(BaseModel):
    """What the lines of one file are: ``above + rows + blank + continued`` and those left out.

    Attributes:
        file: its name, as seen from the folder of ``holder.toml``.
        before: lines before the header.
        rows: lines that are records.
        blank: empty lines after the header.
        continued: lines that go on with the record above, inside quotes.
        left_out: by reason.
        has_names: whether one line names the columns.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    file: str
    before: int
    rows: int
    blank: int
    continued: int = 0
    left_out: tuple[LeftOut, ...] = ()
    has_names: bool = True

    @property
    def above(self) -> int:
        """Lines before the first record."""
        return self.before + self.has_names


class Notice(BaseModel):
    """What somebody who looks at a source should know of it; nothing of what rows say.

    Attributes:
        code: which kind of notice.
        text, hint: in words, and what to do.
        is_problem: whether a study's figures would be wrong.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    code: str
    text: str
    hint: str
    is_problem: bool = False


@dataclass(frozen=True, kw_only=True)
class Opened:
    """Rows of a source as one table, read-only.

    Attributes:
        table: the rows.
        files: where the source is files of lines, each of them; else none.
        notices: what is to be known of the source.
        raw: the rows before ``[source.read]``, where they are to be had.
        spell: makes of them what ``table`` is, also where they have more columns.
        cleaned: of several sources put together, the lines as ``cleaned_lines`` has them, cleaned and counted where
            they are; then ``table`` is of these.
    """

    table: ir.Table
    raw: ir.Table | None = None
    spell: Callable[[ir.Table], ir.Table] = field(default=lambda table: table, repr=False)
    files: tuple[FileLines, ...] = ()
    notices: tuple[Notice, ...] = ()
    cleaned: ir.Table | None = None

    @property
    def left_out(self) -> tuple[LeftOut, ...]:
        """Lines left out in all files, by reason, in the order of ``REASONS``."""
        return left_out(self.files)

    def check_rows(self, rows: int) -> None:
        """Whether a query saw as many rows as there are records in the files' lines.

        Raises:
            DataError: if not; then what the query says is not to be used.
        """
        records = sum(item.rows for item in self.files)
        if self.files and rows != records:
            more = f" and {len(self.files) - 1:,} more" if len(self.files) > 1 else ""
            raise DataError(
                f"{self.files[0].file}{more}: {rows:,} rows were read from {records:,} lines",
                hint="is a file being written? try again when it is; else report this",
            )


def read_as(
    raw: ir.Table,
    spell: Callable[[ir.Table], ir.Table],
    *,
    files: Iterable[FileLines] = (),
    notices: Iterable[Notice] = (),
) -> Opened:
    """An open source from its rows and how they are read."""
    return Opened(table=spell(raw), raw=raw, spell=spell, files=tuple(files), notices=tuple(notices))


_UNLIKE = (
    "write the name that the files have under [columns]; where some call it otherwise both: "
    'customer = ["ID", "Cust No"]; '
    "files of another kind may be a source of their own, by [[sources]]"
)


class ColumnsMissing(DataError):
    """Mapped columns that files lack, or name twice: one sentence for each.

    Attributes:
        sentences: with nothing that the files say.
        for_screen: the same for the holder's own eyes, with what the files have instead.
    """

    def __init__(self, sentences: Iterable[str], for_screen: Iterable[str] = ()) -> None:
        self.sentences = tuple(sentences)
        self.for_screen = tuple(for_screen) or self.sentences
        super().__init__("\n".join(self.sentences), hint=_UNLIKE)


def left_out(files: Iterable[FileLines]) -> tuple[LeftOut, ...]:
    """Lines left out in several files, by reason."""
    found: dict[str, LeftOut] = {}
    for item in (item for file in files for item in file.left_out):
        first = found.get(item.reason)
        found[item.reason] = first.model_copy(update={"lines": first.lines + item.lines}) if first else item
    return tuple(found[reason.name] for reason in REASONS if reason.name in found)
