"""model.sig of a bundle, held against those whom the protected branch lists."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

from mlops_cli.errors import IntegrityError
from mlops_cli.registry import allowed, envelope, modelsign
from mlops_cli.registry.chain.ground import Ground
from mlops_cli.registry.chain.link import Link, judged
from mlops_cli.registry.version import Version
from mlops_cli.store.digest import Digest
from mlops_cli.store.tree import Entry


def signature(ground: Ground, version: Version, files: Mapping[str, Entry]) -> Iterator[Link]:
    """Yield the link of model.sig. Where identities alone are listed, nobody else stands for the
    version: it has to be there, and somebody here has to judge it."""
    entry = files.get(modelsign.FILE)
    named = version.payload.get("signature")
    alone = ground.allowed is None and ground.keyless is not None
    if entry is None and named is None:
        if alone:
            link = Link("signature", version.name, None, "cache")
            yield link.found("untrusted", "unsigned", f"it has no {modelsign.FILE}")
        return
    link = Link("signature", version.name, entry.digest if entry else named, "cache")
    if entry is None or (named is not None and entry.digest != named):
        why = f"{version.name} names another signature than its bundle holds"
        yield link.found("mismatch", "other-signature", why)
        return
    if ground.level == "refs":
        yield link.absent("it is of all files, which this level does not read")
        return
    if ground.allowed is None and ground.keyless is None:
        yield link.absent("nobody is listed whose signature counts")
        return
    listed = ground.allowed or b""
    digests: dict[str, Digest] = {name: each.digest for name, each in files.items()}

    def check() -> str:
        signers = allowed.parse(listed.decode("utf-8", "replace"))
        data = bounded(ground, entry, envelope.LONGEST)
        return modelsign.check(
            *(data, digests, signers, ground.keyless), name=version.model, at=made(version)
        )

    link = judged(link, check)
    if alone and link.wrong and not link.bad:
        link = link.found("untrusted", link.code or "", link.wrong)
    yield link


def bounded(ground: Ground, entry: Entry, most: int) -> bytes:
    """Return a file of the bundle that is no larger than it may be."""
    if (size := ground.cache.size(entry.digest)) > most:
        raise IntegrityError(
            f"{entry.name} has {size:,} bytes, {most:,} are the most",
            code="malformed-envelope",
            hint="register the model again",
        )
    return ground.cache.read(entry.digest)


def made(version: Version) -> datetime:
    """Return when the version says that it was made, in UTC; long ago where it does not."""
    said = datetime.fromisoformat(version.payload.get("created") or "1970-01-01")
    return said if said.tzinfo else said.replace(tzinfo=UTC)
