"""The console command: `--version` is answered here, before anything else is imported."""

from __future__ import annotations

import gc
import sys


def main() -> int:
    """Run `mlops` on the arguments of this process and return its exit code."""
    arguments = sys.argv[1:]
    if arguments == ["--version"]:
        from mlops_cli import __version__

        sys.stdout.write(f"mlops {__version__}\n")
        return 0
    from mlops_cli.cli.main import run

    code = run(arguments)
    if "duckdb" not in sys.modules:  # it tells on stderr of every cycle that was not looked for
        gc.freeze()  # the process ends: nobody has to look for cycles in all that it held
    return code


if __name__ == "__main__":
    sys.exit(main())
