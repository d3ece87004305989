"""`mlops import`: data that lives elsewhere, tracked here with a pin to where it came from.

Each kind of source is a module of its own and is registered here.
"""

from __future__ import annotations

import typer

app = typer.Typer(help="Track data that comes from elsewhere, pinned to what was there.")
