"""The commits that changed a view: its definition in pipeline.yaml, its code, or its values."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from mlops_cli.encode import check_nesting
from mlops_cli.errors import IntegrityError
from mlops_cli.features import version
from mlops_cli.pipeline.model.data import FeatureView
from mlops_cli.vcs import objects
from mlops_cli.vcs.repo import Git

PIPELINE = "pipeline.yaml"


@dataclass(frozen=True, slots=True)
class Change:
    """What one commit did to a view. `what`: definition, code, values; `digest` of the values."""

    commit: str
    time: str
    author: str
    subject: str
    what: tuple[str, ...]
    sentences: tuple[str, ...]
    digest: str | None


@dataclass(frozen=True, slots=True)
class _State:
    definition: Mapping[str, Any] | None
    code: str | None  # the id that git gives to the bytes of the transform or the query
    digest: str | None


def changes(git: Git, name: str, spec: FeatureView | None) -> list[Change]:
    """Return the commits on HEAD that changed the view, newest first."""
    if git.head().commit is None:
        return []
    files = [PIPELINE, version.path_of(name)]
    if spec is not None:
        files += [path for path in (_code(spec.transform), spec.sql) if path]
    listed = git.run("log", "--reverse", "--format=%H%x1f%aI%x1f%an%x1f%s", "--", *files)
    commits = [line.split("\x1f", 3) for line in listed.splitlines()]
    found: list[Change] = []
    before = _State(None, None, None)
    states = _states(git, name, [commit for commit, *_ in commits])
    for (commit, time, author, subject), state in zip(commits, states, strict=True):
        sentences = list(_differences(before, state))
        if sentences:
            what = tuple(dict.fromkeys(kind for kind, _ in sentences))
            said = tuple(sentence for _, sentence in sentences)
            found.append(Change(commit, time, author, subject, what, said, state.digest))
        before = state
    return found[::-1]


def _states(git: Git, name: str, commits: list[str]) -> Iterator[_State]:
    names = [f"{commit}:{path}" for commit in commits for path in (PIPELINE, version.path_of(name))]
    read = objects.read(git, names)
    definitions = [_definition(found.data if found else b"", name) for found in read[::2]]
    codes: list[str] = []
    for commit, definition in zip(commits, definitions, strict=True):
        path = _code(
            str((definition or {}).get("transform") or (definition or {}).get("sql") or "")
        )
        codes.append(f"{commit}:{path or '.mlops/no-code'}")
    ids = objects.check(git, codes)
    for definition, lock, code in zip(definitions, read[1::2], ids, strict=True):
        digest = None
        if lock is not None:
            with contextlib.suppress(IntegrityError):  # an odd old lock hides no commit
                digest = version.of(version.read_lock(name, lock.data), name).digest
        yield _State(definition, code.id if code else None, digest)


def _definition(data: bytes, name: str) -> Mapping[str, Any] | None:
    """Return the view as it stands in a pipeline.yaml, None where it does not."""
    import yaml

    try:
        text = check_nesting(data.decode("utf-8-sig"))
        said = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        found = said["features"][name]
    except (yaml.YAMLError, KeyError, TypeError, ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _differences(before: _State, now: _State) -> Iterator[tuple[str, str]]:
    old, new = before.definition, now.definition
    if (old is None) != (new is None):
        yield "definition", "defined" if old is None else "no longer defined"
    elif old is not None and new is not None:
        for word in dict.fromkeys([*old, *new]):
            if old.get(word) != new.get(word):
                yield "definition", _sentence(str(word), old.get(word), new.get(word))
    if now.code != before.code and now.code is not None and before.definition is not None:
        yield "code", "the code changed"
    if now.digest != before.digest and now.digest is not None:
        yield "values", "built" if before.digest is None else "the values changed"


def _sentence(word: str, old: Any, new: Any) -> str:
    if isinstance(old, dict | list) or isinstance(new, dict | list):
        verb = "added" if old is None else "removed" if new is None else "changed"
        return f"{word} {verb}"
    return f"{word}: {'nothing' if old is None else old} to {'nothing' if new is None else new}"


def _code(reference: str | None) -> str | None:
    return reference.partition(":")[0] or None if reference else None
