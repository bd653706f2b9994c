"""The holder's own data, as its node needs it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from privacy.kernel.declarations import CellTable
from privacy.kernel.feeds import Declared
from privacy.protocol.messages import PlanCore
from privacy.protocol.study import Study
from privacy.statistics import Rows


class HolderData(Protocol):
    """What a node asks of the holder's data; which kinds of rows there are does not matter to it."""

    def feeds(self, tables: Sequence[CellTable]) -> Declared:
        """Of the feeds and roles that declared tables read, those that the holder has declared. Looks at no row."""
        ...

    def tables(self, study: Study) -> Mapping[str, Rows]:
        """What each analysis of the study reads, by the analysis' name; computed once per study and as-of date."""
        ...

    def write_labels(self, study: Study, answered: Sequence[PlanCore], stated: str | None = None) -> Sequence[Path]:
        """Label the holder's own customers in its own files.

        Args:
            study: the run's.
            answered: the run's released questions.
            stated: the coordinator's result as it came; None where there is none.
        """
        ...
