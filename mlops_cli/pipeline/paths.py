"""Paths as pipeline.yaml and locks write them: relative to the project, with forward slashes."""

from __future__ import annotations

import os

SPLIT = "@"  # between the name of an entry with `for` and that of an item


def clean(path: str) -> str:
    """Return the one spelling of `path`: no "./", no "//", no "/" at the end."""
    return os.path.normpath(path)


def under(path: str, folder: str) -> bool:
    """Return whether `path` is `folder` or lies in it."""
    return path == folder or path.startswith(folder + "/") or folder == "."


def base(step: str) -> str:
    """Return the name of the entry in `steps` that stands for `step`."""
    return step.partition(SPLIT)[0]
