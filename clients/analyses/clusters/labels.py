"""What a cluster label is, as it is kept and written: one customer of one study on one as-of day.

Only customers who count on that day (with a purchase in the study's ``active_days``) belong to a cluster.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from clients.analyses.clusters.assignment import Assigned
from clients.analysis.facts import LabelFact
from clients.data.rows.customers import CustomerTable
from clients.labels.day_rows import IDS, DayRows, decimals, id_columns
from clients.labels.history import DayHistory
from clients.labels.snapshot import StoredSnapshot
from privacy.analyses.clusters import CONTRACT
from privacy.analyses.clusters.nouns import Clusters
from privacy.analyses.clusters.options import KnownClusters
from privacy.analyses.clusters.results import ClusterResult
from privacy.analyses.clusters.words import cluster_words
from privacy.protocol.study import Study
from privacy.tags.tree import COUNT

_PLACES = ("cluster", "distance", "second", "second_distance")
_FACTS = IDS | dict.fromkeys(_PLACES, pa.int64())
_DISTANCE = pa.decimal128(7, 4)


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class ClusterSnapshot(StoredSnapshot):
    """One study's clusters of one as-of day, as they were given; nothing is worked out again later.

    Attributes:
        clusters: the centres.
        follows: digest of the earlier centres whose ids these keep; empty where ids are new.
        names: id to the cluster's name in English and Chinese: the operators' own, or the default description.
        table: one row per customer who counts, ascending by id: ``customer_id``, ``source_id`` (null where the customer
            table does not know the customer), ``also_spelled``; ``cluster``, ``second`` (ids; 0: none), ``distance``,
            ``second_distance`` (ten-thousandths).
    """

    FACTS = _FACTS
    METADATA = b"clusters"

    clusters: Clusters
    follows: str
    names: Mapping[int, tuple[str, str]]

    @classmethod
    def of(
        cls, assigned: Assigned, ids: NDArray[np.object_], customers: CustomerTable, result: ClusterResult, study: Study
    ) -> Self:
        """The clusters of customers with these ids (one for every row of the feature table), as of the study's day.

        ``customers`` says how the source spells the ids.
        """
        columns = id_columns(pa.array(ids[assigned.rows], pa.string()), customers)
        columns |= {name: getattr(assigned, name) for name in _PLACES}
        words = [
            cluster_words(result.figures, language, options=study.of(CONTRACT), currency=study.currency)
            for language in ("en", "zh")
        ]
        earlier = study.of(CONTRACT).centres
        return cls(
            study=study.name,
            as_of=study.as_of,
            clusters=result.clusters,
            follows=earlier.clusters.digest if isinstance(earlier, KnownClusters) else "",
            names={
                centre.id: (words[0].get(centre.id, ""), words[1].get(centre.id, ""))
                for centre in result.clusters.centres
            },
            table=pa.table({name: pa.array(item, _FACTS[name]) for name, item in columns.items()}),
        )

    def about(self) -> dict[str, Any]:
        """See :class:`StoredSnapshot`."""
        return {
            "clusters": self.clusters.model_dump(mode="json"),
            "follows": self.follows,
            "names": [[number, *names] for number, names in self.names.items()],
        }

    @classmethod
    def read_about(cls, about: Mapping[str, Any]) -> dict[str, Any]:
        """See :class:`StoredSnapshot`."""
        return {
            "clusters": Clusters.model_validate_json(json.dumps(about["clusters"])),
            "follows": about["follows"],
            "names": {int(number): (en, zh) for number, en, zh in about["names"]},
        }


class ClusterRows(DayRows[ClusterSnapshot]):
    """Clusters beside those before, as rows of text, numbers and days.

    Columns, in this order: ``customer_id``, ``source_id``, ``study``, ``as_of``, ``cluster`` (id), ``cluster_en``,
    ``cluster_zh``, ``distance`` (four decimals, on the features' scales), ``second_cluster``, ``second_distance`` (null
    where there is one cluster), ``previous_as_of``, ``previous_cluster``, ``cluster_changed``. What was before is null
    for customers who had no cluster then, and where this run's ids do not follow from those of the snapshot before.
    """

    kind: ClassVar[str] = "clusters"

    @property
    def follows(self) -> bool:
        """Whether ids mean the same in the snapshot before."""
        return self.earlier is not None and self.earlier.clusters.digest == self.snapshot.follows

    def select(self, *, changed_only: bool = False, segment: str | None = None) -> NDArray[np.int64] | None:
        """Rows of customers who are new or changed their cluster; None for a selection by segment, which is no cluster.

        Where ids do not follow from the day before, nobody is known to have stayed.
        """
        if segment is not None:
            return None
        rows = np.arange(len(self.snapshot))
        if not changed_only:
            return rows
        differs = pc.not_equal(self.snapshot.table["cluster"].combine_chunks(), self._before(pa.array(rows)))
        kept: NDArray[np.bool_] = differs.fill_null(True).to_numpy(zero_copy_only=False)
        return rows[kept]

    def schema(self, *, wide: bool = False) -> pa.Schema:
        """The columns, which are the same for all studies."""
        text, number = pa.string(), pa.int64()
        return pa.schema(
            {
                "customer_id": text, "source_id": text, "study": text, "as_of": pa.date32(), "cluster": number,
                "cluster_en": text, "cluster_zh": text, "distance": _DISTANCE, "second_cluster": number,
                "second_distance": _DISTANCE, "previous_as_of": pa.date32(), "previous_cluster": number,
                "cluster_changed": pa.bool_(),
            }
        )  # fmt: skip

    def _before(self, rows: pa.Array) -> pa.Array:
        """Ids of the clusters before; null where there were none, or ids meant something else."""
        if self.earlier is None or not self.follows:
            return pa.nulls(len(rows), pa.int64())
        return self.earlier.table["cluster"].take(self._position.take(rows)).combine_chunks()

    def _columns(self, rows: pa.Array) -> dict[str, pa.Array]:
        now = self.snapshot
        facts = {name: now.table[name].take(rows).combine_chunks() for name in ("customer_id", "source_id", *_PLACES)}
        place = pc.index_in(facts["cluster"], value_set=pa.array(list(now.names), pa.int64()))
        there = pc.greater(facts["second"], 0)
        before = self._before(rows)
        columns = self._about(rows) | {
            "customer_id": facts["customer_id"],
            "source_id": facts["source_id"],
            "cluster": facts["cluster"],
            "cluster_en": pa.array([en for en, _ in now.names.values()], pa.string()).take(place),
            "cluster_zh": pa.array([zh for _, zh in now.names.values()], pa.string()).take(place),
            "distance": decimals(facts["distance"], 4, precision=7),
            "second_cluster": pc.if_else(there, facts["second"], pa.scalar(None, pa.int64())),
            "second_distance": pc.if_else(
                there, decimals(facts["second_distance"], 4, precision=7), pa.scalar(None, _DISTANCE)
            ),
            "previous_cluster": before,
            "cluster_changed": pc.not_equal(facts["cluster"], before),
        }
        if not self.follows:
            columns["previous_as_of"] = pa.nulls(len(rows), pa.date32())
        return columns


class ClusterHistory(DayHistory[ClusterSnapshot, ClusterRows]):
    """Clusters of every day."""

    what, one = "clusters", "cluster"
    analysis = "clusters"
    snapshot_of = ClusterSnapshot
    rows_of = ClusterRows
    selectable = frozenset({"changed"})


#: What rules of tags may name.
FACTS = {
    "cluster": LabelFact(column="cluster", kind=COUNT),
    "changed.cluster": LabelFact(column="cluster_changed", kind="flag"),
}
