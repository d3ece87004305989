"""What vouches for a bundle: signed statements of the model and its runs, and model.sig."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mlops_cli.ledger.index import open_index
from mlops_cli.registry import attestations, keys, modelsign, statement
from mlops_cli.registry.chain import origin
from mlops_cli.store.digest import Digest
from mlops_cli.training.bundle import Bundle
from mlops_cli.training.parts import Parts


def vouched(
    parts: Parts,
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
        with open_index(parts.git) as index:
            behind = origin.runs(index, *runs)
        payloads = [more[attestations.PROVENANCE], *(statement.of_run(each) for each in behind)]
        found[attestations.FILE] = attestations.signed(payloads, key)
    if parts.model_key is not None:
        files = {name: entry.digest for name, entry in made.files.items()}
        files |= {name: Digest.of(data) for name, data in {**more, **found}.items()}
        found[modelsign.FILE] = modelsign.sign(name, files, parts.model_key)
    return found
