"""The ``cohortium`` command: the composition root, which alone may import every package.

Importing it puts the product's other packages first on ``sys.path``. An installed release has them in a folder of its
own, ``cohortium/_parts``, so that it takes one name among installed packages and no ``server`` of anybody else's is
taken for ours; a checkout has them beside this folder. Programs that use them say ``import cohortium`` first.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

_HERE = Path(__file__).resolve().parent
_PARTS = str(_HERE / "_parts" if (_HERE / "_parts").is_dir() else _HERE.parent)
if sys.path[:1] != [_PARTS]:
    sys.path.insert(0, _PARTS)

if TYPE_CHECKING:
    from cohortium.command import app, main

__all__ = ["app", "main"]


def __getattr__(name: str) -> Any:
    """The command, when it is asked for: a program that only wants the packages does not load all of it."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from cohortium import command

    return getattr(command, name)
