"""Clusters at the holder: the released centres, applied to its own customers."""
