"""The holders of a generated world: their names, currencies, formats and habits."""

from __future__ import annotations

from dataclasses import dataclass

ONLINE = "online"


@dataclass(frozen=True, kw_only=True)
class GeneratedHolder:
    """A holder: its name and its number, 0 for the online store."""

    name: str
    number: int

    @property
    def currency(self) -> str | None:
        """The currency of all rows, or None where rows differ."""
        return {1: "EUR", 2: "GBP", 3: None}[1 + (self.number - 1) % 3] if self.number else "EUR"

    @property
    def cancels_by_prefix(self) -> bool:
        """Online and every second store cancel under a new order id; the others book on the old one."""
        return self.number % 2 == 0

    @property
    def format(self) -> str:
        """Online Parquet; stores in turn CSV, DuckDB, and CSV as spreadsheets of continental Europe write it."""
        return "parquet" if self.number == 0 else ("csv", "duckdb", "local_csv")[(self.number - 1) % 3]
