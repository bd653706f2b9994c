"""A mutant must be caught for what it does to the product, not for a mistake of its own.

A node answers every error with a refusal, so a mutant that calls something wrongly looks like one that was refused.
What it died of stands in the node's log, with the exception at debug level.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

#: Errors of a mutant that no longer fits the code around it.
OWN_ERRORS = (TypeError, AttributeError, NameError)


class _Collected(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.errors: list[BaseException] = []

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if isinstance(record.exc_info, tuple) else None
        while error is not None:
            if isinstance(error, OWN_ERRORS):
                self.errors.append(error)
            error = error.__cause__ or error.__context__


@contextmanager
def no_errors_of_its_own() -> Iterator[None]:
    """Fail at the end if such an error reached a node's log inside."""
    log, collected = logging.getLogger("cohortium.holder"), _Collected()
    level = log.level
    log.addHandler(collected)
    log.setLevel(logging.DEBUG)
    try:
        yield
    finally:
        log.removeHandler(collected)
        log.setLevel(level)
    assert not collected.errors, f"the mutant died of an error of its own: {collected.errors[0]!r}"
