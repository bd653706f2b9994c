"""Campaigns: who was on a list, who of them was left alone by lot, and what the list brought.

Everything is the holder's own, exact, and costs no budget. A list is kept when it is drawn up
(:mod:`clients.data.campaigns`), its customers' purchases are read once everybody's days are over (:mod:`outcomes`), and
the two arms are compared (:mod:`effects`).
"""
