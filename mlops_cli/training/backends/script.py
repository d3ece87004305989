"""One worker of a training by command: the user's script, after a word on who it is."""

from __future__ import annotations

import os
import runpy
import sys
from pathlib import Path

from mlops_cli.training.backends import torchrun


def main(words: list[str]) -> None:
    """Run the script `words[0]` as if it had been started alone."""
    if os.environ["RANK"] == "0":
        torchrun.write_told(Path(os.environ["MLOPS_OUT"]))
    sys.argv = words
    sys.path[0] = str(Path(words[0]).parent)
    runpy.run_path(words[0], run_name="__main__")


if __name__ == "__main__":
    main(sys.argv[1:])
