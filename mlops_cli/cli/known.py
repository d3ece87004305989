"""Names that the shell may complete: models, versions, aliases, tracked data."""

from __future__ import annotations

from pathlib import Path

from mlops_cli.vcs import tags
from mlops_cli.vcs.repo import Git, find_root


def completed(incomplete: str) -> list[str]:
    """Return the models, versions, aliases and tracked data whose names begin so."""
    root = find_root(Path.cwd())
    if root is None:
        return []
    git = Git(root)
    found: dict[str, None] = {}
    for tag in tags.names(git, "mlops/"):
        _, model, which, *_ = [*tag.split("/"), ""]
        if which.startswith(("v", "@")):
            found |= dict.fromkeys((model, f"{model}@{which.removeprefix('@')}"))
    files = git.run("ls-files", "-z", check=False).split("\0")
    found |= dict.fromkeys(one.removesuffix(".mlops") for one in files if one.endswith(".mlops"))
    return [name for name in found if name.startswith(incomplete)]
