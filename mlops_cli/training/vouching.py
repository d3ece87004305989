"""What vouches for a bundle: signed statements of the model and its runs, and model.sig."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mlops_cli.ledger.index import Index
from mlops_cli.registry import attestations, behind, keys, modelsign, statement
from mlops_cli.store.digest import Digest
from mlops_cli.training.bundle import Bundle
from mlops_cli.training.parts import Parts


def vouched(
    parts: Parts,
    index: Index,
    made: Bundle,
    more: Mapping[str, bytes],
    *,
    name: str,
    runs: Sequence[str | None],
) -> dict[str, bytes]:
    """Return the files that vouch for those of `made` and `more`: none where no key is set.

    The statements are those of the model (provenance.json), of `runs` and of all runs behind
    them; model.sig is of all files, these statements too. Raises as `signers.sign` and
    `modelsign.sign`.
    """
    found: dict[str, bytes] = {}
    key = keys.key_unasked(parts.git)
    if key is not None:
        said = (statement.of_run(each) for each in behind.runs(index, *runs))
        found[attestations.FILE] = attestations.signed([more[statement.FILE], *said], key)
    if parts.model_key is not None:
        files = {file: entry.digest for file, entry in made.files.items()}
        files |= {file: Digest.of(data) for file, data in {**more, **found}.items()}
        found[modelsign.FILE] = modelsign.sign(name, files, parts.model_key)
    return found
