"""What vouches for a bundle: signed statements of the model and its runs, and model.sig."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from mlops_cli.errors import ConfigError
from mlops_cli.ledger.index import Index
from mlops_cli.registry import attestations, behind, keys, modelsign, statement
from mlops_cli.registry.keyless import signing
from mlops_cli.store.digest import Digest
from mlops_cli.training.bundle import MODEL, Bundle
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
    them; model.sig is of all files, these statements too. Raises as `signers.sign`,
    `modelsign.sign` and `modelsign.sign_keyless`; ConfigError ("two-signers").
    """
    found: dict[str, bytes] = {}
    key = keys.key_unasked(parts.git)
    if key is not None:
        said = (statement.of_run(each) for each in behind.runs(index, *runs))
        found[attestations.FILE] = attestations.signed([more[statement.FILE], *said], key)
    files = {file: entry.digest for file, entry in made.files.items()}
    files |= {file: Digest.of(data) for file, data in {**more, **found}.items()}
    return found | _signature(parts, name, files)


def _signature(parts: Parts, name: str, files: Mapping[str, Digest]) -> dict[str, bytes]:
    if parts.settings is None:
        return {}
    key, instance = (parts.settings.get(f"signing.{what}") for what in ("model_key", "sigstore"))
    if key is not None and instance is not None:
        raise ConfigError(
            f"{modelsign.FILE} is signed by signing.model_key or by signing.sigstore, not by both",
            code="two-signers",
            hint="mlops config list signing; set signing.sigstore where CI runs alone",
        )
    if key is not None:
        key = str(parts.root / Path(key).expanduser())
        return {modelsign.FILE: modelsign.sign(name, files, key)}
    # what the public log says once it says for ever: nothing of a version that is there already
    if instance is None or parts.registry.given(name, files[MODEL])[0]:
        return {}
    if instance != signing.PUBLIC:
        instance = str(parts.root / Path(instance).expanduser())
    return {modelsign.FILE: modelsign.sign_keyless(name, files, instance)}
