"""What a study sets otherwise in tables of the catalogue."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from privacy.analyses.tables.declared import Cap, ReleasedNumber, Table
from privacy.kernel.canonical import Noun, since
from privacy.kernel.declarations import MOST_CELLS, MOST_MEASURES, AnyDimension, Condition, EventChoice, HoldOut
from privacy.kernel.keys import Keys
from privacy.kernel.limits import Name


class TableChange(Noun):
    """What a study sets otherwise in a table of the catalogue; what is not stated stays.

    Attributes:
        keys: other keys, by dimension: fewer keys are the lever that makes a cell more exact.
        cap: other caps, by measure.
        where, usual_cells, most_cells, lost, release, part: as in :class:`Table`.
        hold_out: of its events, as in :class:`privacy.kernel.declarations.EventChoice`.
    """

    keys: dict[AnyDimension, Keys] = Field(default_factory=dict, max_length=4)
    cap: dict[Name, Cap | ReleasedNumber] = Field(default_factory=dict, max_length=MOST_MEASURES)
    where: tuple[Condition, ...] | None = since("0.2.0", None, max_length=8)
    usual_cells: int | None = since("0.2.0", None, ge=1, le=MOST_CELLS)
    most_cells: int | None = since("0.2.0", None, ge=0, le=MOST_CELLS)
    lost: int | None = since("0.2.0", None, ge=0, le=200)
    release: Literal["all", "new"] | None = since("0.2.0", None)
    part: int | None = since("0.2.0", None, ge=1, le=1000)
    hold_out: HoldOut | None = since("0.2.0", None)

    def of(self, table: Table) -> Table:
        """A table with the change.

        Raises:
            ValueError: if the table has no such dimension or measure.
        """
        for name in self.keys:
            if name not in table.dimensions:
                raise ValueError(f"change.{table.name}.keys: the table has no dimension {name}")
        for measure in self.cap:
            if measure not in [one.name for one in table.measure]:
                raise ValueError(f"change.{table.name}.cap: the table has no measure {measure}")
        by = [use.changed(keys=self.keys.get(use.dimension, use.keys)) for use in table.by]
        measures = [{**dict(one), "cap": self.cap.get(one.name, one.cap)} for one in table.measure]
        rest = ("where", "usual_cells", "most_cells", "lost", "release", "part")
        stated = {name: getattr(self, name) for name in rest if getattr(self, name) is not None}
        if self.release == "new":  # what scaling takes off is not asked where a customer fills so few cells
            stated = {"lost": 0, **stated}
        if self.hold_out is not None:
            if table.events is None or table.events.of != "sent":
                raise ValueError(f"change.{table.name}.hold_out: the table is not of messages")
            stated["events"] = EventChoice.model_validate({**dict(table.events), "hold_out": self.hold_out})
        return Table.model_validate({**dict(table), "by": tuple(by), "measure": tuple(measures), **stated})
