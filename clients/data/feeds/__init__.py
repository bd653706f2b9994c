"""Feeds beside purchases: their rows, cleaned as purchases are, where the data is."""
