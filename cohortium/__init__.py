"""The ``cohortium`` command: the composition root, which alone may import every package."""

from __future__ import annotations

from cohortium.command import app, main

__all__ = ["app", "main"]
