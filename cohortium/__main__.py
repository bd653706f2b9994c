"""``python -m cohortium``."""

from __future__ import annotations

from cohortium.command import main

if __name__ == "__main__":
    main()
