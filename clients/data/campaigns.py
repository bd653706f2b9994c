"""Who was on a list, in which arm, from which day on: one owner-only file a campaign, replaced whole."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from privacy.errors import ConfigError, DataError
from privacy.private_files import private_file

#: A row a customer: ``since`` is the day from which on the list was worked through.
ROWS = pa.schema(
    {"customer_id": pa.string(), "source_id": pa.string(), "place": pa.string(), "control": pa.bool_(),
     "since": pa.date32()}
)  # fmt: skip
_METADATA = b"campaign"


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Campaign:
    """A list that was drawn up.

    Attributes:
        code: what it is called.
        study: whose cleaning, currency and time zone its purchases are read with; None for the usual ones.
        share: of the list that is left alone, in thousandths.
        table: see :data:`ROWS`; each customer once.
    """

    code: str
    study: str | None
    share: int
    table: pa.Table

    @classmethod
    def begun(cls, code: str, study: str | None, share: int) -> Self:
        """One with nobody in it."""
        return cls(code=code, study=study, share=share, table=ROWS.empty_table())

    def joined(self, drawn: pa.Table, day: dt.date) -> Self:
        """With those who are on the list and were not yet, from a day on; nobody who was there moves.

        Args:
            drawn: with ``customer_id``, ``source_id``, ``place`` and ``control``, drawn with this campaign's share.
            day: when it is begun to be worked through.
        """
        there = pc.is_in(drawn["customer_id"], value_set=self.table["customer_id"].combine_chunks())
        new = drawn.filter(pc.invert(there)).select(ROWS.names[:-1])
        new = new.append_column(ROWS.field("since"), pa.repeat(pa.scalar(day, pa.date32()), len(new)))
        return replace(self, table=pa.concat_tables([self.table, new.cast(ROWS)]).combine_chunks())

    def without(self, mask: pa.ChunkedArray | pa.Array) -> Self:
        """Without some of its rows."""
        return replace(self, table=self.table.filter(pc.invert(mask)))

    def save(self, folder: Path) -> None:
        """Write it, readable by its owner only, whole or not at all."""
        about = {"code": self.code, "study": self.study, "share": self.share}
        table = self.table.replace_schema_metadata({_METADATA: json.dumps(about).encode()})
        with private_file(path_of(folder, self.code)) as target:
            pq.write_table(table, target, compression="zstd")

    @classmethod
    def load(cls, folder: Path, code: str) -> Self:
        """Read it.

        Raises:
            ConfigError: if there is none of that name.
            DataError: if the file is not what was written.
        """
        path = path_of(folder, code)
        if not path.exists():
            raise ConfigError(f"there is no campaign {code!r} here", hint=_known(folder))
        try:
            table = pq.read_table(path)
            about = json.loads((table.schema.metadata or {})[_METADATA])
            table = table.replace_schema_metadata(None).cast(ROWS)
            return cls(code=about["code"], study=about["study"], share=int(about["share"]), table=table)
        except (pa.ArrowException, OSError, KeyError, ValueError, TypeError) as error:
            raise DataError(
                f"{path.name} is not what was written ({type(error).__name__})",
                hint="put it back from a backup, or delete it: what became of that list is then not told",
            ) from None


def path_of(folder: Path, code: str) -> Path:
    """The file of a campaign in a holder's folder."""
    return folder / "state" / "campaigns" / f"{code}.parquet"


def campaigns(folder: Path) -> tuple[str, ...]:
    """Codes of all campaigns of a holder's folder, the newest file last."""
    found: Iterable[Path] = (folder / "state" / "campaigns").glob("*.parquet")
    return tuple(path.stem for path in sorted(found, key=lambda path: (path.stat().st_mtime_ns, path.name)))


def everybody_listed(folder: Path) -> Iterator[pa.Table]:
    """The rows of every campaign."""
    for code in campaigns(folder):
        yield Campaign.load(folder, code).table


def forget_in_campaigns(folder: Path, of: Callable[[pa.Table], pa.ChunkedArray | pa.Array]) -> tuple[str, ...]:
    """Take a person out of every campaign; codes of those where there was anything to take.

    Args:
        folder: the holder's.
        of: which rows of a table with ``customer_id`` and ``source_id`` are the person's.
    """
    found = []
    for code in campaigns(folder):
        kept = Campaign.load(folder, code)
        mask = of(kept.table)
        if pc.any(mask).as_py():
            kept.without(mask).save(folder)
            found.append(code)
    return tuple(found)


def _known(folder: Path) -> str:
    codes = campaigns(folder)
    if not codes:
        return "`cohortium holder contacts` begins one"
    return f"there are: {', '.join(codes)}"
