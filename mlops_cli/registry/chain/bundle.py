"""The bundle of a version: its files, what vouches for them, and what they say they come from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from mlops_cli.errors import IntegrityError
from mlops_cli.registry import attestations, envelope, statement
from mlops_cli.registry.chain import signature
from mlops_cli.registry.chain.ground import Ground
from mlops_cli.registry.chain.link import Link, judged
from mlops_cli.registry.envelope import Envelope
from mlops_cli.registry.version import Version
from mlops_cli.store.tree import Entry, parse_tree


@dataclass(slots=True)
class Brought:
    """What the bundle says of the past: the steps of its provenance, and statements of runs by
    the digest of their record."""

    steps: Sequence[Mapping[str, Any]] = ()
    runs: dict[str, bytes] = field(default_factory=dict)


def bundle(ground: Ground, version: Version, brought: Brought) -> Iterator[Link]:
    """Yield the links of the bundle, filling `brought`."""
    if version.payload.get("bundle") is None:
        link = Link("bundle", version.name, version.digest, "tags")
        yield link.absent("the version names no bundle")
        yield from signature.signature(ground, version, {})
        return
    hashed = ground.level != "refs"
    link = Link("bundle", version.name, str(version.bundle), "cache")
    link = ground.bytes_of(link, hashed=hashed)
    if link.state != "ok":
        yield link
        if version.payload.get("signature") is None:
            yield from signature.signature(ground, version, {})
        return
    files: dict[str, Entry] = {}

    def opened() -> None:
        files.update((entry.name, entry) for entry in parse_tree(ground.cache.read(version.bundle)))

    link = judged(link, opened)
    yield link
    if link.bad:
        return
    yield _model(ground, version, files)
    if hashed:
        for entry in files.values():
            one = Link("file", f"{version.name}/{entry.name}", str(entry.digest), "cache")
            if entry.digest != version.digest:
                one = ground.bytes_of(one, hashed=True)
                yield one if one.bad else judged(one, partial(ground.read, one))
    yield from _provenance(ground, version, files, brought)
    yield from signature.signature(ground, version, files)


def _model(ground: Ground, version: Version, files: Mapping[str, Entry]) -> Link:
    link = Link("model", version.name, version.digest, "cache")
    if version.digest not in {entry.digest for entry in files.values()}:
        why = f"the bundle holds no file with the digest of {version.name}"
        return link.found("mismatch", "other-model", why)
    link = ground.bytes_of(link, hashed=ground.level != "refs")
    if link.state != "ok" or ground.level == "refs":
        return link
    return judged(link, lambda: ground.read(link))


def _provenance(
    ground: Ground, version: Version, files: Mapping[str, Entry], brought: Brought
) -> Iterator[Link]:
    entry = files.get(statement.FILE)
    if entry is None:
        link = Link("provenance", version.name, None, "cache")
        yield link.absent("the bundle says nothing of where it comes from")
        return
    link = Link("provenance", version.name, str(entry.digest), "cache")
    payload = b""

    def read() -> None:
        nonlocal payload
        payload = signature.bounded(ground, entry, envelope.LONGEST)
        said = statement.read(payload, source=link.label)
        _subjects(said, files, version)
        build = said["predicate"]["buildDefinition"]
        brought.steps = build.get("internalParameters", {}).get("steps", ())
        run = said["predicate"]["runDetails"]["metadata"]["invocationId"]
        if run != version.run:
            raise _of_others(
                f"it names the run {run}, and {version.name} was made by {version.run}"
            )

    yield judged(link, read)
    if payload:
        yield from _attested(ground, version, files, payload, brought)


def _attested(
    ground: Ground,
    version: Version,
    files: Mapping[str, Entry],
    payload: bytes,
    brought: Brought,
) -> Iterator[Link]:
    entry = files.get(attestations.FILE)
    named = version.payload.get("attestation")
    link = Link("attestation", version.name, entry.digest if entry else named, "cache")
    if entry is None and named is None:
        yield link.absent("nobody signed where it comes from")
        return
    if entry is None or (named is not None and entry.digest != named):
        why = f"{version.name} names another attestation than its bundle holds"
        yield link.found("mismatch", "other-attestation", why)
        return
    signed: dict[str, Envelope] = {}

    def read() -> str | None:
        first, *others = attestations.parse(signature.bounded(ground, entry, attestations.LONGEST))
        if first.payload != payload:
            raise _of_others("it was made for another provenance than the bundle holds")
        for each in others:
            said = statement.read(each.payload, source=link.label)
            signed[str(said["predicate"]["runDetails"]["metadata"]["invocationId"])] = each
        return _signer(ground, version, first)

    yield judged(link, read)
    # one that is of no run of this chain is looked for by nobody, and nobody finds it
    brought.runs.update((run, each.payload) for run, each in signed.items())
    if ground.level == "bytes":
        for each in signed.values():
            one = Link("attestation", _step(each), str(entry.digest), "cache")
            yield judged(one, partial(_signer, ground, version, each))


def _step(each: Envelope) -> str:
    """Return the step that a statement of a run is about."""
    build = statement.read(each.payload, source="a statement")["predicate"]["buildDefinition"]
    return str(build["externalParameters"].get("step"))


def _signer(ground: Ground, version: Version, each: Envelope) -> str | None:
    if ground.allowed is None:
        return None
    return ", ".join(envelope.check(each, ground.allowed, at=signature.made(version)))


def _subjects(said: Mapping[str, Any], files: Mapping[str, Entry], version: Version) -> None:
    """Raise IntegrityError ("statement-of-others") where a subject is not in the bundle, or the
    model is none."""
    about = statement.subjects(said)
    for name, digest in about.items():
        if name not in files or files[name].digest != digest:
            raise _of_others(f"it is about {name} {digest}, which the bundle does not hold")
    if version.digest not in about.values():
        raise _of_others(f"it is not about the model of {version.name}")


def _of_others(why: str) -> IntegrityError:
    return IntegrityError(why, code="statement-of-others", hint="register the model again")
