"""The privacy ledger: an append-only, hash-chained record of facts, charged before anything leaves."""

from __future__ import annotations

from privacy.ledger.chain import Head
from privacy.ledger.entries import (
    Answered,
    Decided,
    Declined,
    Departed,
    Entry,
    EntryNumber,
    Evidence,
    Failed,
    LossesAccepted,
    Lost,
    Opened,
    PeriodCap,
    Question,
    Readmitted,
    Recovered,
    Released,
    Reserved,
    ResultAccepted,
    RosterAccepted,
)
from privacy.ledger.file import read_ledger, read_ledger_rows
from privacy.ledger.ledger import Grant, Ledger
from privacy.ledger.paths import HeadPath
from privacy.ledger.state import Caps, LedgerState
from privacy.ledger.tables import EVIDENCE, Statement

__all__ = [
    "EVIDENCE",
    "Answered",
    "Caps",
    "Decided",
    "Declined",
    "Departed",
    "Entry",
    "EntryNumber",
    "Evidence",
    "Failed",
    "Grant",
    "Head",
    "HeadPath",
    "Ledger",
    "LedgerState",
    "LossesAccepted",
    "Lost",
    "Opened",
    "PeriodCap",
    "Question",
    "Readmitted",
    "Recovered",
    "Released",
    "Reserved",
    "ResultAccepted",
    "RosterAccepted",
    "Statement",
    "read_ledger",
    "read_ledger_rows",
]
