"""Which ssh key signs here: the one that is set, or the one that git is told to use."""

from __future__ import annotations

from pathlib import Path

from mlops_cli.vcs.repo import Git

_YES = ("true", "yes", "on", "1")


def key_of(git: Git, setting: str | None) -> str | None:
    """Return the key that signs here: `setting` (signing.key), else git's user.signingkey where
    git signs with ssh keys, else None. A path is absolute."""
    key = setting
    if key is None:
        found = _config(git)
        if found.get("gpg.format") == "ssh":
            key = found.get("user.signingkey")
    if not key or literal(key):
        return key or None
    return str(git.root / Path(key).expanduser())


def key_unasked(git: Git) -> str | None:
    """Return the key by which things are signed that nobody asked to be signed: `git.key`, else
    that of a git which signs its tags unasked."""
    if git.key is None and _config(git).get("tag.gpgsign") not in _YES:
        return None
    return key_of(git, git.key)


def _config(git: Git) -> dict[str, str]:
    said = git.call("config", "--get-regexp", r"^(gpg\.format|user\.signingkey|tag\.gpgsign)$")
    rows = said.out.decode("utf-8", "surrogateescape").splitlines()
    return {name: value for name, _, value in (row.partition(" ") for row in rows)}


def literal(key: str) -> str | None:
    """Return the public key that `key` itself is, as git's user.signingkey may be one."""
    text = key.removeprefix("key::")
    of_type = key.startswith(("ssh-", "ecdsa-", "sk-")) and " " in key
    return text if text != key or of_type else None
