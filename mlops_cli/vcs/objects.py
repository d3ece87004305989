"""Many git objects through one `git cat-file` child."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from mlops_cli.vcs.answer import Answer, failed


class Git(Protocol):
    """What is asked of `repo.Git`, which asks this module in turn."""

    def call(self, *args: str, input: bytes | None = None) -> Answer: ...
    def run(self, *args: str, input: bytes | None = None) -> str: ...


@dataclass(frozen=True, slots=True)
class GitObject:
    """One object: its id in git, its kind (blob, tree, commit, tag), its bytes and their number."""

    id: str
    kind: str
    data: bytes = b""
    size: int = 0


def read(git: Git, names: Sequence[str]) -> list[GitObject | None]:
    """Return the object behind each name ("<id>", "HEAD:path"), None where there is none."""
    return list(_read(git, names)) if names else []


def check(git: Git, names: Sequence[str]) -> list[GitObject | None]:
    """Return id, kind and size behind each name without its bytes, None where there is none."""
    if not names:
        return []
    lines = git.run("cat-file", "--buffer", "--batch-check", input=_asked(names)).splitlines()
    found: list[GitObject | None] = []
    for line in lines:
        words = line.split(" ")
        known = len(words) == 3 and words[2].isdigit()
        found.append(GitObject(words[0], words[1], size=int(words[2])) if known else None)
    return found


def hold(git: Git, names: Sequence[str], words: bytes) -> bool:
    """Tell whether any of the objects may hold `words`: quick where none does."""
    if not names:
        return False
    answer = git.call("cat-file", "--buffer", "--batch", input=_asked(names))
    return answer.code != 0 or words in answer.out


def _read(git: Git, names: Sequence[str]) -> Iterable[GitObject | None]:
    answer = git.call("cat-file", "--buffer", "--batch", input=_asked(names))
    if answer.code != 0:
        raise failed(("cat-file", "--batch"), answer)
    data, at = answer.out, 0
    for _ in names:
        end = data.index(b"\n", at)
        words = data[at:end].rsplit(b" ", 2)
        at = end + 1
        if len(words) != 3 or not words[2].isdigit():
            yield None  # "<name> missing", "<name> ambiguous"
            continue
        size = int(words[2])
        yield GitObject(words[0].decode(), words[1].decode(), data[at : at + size], size)
        at += size + 1


def _asked(names: Sequence[str]) -> bytes:
    # one name a line; a name with a newline cannot be asked for, and an empty line is not found
    return "".join(f"{'' if chr(10) in name else name}\n" for name in names).encode(
        "utf-8", "surrogateescape"
    )
