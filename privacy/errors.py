"""Errors as types: one base, grouped by who is at fault, each with an exit code and a next step.

Exit codes of the ``cohortium`` command (documented in ``docs/exit-codes.md``):

==== ===========================================================
0    done
1    an error nobody foresaw (please report it)
2    wrong use of the command line
3    a file that people write is wrong (study, holder, policy)
4    a holder's data cannot be read or used as described
5    the privacy budget does not suffice
6    a holder's policy refuses
7    a message broke the protocol
8    too few holders are ready, or one stopped answering
9    a ledger is damaged, or is not the one that was expected
10   another run holds the coordinator's folder
11   the carrier (Flower) could not be started, or went away
12   the empirical audit refuted a claim, or missed a planted fault
130  stopped by the user (Ctrl-C, ``study stop``)
143  stopped by SIGTERM
==== ===========================================================
"""

from __future__ import annotations


class CohortiumError(Exception):
    """Base of all errors this project raises on purpose.

    Attributes:
        message: what is wrong, in one or two sentences.
        hint: what the reader can do next; empty when there is nothing to do.
    """

    exit_code = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class ConfigError(CohortiumError):
    """A study, holder or policy file is wrong."""

    exit_code = 3


class DataError(CohortiumError):
    """A holder's source cannot be read, or does not look as its ``holder.toml`` says."""

    exit_code = 4


class BudgetError(CohortiumError):
    """A charge would pass a privacy cap."""

    exit_code = 5


class PolicyError(CohortiumError):
    """The holder's own policy does not allow what was asked."""

    exit_code = 6


class LossesError(PolicyError):
    """Charges without a release took more than the holder's policy lets pass without its operator."""


class ProtocolError(CohortiumError):
    """A message is malformed, unsigned, stale, replayed or contradicts another."""

    exit_code = 7


class NotEnoughHolders(CohortiumError):
    """Too few holders are ready, or too few answered, for the study to go on."""

    exit_code = 8


class LedgerError(CohortiumError):
    """A ledger is damaged, was edited, or does not belong here."""

    exit_code = 9


class Busy(CohortiumError):
    """Another run is under way."""

    exit_code = 10


class CarrierError(CohortiumError):
    """What carries the messages could not be started, or went away."""

    exit_code = 11


class AuditError(CohortiumError):
    """What is released protects less than is claimed, or the audit would not notice if it did."""

    exit_code = 12


class Stopped(CohortiumError):
    """Somebody asked for the end of what was under way."""

    exit_code = 130
