"""The words that name failures: exit, exit 75, signal, memory, timeout."""

from __future__ import annotations

import re

_EXIT = re.compile(r"exit( [0-9]{1,3})?")


def known_failure(word: str) -> bool:
    """Return whether `word` names failures: exit, exit 75, signal, memory, timeout."""
    return word in ("signal", "memory", "timeout") or bool(_EXIT.fullmatch(word))
