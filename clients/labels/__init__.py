"""Labels: what a study's release says about the holder's own customers, where the holder works.

Nothing here leaves the holder's own machines. ``rows`` says what a segment label is, ``score_rows`` what a churn score
is and ``cluster_rows`` what a cluster label is; ``history`` keeps every study's on the holder's disk, ``config`` reads
``labels.toml``, ``files`` and ``databases`` write, and ``export`` puts them together. docs/labels.md is the format's
reference.
"""

from clients.labels.cluster_rows import ClusterRows, ClusterSnapshot
from clients.labels.export import Written, export_labels, to_label, write_clusters, write_labels, write_scores
from clients.labels.history import ClusterHistory, LabelHistory, ScoreHistory
from clients.labels.rows import LabelRows, Snapshot
from clients.labels.score_rows import ScoreRows, ScoreSnapshot

__all__ = [
    "ClusterHistory", "ClusterRows", "ClusterSnapshot", "LabelHistory", "LabelRows", "ScoreHistory", "ScoreRows",
    "ScoreSnapshot", "Snapshot", "Written", "export_labels", "to_label", "write_clusters", "write_labels",
    "write_scores",
]  # fmt: skip
