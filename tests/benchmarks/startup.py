"""Start-up in milliseconds of CPU, beside bare python: python tests/benchmarks/startup.py."""

from __future__ import annotations

import resource
import subprocess
import sys
from pathlib import Path

LIMITS = {"--version": 30.0, "--help": 100.0}
RUNS = 20


def cpu(words: list[str]) -> float:
    """Return the least CPU time of some runs: the machine's noise only ever adds."""
    best = float("inf")
    for _ in range(RUNS):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(words, stdout=subprocess.DEVNULL, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        spent = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
        best = min(best, spent * 1000)
    return best


def main() -> int:
    """Print one line a command; answer 1 when one is over its limit."""
    script = str(Path(sys.executable).with_name("mlops"))
    print(f"{'python -c pass':<22} {cpu([sys.executable, '-c', 'pass']):6.1f} ms")
    late = 0
    for words in (["--version"], ["--help"], ["schema", "--list"], ["config", "list"]):
        spent = cpu([script, *words])
        limit = LIMITS.get(words[0])
        late += limit is not None and spent > limit
        note = f"  (limit {limit:.0f})" if limit else ""
        print(f"mlops {' '.join(words):<16} {spent:6.1f} ms{note}")
    return 1 if late else 0


if __name__ == "__main__":
    sys.exit(main())
