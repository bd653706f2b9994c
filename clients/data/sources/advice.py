"""What a database's own errors mean, by the name of their type; their texts quote rows and are not repeated."""

from __future__ import annotations

#: What happened, and what to do.
ADVICE: dict[str, tuple[str, str]] = {
    "QueryCanceled": (
        "the server ended the query after its time limit",
        "ask its administrator for a longer one: ALTER ROLE this_user SET statement_timeout = '30min'",
    ),
    "LockNotAvailable": (
        "somebody who changes the table holds it locked",
        "try again later, or ask its administrator who (pg_locks)",
    ),
    "AdminShutdown": ("the server was stopped", "try again when it is up"),
    "IdleInTransactionSessionTimeout": ("the server ended the connection", "ask its administrator for a longer limit"),
    "DiskFull": ("the server's disk is full", "ask its administrator"),
    "OutOfMemoryException": ("it needs more memory than it may take", "raise source.memory, or free some"),
}
