"""Rooms, one for each analysis: what it asks a federation for, and what it makes of the releases for people.

Halls find rooms through :mod:`server.analyses.catalogue`; a room imports halls and what is below them, never another
room.
"""
