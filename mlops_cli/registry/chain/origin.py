"""Where a model comes from: locks, runs, their inputs, and back to what was imported."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

from mlops_cli.errors import IntegrityError
from mlops_cli.ledger import layout
from mlops_cli.ledger.index import Index
from mlops_cli.ledger.record import Record, parse
from mlops_cli.registry import behind, statement
from mlops_cli.registry.chain import rows
from mlops_cli.registry.chain.bundle import Brought
from mlops_cli.registry.chain.ground import Ground
from mlops_cli.registry.chain.link import Link, judged
from mlops_cli.registry.statement import digests
from mlops_cli.registry.version import Version, is_digest
from mlops_cli.store.digest import Digest
from mlops_cli.vcs import objects
from mlops_cli.workspace.pointer import parse_pointer

_LOCKS = ".mlops/lock"


def origin(ground: Ground, index: Index, version: Version, brought: Brought) -> Iterator[Link]:
    """Yield the locks at the commit of `version`, then each run behind it, and what they read."""
    yield from _locks(ground, version, brought)
    if version.run is None:
        link = Link("run", version.name, version.digest, "tags")
        yield link.absent("the version names no run")
        return
    raw: dict[str, str] = {}  # digest → path, of what no run here made
    named = (version.run, version.payload.get("evaluated"))
    queue = list(dict.fromkeys(str(digest) for digest in named if is_digest(digest)))
    seen = set(queue)
    held = _read_ahead(ground, index, queue)
    while queue:
        asked, queue = queue, []
        held |= layout.look_up(ground.git, [digest for digest in asked if digest not in held])
        for digest in asked:
            link, record = _run(digest, held[digest], brought)
            yield link
            if record and digest == version.run and (other := rows.given(version, record)):
                yield other
            for path, used in digests(record["inputs"]).items() if record else ():
                maker = behind.maker(index, used)
                if maker is None:
                    raw.setdefault(used, path)
                elif maker not in seen:
                    seen.add(maker)
                    queue.append(maker)
            for path, made in digests(record["outputs"]).items() if record else ():
                if ground.level == "bytes":
                    yield _data(ground, Link("data", path, made, "cache"))
    yield from _sources(ground, version, raw)


def _read_ahead(
    ground: Ground, index: Index, starts: list[str]
) -> dict[str, list[tuple[str, bytes]]]:
    """Return the bytes of all records that the index expects, read at once; they themselves say
    which of them are asked for."""
    expected = list(starts)
    with contextlib.suppress(IntegrityError):  # a damaged one is a link of its own
        expected += [str(record.digest) for record in behind.runs(index, *starts)]
    return dict(layout.look_up(ground.git, expected))


def _locks(ground: Ground, version: Version, brought: Brought) -> Iterator[Link]:
    """Yield each lock as the commit has it: the last by its digest, all by what they say."""
    train = str(version.payload.get("train") or "").removeprefix("train.")
    named = {f"evaluate.{train}": None} if version.payload.get("lock") else {}
    steps = {str(each.get("step")): each for each in brought.steps}
    names = [*dict.fromkeys([*steps, *named])]
    paths = [f"{_LOCKS}/{name}.json" for name in names]
    held = objects.read(ground.git, [f"{version.commit}:{path}" for path in paths])
    dirty = _dirty(version)
    for name, path, blob in zip(names, paths, held, strict=True):
        step = steps.get(name)
        digest = version.payload["lock"] if name in named else (step or {}).get("key")
        link = Link("lock", path, digest if is_digest(digest) else None, "git")
        if blob is None:
            why = f"the commit of {version.name} does not hold it"
            yield link.absent(why) if path in dirty else link.found("missing", "no-lock", why)
        elif path in dirty:
            yield link.absent("it was not committed when the version was registered")
        elif name in named and Digest.of(blob.data) != digest:
            why = f"the commit of {version.name} holds another lock than it names"
            yield link.found("mismatch", "other-lock", why)
        elif step is not None and not _agrees(blob.data, step):
            why = "the provenance of the model tells of another key or other outputs"
            yield link.found("mismatch", "other-lock", why)
        else:
            yield link


def _dirty(version: Version) -> set[str]:
    """Return the files that differed from the commit when the version was registered."""
    said = version.payload.get("dirty")
    return {str(each) for each in said} if isinstance(said, list) else set()


def _agrees(data: bytes, step: Mapping[str, Any]) -> bool:
    try:
        value = json.loads(data)
        made = {path: each["digest"] for path, each in value["outputs"].items()}
    except (ValueError, KeyError, TypeError, AttributeError):
        return False
    return bool(value.get("key") == step.get("key") and made == step.get("outputs"))


def _run(
    digest: str, bodies: list[tuple[str, bytes]], brought: Brought
) -> tuple[Link, Record | None]:
    """Return the link of a record, whose bytes are hashed here, and the record if it is sound."""
    link = Link("run", digest, digest, "ledger")
    if not bodies:
        why = "no ledger here holds this record: mlops pull brings those of others"
        return link.found("missing", "unknown-record", why), None
    wrong: IntegrityError | None = None
    for source, data in bodies:
        try:
            record = parse(data, name=digest, source=source)
        except IntegrityError as exc:
            wrong = exc
            continue
        link = Link("run", str(record["step"]), digest, "ledger")
        said = brought.runs.get(digest)
        if said is not None and said != statement.of_run(record):
            why = "what was signed of this run is not what its record says"
            return link.found("mismatch", "statement-of-others", why), record
        return link, record
    assert wrong is not None
    return link.found("mismatch", wrong.code, wrong.message), None


def _sources(ground: Ground, version: Version, raw: Mapping[str, str]) -> Iterator[Link]:
    """Yield what entered from outside, as the pointer or the file in the commit has it."""
    wanted = [(path, digest) for digest, path in raw.items()]
    asked = [f"{version.commit}:{path}{end}" for path, _ in wanted for end in (".mlops", "")]
    held = objects.read(ground.git, asked)
    dirty = _dirty(version)
    for (path, digest), pointer, file in zip(wanted, held[::2], held[1::2], strict=True):
        link = Link("source", path, digest, "git")
        if pointer is not None and pointer.kind == "blob":
            yield _pointed(link, pointer.data, version, committed=f"{path}.mlops" not in dirty)
            if ground.level == "bytes":
                yield _data(ground, Link("data", path, digest, "cache"))
        elif file is not None and file.kind == "blob":
            same = "sha256:" + hashlib.sha256(file.data).hexdigest() == digest
            if same or path in dirty:
                yield link
            else:
                why = f"the commit of {version.name} holds other bytes there"
                yield link.found("mismatch", "other-data", why)
        else:
            yield link.absent(f"the commit of {version.name} does not say what it is")
            if ground.level == "bytes":
                yield _data(ground, Link("data", path, digest, "cache"))


def _pointed(link: Link, data: bytes, version: Version, *, committed: bool) -> Link:
    def check() -> None:
        pointer = parse_pointer(data, file=f"{link.label}.mlops")
        if pointer.digest != link.digest and committed:
            raise IntegrityError(
                f"the pointer at the commit of {version.name} says {pointer.digest}",
                code="other-data",
                hint=f"git show {version.commit}:{link.label}.mlops",
            )

    return judged(link, check)


def _data(ground: Ground, link: Link) -> Link:
    link = ground.bytes_of(link, hashed=True)
    return link if link.bad else judged(link, lambda: ground.read(link))
