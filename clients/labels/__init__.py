"""Labels: what a study's released cut points say about the holder's own customers, where the holder works.

Nothing here leaves the holder's own machines. ``rows`` says what a label is, ``history`` keeps every study's labels on
the holder's disk, ``config`` reads ``labels.toml``, ``files`` and ``databases`` write, and ``export`` puts them
together. docs/labels.md is the format's reference.
"""

from clients.labels.export import Written, export_labels, write_labels
from clients.labels.history import LabelHistory
from clients.labels.rows import LabelRows, Snapshot

__all__ = ["LabelHistory", "LabelRows", "Snapshot", "Written", "export_labels", "write_labels"]
