"""Arguments that several of a data holder's commands take."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

HolderPath = Annotated[Path, typer.Argument(help="The holder's folder.", file_okay=False)]
