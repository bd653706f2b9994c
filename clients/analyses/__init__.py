"""Rooms, one for each analysis: what it reads, the holder's own figures, its labels and its part of the page.

Halls find rooms through :mod:`clients.analyses.catalogue`; a room imports halls and what is below them, never another
room.
"""
