"""How text says a number or a time in the plain way, as patterns: for databases whose own casts take more, or fail."""

from __future__ import annotations

#: A number with a decimal point, and how long its text may be.
NUMBER = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,3})?$"
NUMBER_LENGTH = 1000  # PostgreSQL's decimals hold every number of this pattern and length
#: ISO 8601: a day, a time of day that may be left out, and what says that it is UTC.
DAY = r"[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
CLOCK = r"([ T]([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9](\.[0-9]+)?)?)?"
UTC = r"([ ]?([Zz]|[+-]00(:?00)?))?"
MICROSECONDS = 26  # characters of 2024-05-01 12:00:00.000000
