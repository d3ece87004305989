"""Where another repository is: which URLs are taken, in one spelling, and never a secret in one."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from mlops_cli.errors import ConfigError, UsageError

SCHEMES = ("https", "http", "ssh", "git", "file")  # what git may speak for us; never ext::
_HELPER = re.compile(r"[A-Za-z0-9][A-Za-z0-9+.-]*::")
_SCP = re.compile(r"(?:[^@/:]+@)?(?:[^/:\[\]]+|\[[^\]/]+\]):.+", re.DOTALL)  # user@host:path
_TOKEN_FROM = 20  # letters; a user name so long in an https URL is a token


@dataclass(frozen=True, slots=True)
class Address:
    """A repository elsewhere: `url` is what git is given; `folder` says where on this disk."""

    url: str
    folder: Path | None = None

    @property
    def root(self) -> Path | None:
        """Return what relative paths in the repository's settings are relative to."""
        if self.folder is not None and self.folder.name == ".git":
            return self.folder.parent
        return self.folder


def parse(text: str, *, start: Path) -> Address:
    """Return the address that `text` means; a path is relative to `start`.

    Raises UsageError ("bad-git-url") for what git must not be given, ConfigError
    ("credentials-in-url").
    """
    if not text or text.startswith("-") or not text.isprintable():
        raise _bad(text, "it is empty, begins with a dash or holds control characters")
    if _HELPER.match(text):
        raise _bad(text, "it would start a program")
    scheme, separator, rest = text.partition("://")
    if separator:
        return _of_url(text, scheme.lower(), rest)
    if is_scp(text, start):
        if text.partition("@")[2].startswith("-"):
            raise _bad(text, "its host begins with a dash")
        return Address(text)
    return _folder(os.fspath(start / Path(text).expanduser()))


def is_scp(text: str, start: Path) -> bool:
    """Tell whether `text` is like user@host:path and no path that is here."""
    return _SCP.fullmatch(text) is not None and not os.path.lexists(start / text)


def is_repository(text: str, start: Path) -> bool:
    """Tell whether `text` can only mean a repository: a URL, or a folder that is one."""
    if "://" in text or is_scp(text, start):
        return True
    folder = start / Path(text).expanduser()
    return (folder / ".git").exists() or (
        (folder / "HEAD").is_file() and (folder / "objects").is_dir()
    )


def _of_url(text: str, scheme: str, rest: str) -> Address:
    if scheme not in SCHEMES:
        raise _bad(text, f"git speaks {', '.join(SCHEMES)}, not {scheme}")
    host, slash, path = rest.partition("/")
    if scheme == "file":
        if host not in ("", "localhost"):
            raise _bad(text, "a file is on this machine: file:///path")
        return _folder(slash + unquote(path))
    user, at, name = host.rpartition("@")
    if not name or name.startswith("-") or user.startswith("-"):
        raise _bad(text, "its host is missing or begins with a dash")
    web = scheme in ("https", "http")
    if at and (":" in user or (web and len(user) >= _TOKEN_FROM)):
        shown = user.partition(":")[0][:4]
        raise ConfigError(
            f"the URL of the repository holds credentials (of {shown}…), and would be kept",
            code="credentials-in-url",
            hint="leave them out; git asks its credential helper or the ssh agent",
        )
    return Address(f"{scheme}://{host}{slash}{path}")


def _folder(path: str) -> Address:
    folder = Path(os.path.normpath(path))
    return Address(str(folder), folder)


def _bad(text: str, why: str) -> UsageError:
    return UsageError(
        f"{text!a} is no repository that can be read: {why}",
        code="bad-git-url",
        hint="use https://…, ssh://…, user@host:path or a folder",
        details={"url": text},
    )
