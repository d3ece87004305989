"""The rows that a version is judged on: those of the dataset that its run was given."""

from __future__ import annotations

from collections.abc import Iterator

from mlops_cli.errors import IntegrityError
from mlops_cli.ledger.record import Record
from mlops_cli.registry.chain.ground import Ground
from mlops_cli.registry.chain.link import Link, judged
from mlops_cli.registry.statement import digests
from mlops_cli.registry.version import LISTING, Version
from mlops_cli.store.digest import Digest
from mlops_cli.store.tree import parse_tree


def rows(ground: Ground, version: Version) -> Iterator[Link]:
    """Yield the link of the test rows. Who signs a version could name easier ones, and every gate
    that is judged again would open on them."""
    said, whole = version.judged_on, version.payload.get("dataset")
    if said is None or ground.level == "refs":
        return
    link = Link("rows", version.name, str(said), "cache")
    if not ground.cache.has(said):
        yield link.absent("its bytes are not in this cache")
    elif whole is None:
        why = f"{version.name} names no dataset that they are of"
        yield link.found("mismatch", "other-rows", why)
    elif not ground.cache.has(dataset := Digest.parse(whole)):
        yield link.absent("the dataset is not in this cache, so nobody can tell whether they are")
    else:

        def check() -> None:
            ours, theirs = (
                {(each.name, each.digest) for each in parse_tree(ground.cache.read(tree))}
                for tree in (said, dataset)
            )
            if not ours - {(LISTING, dataset)} <= theirs:
                raise IntegrityError(
                    "they are not those of the dataset that it names",
                    code="other-rows",
                    hint="register the model again",
                )

        yield judged(link, check)


def given(version: Version, run: Record) -> Link | None:
    """Return the link of a dataset that `run`, which made the version, was not given."""
    dataset = version.payload.get("dataset")
    if dataset is None or dataset in digests(run["inputs"]).values():
        return None
    link = Link("rows", version.name, dataset, "ledger")
    return link.found("mismatch", "other-rows", "the run that made it was given another dataset")
