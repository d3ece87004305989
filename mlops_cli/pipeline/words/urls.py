"""Inputs that are URLs."""

from __future__ import annotations

KINDS = ("http://", "https://")


def is_url(dep: str) -> bool:
    """Return whether a dep is a URL."""
    return "://" in dep
