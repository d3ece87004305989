"""Versions and aliases of mlops become those of an MLflow server, beside the runs they came from.

A version there is known by the tag `mlops.digest`; what is there already is left alone.
"""

from __future__ import annotations

from collections.abc import Iterable

from mlops_cli.errors import MlopsError, NotFound
from mlops_cli.integrations.mlflow.row import Row
from mlops_cli.integrations.mlflow.send import Sending
from mlops_cli.registry.holdings import Holdings

VERSION = "mlops.digest"


def send(sending: Sending, held: Iterable[Holdings]) -> None:
    """Send the versions whose run is there, and their aliases."""
    for one in held if sending.there else ():
        numbers = _versions(sending, one)
        for alias, event in one.current().items():
            shown = f"{one.model}@{alias}"
            number = numbers.get(event.version or 0)
            if number is None:
                sending.rows.append(Row("alias", shown, "left out", "its version is not there"))
            elif sending.dry_run:
                sending.rows.append(Row("alias", shown, "sent"))
            else:
                sending.server.post(
                    "registered-models/alias", name=one.model, alias=alias, version=number
                )
                sending.rows.append(Row("alias", shown, "sent"))


def _versions(sending: Sending, held: Holdings) -> dict[int, str]:
    """Send versions; return our number → theirs."""
    known = _known(sending, held.model)
    numbers: dict[int, str] = {}
    for version in held.versions:
        if number := known.get(str(version.digest)):
            numbers[version.number] = number
            sending.rows.append(Row("version", version.name, "unchanged", f"it is {number} there"))
            continue
        run = sending.there.get(str(version.run))
        if run is None or not sending.with_artifacts:
            sending.rows.append(Row("version", version.name, "left out", "its run is not there"))
            continue
        if sending.dry_run:
            sending.rows.append(Row("version", version.name, "sent"))
            continue
        try:
            below = f"versions/{held.model}-v{version.number}/"
            if not sending.files(str(version.bundle), run[1], below, version.name):
                continue
            made = sending.server.post(
                "model-versions/create",
                name=held.model,
                source=f"{run[1].rstrip('/')}/{below.rstrip('/')}",
                run_id=run[0],
                tags=[{"key": VERSION, "value": str(version.digest)}],
            )["model_version"]
            numbers[version.number] = made["version"]
            there = f"it is {made['version']} there"
            sending.rows.append(Row("version", version.name, "sent", there))
        except MlopsError as exc:
            sending.rows.append(Row("version", version.name, "refused", exc.message))
    return numbers


def _known(sending: Sending, model: str) -> dict[str, str]:
    """Return digest → number of the versions that an earlier export sent."""
    try:
        sending.server.get("registered-models/get", name=model)
    except NotFound:
        if not sending.dry_run:
            sending.server.post("registered-models/create", name=model)
        return {}
    answer = sending.server.get(
        "model-versions/search", filter=f"name='{model}'", max_results=10_000
    )
    return {
        tag["value"]: version["version"]
        for version in answer.get("model_versions", ())
        for tag in version.get("tags", ())
        if tag["key"] == VERSION
    }
