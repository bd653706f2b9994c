"""Labels: what a study's release says about the holder's own customers, where the holder works.

Nothing here leaves the holder's own machines. What a row says is its analysis' own business (``labels.py`` of its
room); ``history`` keeps every study's on the holder's disk, ``config`` reads ``labels.toml``, ``files`` and
``databases`` write, and ``export`` puts them together. docs/labels.md is the format's reference.
"""
