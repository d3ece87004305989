"""The bundle of a model: what its steps made, its card, its provenance; one tree in the cache."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mlops_cli import encode
from mlops_cli.errors import IntegrityError, NotFound
from mlops_cli.pipeline.traces.lock import Lock
from mlops_cli.registry.version import LISTING
from mlops_cli.store.cache import Cache
from mlops_cli.store.digest import Digest
from mlops_cli.store.tree import Entry, parse_tree, totals, write_tree

MODEL = "model.onnx"
JUDGED = ("test.parquet", "dataset.json")  # the rows, and which of their columns is the label
NEEDED = (MODEL, "schema.json", "golden.arrow", "training.json", "metrics.json")


@dataclass(frozen=True, slots=True)
class Bundle:
    """The files of a bundle by name. `read` verifies what it returns."""

    cache: Cache
    files: Mapping[str, Entry]

    def read(self, name: str) -> bytes:
        """Return the bytes of a file. Raises NotFound ("incomplete-bundle"), IntegrityError."""
        if name not in self.files:
            raise NotFound(
                f"the bundle has no {name}",
                code="incomplete-bundle",
                hint="mlops run, then mlops register",
            )
        return self.cache.read(self.files[name].digest)

    def json(self, name: str) -> Any:
        """Return the value in a JSON file."""
        return encode.parse_json(self.read(name), source=name)

    def digest(self, name: str) -> Digest:
        """Return the digest of a file that is there."""
        return self.files[name].digest


def opened(cache: Cache, tree: Digest) -> Bundle:
    """Return the bundle, or any other folder, whose tree is `tree`."""
    return Bundle(cache, {entry.name: entry for entry in parse_tree(cache.read(tree))})


def gathered(cache: Cache, outputs: Mapping[str, Lock], train: str) -> Bundle:
    """Return what `train.T` and `evaluate.T` made, as their locks in `outputs` name it.

    Raises NotFound ("missing-object", "incomplete-bundle") unless every byte is in the cache.
    """
    files: dict[str, Entry] = {}
    for step, out in (("train", "model"), ("evaluate", "evaluation")):
        made = outputs[f"{step}.{train}"].outputs[f"out/{train}/{out}"]
        files |= opened(cache, Digest.parse(made.digest)).files
    absent = [name for name in NEEDED if name not in files]
    gone = cache.missing(entry.digest for entry in files.values())
    if absent or gone:
        names = absent or [name for name, entry in files.items() if entry.digest in gone]
        raise NotFound(
            f"the model of train.{train} is not complete: {', '.join(names)}",
            code="incomplete-bundle" if absent else "missing-object",
            hint="mlops run --force train." + train if absent else "mlops pull",
        )
    return Bundle(cache, files)


def stored(bundle: Bundle, more: Mapping[str, bytes]) -> Digest:
    """Store the files `more` beside those of `bundle`; return the digest of the whole tree.

    Objects come before the tree, so a crash leaves objects without a name and nothing else.
    """
    files = dict(bundle.files)
    with bundle.cache.writer() as writer:
        for name, data in more.items():
            if name in files:
                raise IntegrityError(
                    f"a step made a file called {name}, which is a name of the bundle's own",
                    code="reserved-name",
                    hint="let the step write it under another name",
                )
            files[name] = Entry(name, "file", writer.put(data), len(data))
        return writer.put(write_tree(files.values()))


def judged_on(cache: Cache, dataset: Digest) -> Digest:
    """Store, as a folder of its own, what of `dataset` a model is judged on; return its digest.

    Whoever is to judge it again elsewhere needs these rows, not those it was trained on, and the
    listing of all, which shows that they are of that dataset. Raises NotFound ("missing-object").
    """
    listing = cache.read(dataset)
    files = opened(cache, dataset).files
    whole = Entry(LISTING, "file", dataset, len(listing))
    with cache.writer() as writer:
        return writer.put(write_tree([*(files[name] for name in JUDGED), whole]))


def size(cache: Cache, tree: Digest) -> int:
    """Return the bytes of a bundle."""
    return totals(parse_tree(cache.read(tree)))[0]
