"""A version as a CycloneDX bill of materials (ML-BOM): model, data, libraries, what needs what.

https://cyclonedx.org/docs/1.6/json/ The same version gives the same bytes: no clock, no random id.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any

import mlops_cli
from mlops_cli.integrations.libraries import Library
from mlops_cli.registry.card import numbers, task_of
from mlops_cli.registry.evidence import fields, items
from mlops_cli.registry.origin import Origin
from mlops_cli.registry.version import Version
from mlops_cli.registry.words import Words
from mlops_cli.store.digest import Digest

SPEC = "1.6"
# licences that go by their SPDX id here; any other goes by its name
_SPDX = (
    *("Apache-2.0", "MIT", "BSD-2-Clause", "BSD-3-Clause", "MPL-2.0", "ISC", "Unlicense"),
    *("GPL-2.0-only", "GPL-3.0-only", "GPL-3.0-or-later", "LGPL-3.0-only", "AGPL-3.0-only"),
    *("CC0-1.0", "CC-BY-4.0", "CC-BY-SA-4.0", "CC-BY-NC-4.0"),
)
_IDS = {name.lower(): name for name in _SPDX}


def bom(
    version: Version, words: Words, origin: Origin, libraries: Sequence[Library]
) -> dict[str, Any]:
    """Return the bill of `version`: what it was made of as the ledger has it, what people said of
    it, and the libraries of the environment that trained it."""
    data = [_data(path, digest) for path, digest in origin.data.items()]
    packages = [_library(each) for each in libraries]
    identity = str(version.payload_digest)
    refs = {each.name: each.purl for each in libraries}
    needs = {each.purl: sorted(refs[n] for n in each.needs if n in refs) for each in libraries}
    model = _model(version, words, origin, [each["bom-ref"] for each in data])
    return {
        "$schema": f"http://cyclonedx.org/schema/bom-{SPEC}.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": SPEC,
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, identity)}",
        "version": 1,
        "metadata": {
            **_given(timestamp=version.payload.get("created")),
            "tools": {
                "components": [
                    {"type": "application", "name": "mlops-cli", "version": mlops_cli.__version__}
                ]
            },
            "component": model,
        },
        "components": [*data, *packages],
        "dependencies": [
            {
                "ref": model["bom-ref"],
                "dependsOn": [each["bom-ref"] for each in (*data, *packages)],
            },
            *({"ref": each["bom-ref"]} for each in data),
            *({"ref": ref, "dependsOn": found} for ref, found in needs.items()),
        ],
    }


def _model(version: Version, words: Words, origin: Origin, data: list[str]) -> dict[str, Any]:
    payload = version.payload
    licence = words.said("license", "licence")
    owner = words.said("owner")
    properties = {
        "mlops:tag": version.tag,
        "mlops:payload": str(version.payload_digest),
        "mlops:bundle": payload.get("bundle"),
        "mlops:run": payload.get("run"),
        "mlops:dataset": payload.get("dataset"),
        "mlops:format": payload.get("format"),
    }
    opset = fields(fields(payload.get("file")).get("opset"))
    for domain, number in opset.items():
        properties[f"mlops:opset:{domain}"] = number
    return {
        "type": "machine-learning-model",
        "bom-ref": f"model:{version.name}",
        "name": version.model,
        "version": f"v{version.number}",
        **_given(description=words.said("predicts", "description")),
        "hashes": _hashes(version.digest),
        **({"licenses": [_licence(licence)]} if licence else {}),
        **({"publisher": owner} if owner else {}),
        **_given(author=payload.get("actor")),
        "pedigree": {"commits": [{"uid": version.commit}]},
        "modelCard": _card(version, words, origin, data),
        "properties": [
            {"name": name, "value": str(value)} for name, value in properties.items() if value
        ],
    }


def _card(version: Version, words: Words, origin: Origin, data: list[str]) -> dict[str, Any]:
    payload = version.payload
    considered = {
        "useCases": [words.uses] if words.uses else [],
        "technicalLimitations": [words.limits] if words.limits else [],
        "ethicalConsiderations": [{"name": words.fairness}] if words.fairness else [],
    }
    training = origin.training
    return {
        "modelParameters": {
            "approach": {"type": "supervised"},
            **_given(task=task_of(version)),
            **({"datasets": [{"ref": ref} for ref in data]} if data else {}),
            "inputs": _formats(payload.get("inputs")),
            "outputs": _formats(payload.get("outputs")),
        },
        "quantitativeAnalysis": {
            "performanceMetrics": [
                {"type": name, "value": repr(value), "slice": "test rows"}
                for name, value in numbers(version).items()
            ]
        },
        "considerations": {name: value for name, value in considered.items() if value},
        "properties": [
            {"name": f"mlops:param:{name}", "value": str(value)}
            for name, value in sorted(fields(training["params"] if training else None).items())
        ],
    }


def _formats(columns: Any) -> list[dict[str, str]]:
    named = filter(None, map(fields, items(columns)))
    return [{"format": f"{each.get('name')}: {each.get('dtype')}"} for each in named]


def _data(path: str, digest: str) -> dict[str, Any]:
    return {
        "type": "data",
        "bom-ref": f"data:{path}@{digest}",
        "name": path,
        "version": digest,
        "hashes": _hashes(digest),
        "data": [{"type": "dataset", "name": path}],
    }


def _library(library: Library) -> dict[str, Any]:
    return {
        "type": "library",
        "bom-ref": library.purl,
        "name": library.name,
        "version": library.version,
        "purl": library.purl,
        **({"hashes": _hashes(library.digest)} if library.digest else {}),
    }


def _hashes(digest: str) -> list[dict[str, str]]:
    return [{"alg": "SHA-256", "content": Digest.parse(str(digest)).hex}]


def _licence(said: str) -> dict[str, Any]:
    known = _IDS.get(said.lower())
    return {"license": {"id": known} if known else {"name": said}}


def _given(**values: Any) -> dict[str, str]:
    return {name: str(value) for name, value in values.items() if value}
