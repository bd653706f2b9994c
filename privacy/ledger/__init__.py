"""The privacy ledger: an append-only, hash-chained record of facts, charged before anything leaves."""

from __future__ import annotations

from privacy.ledger.entries import Answered, Entry, Evidence, Failed, Opened, Question, Released, Reserved
from privacy.ledger.ledger import Caps, Grant, Head, Ledger

__all__ = [
    "Answered",
    "Caps",
    "Entry",
    "Evidence",
    "Failed",
    "Grant",
    "Head",
    "Ledger",
    "Opened",
    "Question",
    "Released",
    "Reserved",
]
