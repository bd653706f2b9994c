"""What one-line rules read of every customer: one question a feed, asked where the feed is.

The rules are a holder's own tags (``clients/tags``) and those of a study's tables (``clients/data/rows/entries``).
"""
