"""How holders of a generated world keep their feeds: own files, own column names, own spellings, and dirt."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from privacy.kernel.feeds import FEEDS, FeedName
from simulations.worlds.dirt import MISSING_IDS, visitor_ids
from simulations.worlds.feeds import UNLISTED
from simulations.worlds.holders import GeneratedHolder


def write_feeds(
    rng: np.random.Generator,
    holder: GeneratedHolder,
    home: Path,
    frames: Mapping[FeedName, pd.DataFrame],
    rows: pd.DataFrame,
    as_of: dt.date,
) -> None:
    """Write clean feeds with dirt into a holder's folder, and append what they are to its ``holder.toml``.

    Args:
        rows: its purchases with person and customer, for the ids.
    """
    ids = ids_of(holder, frames, rows)
    text: list[str] = []
    values: list[str] = []
    for name, frame in frames.items():
        dirty = _with_dirt(rng, frame.assign(customer=ids[frame["person"]].to_numpy()).drop(columns="person"), as_of)
        for role in [role for role, what in FEEDS[name].items() if what.kind in ("text", "stage") and role in dirty]:
            dirty[role], spelled = _spelled(holder, dirty[role])
            if spelled:
                lines = "\n".join(f'"{own}" = "{key}"' for key, own in spelled.items())
                values.append(f"\n[values.{name}.{role}]\n{lines}\n")
        columns = {role: _column(holder, name, role) for role in map(str, dirty)}
        text.append(_store(holder, home, name, _printed(holder, name, dirty).rename(columns=columns)))
        named = ", ".join(f'{role} = "{column}"' for role, column in columns.items())
        text.append(f"columns = {{{named}}}\n")
    with (home / "holder.toml").open("a", encoding="utf-8") as file:
        file.write("".join([*text, *values]))


def ids_of(holder: GeneratedHolder, frames: Mapping[FeedName, pd.DataFrame], rows: pd.DataFrame) -> pd.Series:
    """The holder's id of every person in its purchases or feeds."""
    ids = rows.drop_duplicates("person").set_index("person")["customer"]
    persons = np.unique(np.concatenate([frame["person"] for frame in frames.values()]))
    lookers = persons[~np.isin(persons, ids.index)]
    every: pd.Series = pd.concat([ids, pd.Series(visitor_ids(holder, rows, len(lookers)), index=lookers)])
    return every


def _with_dirt(rng: np.random.Generator, frame: pd.DataFrame, as_of: dt.date) -> pd.DataFrame:
    """Rows without an id (most visits of real web shops), after the as-of day, with ``.0`` behind ids, unlisted."""
    nobody = frame.sample(frac=0.3, random_state=rng)
    nobody = nobody.assign(customer=rng.choice(np.array(MISSING_IDS, dtype=object), len(nobody)))
    parts = [frame, nobody]
    if "time" in frame:
        late = frame.sample(n=min(9, len(frame)), random_state=rng)
        parts.append(
            late.assign(time=pd.Timestamp(as_of) + pd.to_timedelta(rng.integers(600, 9000, len(late)), unit="min"))
        )
    dirty = pd.concat(parts, ignore_index=True)
    digits = dirty["customer"].str.isdigit().to_numpy(bool) & (dirty["customer"] != "0").to_numpy()
    decimals = digits & (rng.random(len(dirty)) < 0.1)
    dirty["customer"] = dirty["customer"].where(~decimals, dirty["customer"] + ".0")
    order = np.argsort(rng.random(len(dirty)), kind="stable")
    return dirty.iloc[order].reset_index(drop=True)


def _spelled(holder: GeneratedHolder, values: pd.Series) -> tuple[pd.Series, dict[str, str]]:
    """Values as the holder spells them, and its spelling of each public key; none where it spells them as they are."""
    keys = [key for key in dict.fromkeys(values.dropna()) if key != UNLISTED]
    match holder.format:
        case "csv":
            own = {key: key.replace("_", " ").title() for key in keys}
        case "duckdb":
            own = {key: f"{place:02d}-{key[:3]}" for place, key in enumerate(sorted(keys))}
        case "local_csv":
            own = {key: key.upper() for key in keys}
        case _:
            return values, {}
    return values.map(own | {UNLISTED: UNLISTED}), own


def _column(holder: GeneratedHolder, name: FeedName, role: str) -> str:
    match holder.format:
        case "csv":
            return role.title()
        case "duckdb":
            return f"{name}_{role}"
        case "local_csv":
            return f"{role.upper()}_1"
    return role


def _printed(holder: GeneratedHolder, name: FeedName, frame: pd.DataFrame) -> pd.DataFrame:
    """Times and money as the holder's files have them; money in the currency of its feeds."""
    changes: dict[str, pd.Series] = {}
    if holder.format == "local_csv":
        if "time" in frame:
            changes["time"] = frame["time"].dt.strftime("%d.%m.%Y %H:%M")
        for role in [role for role, what in FEEDS[name].items() if what.kind == "money" and role in frame]:
            text = frame[role].map("{:.2f}".format).astype("string")
            changes[role] = text.str.replace(".", ",", regex=False)
    elif "born" in frame and holder.format == "csv":
        changes["born"] = frame["born"].map(lambda day: None if day is None else str(day.year))
    return frame.assign(**changes)


def _store(holder: GeneratedHolder, home: Path, name: FeedName, frame: pd.DataFrame) -> str:
    """Write the table; the first lines of what ``holder.toml`` says of it. Money of feeds is in euros everywhere."""
    head = "\n[customers]\n" if name == "customer" else f"\n[events.{name}]\n"
    money = 'currency_code = "EUR"\n' if any(what.kind == "money" for what in FEEDS[name].values()) else ""
    match holder.format:
        case "parquet":
            (home / "feeds").mkdir(exist_ok=True)
            frame.to_parquet(home / "feeds" / f"{name}.parquet", index=False)
            return f'{head}url = "feeds/{name}.parquet"\n{money}'
        case "duckdb":
            import duckdb

            names = [str(column) for column in frame]
            text = [name for name in names if frame[name].dtype == object and not name.endswith("born")]
            table = frame.astype(dict.fromkeys(text, "string"))
            with duckdb.connect(str(home / "sales.duckdb")) as connection:
                connection.register("incoming", table)
                connection.execute(f'CREATE TABLE "{name}_rows" AS SELECT * FROM incoming')
            return f'{head}table = "{name}_rows"\n{money}'
        case "local_csv":
            frame.to_csv(home / f"{name}.csv", index=False, sep=";", encoding="latin-1")
            form = 'separator = ";", encoding = "latin-1", decimal = ",", date_format = "%d.%m.%Y %H:%M"'
            return f'{head}url = "{name}.csv"\n{money}csv = {{{form}}}\n'
    frame.to_csv(home / f"{name}.csv", index=False)
    return f'{head}url = "{name}.csv"\n{money}'
