"""Labels: what a study's released cut points say about the holder's own customers, written to the holder's own files.

Nothing here leaves the holder. Ids are written exactly as they are, also those that a spreadsheet would take for a
formula (``=``, ``+``, ``-`` or ``@`` in front) or whose leading zeros it would drop: the file is made to be joined
with the CRM. Import the id column as text when opening it in a spreadsheet.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from clients.data.customer_table import CustomerTable, write_private
from privacy.contract.segments import SCHEMES, SegmentRules
from privacy.contract.study import Study, minor_digits
from privacy.errors import ConfigError


def _write_csv(frame: pd.DataFrame, target: Any) -> None:
    # The byte-order mark makes Excel read UTF-8; the fixed line end makes the bytes the same on every system.
    frame.to_csv(target, index=False, encoding="utf-8-sig", lineterminator="\n")


def _write_parquet(frame: pd.DataFrame, target: Any) -> None:
    frame.to_parquet(target, index=False, compression="zstd")


#: The catalogue of label formats: file suffix and writer.
FORMATS: dict[str, Callable[[pd.DataFrame, Any], None]] = {"csv": _write_csv, "parquet": _write_parquet}


def write_labels(
    table: CustomerTable, rules: SegmentRules, study: Study, *, folder: Path, formats: Sequence[str] = ("csv",)
) -> tuple[Path, ...]:
    """Write ``<study>-<as of>.<format>`` into ``folder``: one row per customer, in the table's order.

    Columns: ``customer_id``, ``study``, ``as_of``, ``recency_days``, ``orders``, ``money`` (exact decimal text in the
    study's currency), ``r``, ``f``, ``m`` (scores 1 to 5), and for every segmentation ``<scheme>``, ``<scheme>_en`` and
    ``<scheme>_zh`` (``rules`` only where the study has rules). Files are readable by their owner only, appear whole or
    not at all, and have the same bytes for the same input.

    Raises:
        ConfigError: if a format is unknown.
    """
    unknown = sorted(set(formats) - set(FORMATS))
    if unknown:
        raise ConfigError(f"unknown label format {unknown[0]!r}", hint=f"there is: {', '.join(FORMATS)}")
    frame = label_frame(table, rules, study)
    paths = []
    for name in dict.fromkeys(formats):
        path = folder / f"{study.name}-{study.as_of.isoformat()}.{name}"
        write_private(path, lambda target, write=FORMATS[name]: write(frame, target))
        paths.append(path)
    return tuple(paths)


def label_frame(table: CustomerTable, rules: SegmentRules, study: Study) -> pd.DataFrame:
    """The labels as a data frame; columns as in ``write_labels``."""
    columns = table.columns
    r, f, m = rules.cuts.scores(columns)
    data: dict[str, Any] = {
        "customer_id": pd.Series(table.ids, dtype=object),
        "study": study.name,
        "as_of": study.as_of.isoformat(),
        "recency_days": columns.recency_days,
        "orders": columns.orders,
        "money": _major_units(columns.money, minor_digits(study.currency)),
        "r": r,
        "f": f,
        "m": m,
    }
    for scheme in SCHEMES:
        if scheme == "rules" and not rules.thresholds:
            continue
        segments = rules.segments(scheme)
        index = rules.assign(scheme, columns)
        data[scheme] = np.array([segment.code for segment in segments], dtype=object)[index]
        data[f"{scheme}_en"] = np.array([segment.en for segment in segments], dtype=object)[index]
        data[f"{scheme}_zh"] = np.array([segment.zh for segment in segments], dtype=object)[index]
    return pd.DataFrame(data)


def _major_units(money: np.ndarray, digits: int) -> list[str]:
    """Minor units as exact decimal text: 1234 with 2 digits is ``12.34``."""
    return [format(Decimal(value).scaleb(-digits), "f") for value in money.tolist()]
