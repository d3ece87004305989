"""What vouches for a bundle: signed statements of the model and its runs, and model.sig."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from mlops_cli.errors import ConfigError
from mlops_cli.ledger.index import Index
from mlops_cli.registry import attestations, behind, keys, modelsign, statement
from mlops_cli.registry.create import refresh
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
    return found | _signature(parts, name, made, {**more, **found})


def _signature(
    parts: Parts, name: str, made: Bundle, more: Mapping[str, bytes]
) -> dict[str, bytes]:
    if parts.settings is None:
        return {}
    key, instance = (parts.settings.get(f"signing.{what}") for what in ("model_key", "sigstore"))
    if key is not None and instance is not None:
        raise ConfigError(
            f"{modelsign.FILE} is signed by signing.model_key or by signing.sigstore, not by both",
            code="two-signers",
            hint="mlops config list; set signing.sigstore where CI runs alone",
        )
    if instance is not None:
        refresh(parts.registry, f"{name}/")
        if parts.registry.given(name, made.digest(MODEL))[0]:
            return {}  # a public log forgets nothing: a version that is there is not signed again
    if key is None and instance is None:
        return {}
    files = {file: entry.digest for file, entry in made.files.items()}
    files |= {file: Digest.of(data) for file, data in more.items()}
    if key is not None:
        signed = modelsign.sign(name, files, str(parts.root / Path(key).expanduser()))
    else:
        from mlops_cli.registry.keyless import signing

        if instance != signing.PUBLIC:
            instance = str(parts.root / Path(instance).expanduser())
        signed = modelsign.sign_keyless(name, files, instance)
    return {modelsign.FILE: signed}
