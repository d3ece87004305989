"""How the models of a project do, for those who pay for them: KPI, state, history, cost."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from mlops_cli.ledger.index import Index
from mlops_cli.ledger.record import Record
from mlops_cli.pipeline.model.pipeline import Pipeline
from mlops_cli.pipeline.model.project import Kpi
from mlops_cli.registry.alias import AliasEvent, check_chain
from mlops_cli.registry.evidence import fields, items
from mlops_cli.registry.holdings import Holdings
from mlops_cli.registry.origin import cpu_seconds, origin
from mlops_cli.registry.version import Version

SERVED = "production"
_LOOKED_AT = 20  # newest versions that say which steps make the model


@dataclass(frozen=True, slots=True)
class Price:
    """What an hour of one processor costs; None where nobody said."""

    cpu_hour: float | None = None
    currency: str = "USD"


def accounts(
    pipeline: Pipeline, holdings: Mapping[str, Holdings], index: Index, price: Price
) -> list[dict[str, Any]]:
    """Return the account of every model that is declared or registered, by name.

    Raises IntegrityError ("alias-chain-broken").
    """
    names = sorted({*pipeline.models, *holdings})
    held = {name: holdings.get(name) or Holdings(name, (), {}) for name in names}
    return [_account(pipeline, held[name], index, price) for name in names]


def _account(pipeline: Pipeline, held: Holdings, index: Index, price: Price) -> dict[str, Any]:
    kpi = pipeline.project.kpi
    current = held.current()
    for events in held.aliases.values():
        check_chain(events)
    trend = sorted(_trend(held, index, kpi), key=lambda point: point["time"]) if kpi else []
    return {
        "name": held.model,
        "owner": _owner(pipeline, held.model),
        "versions": len(held.versions),
        "production": _production(held, current.get(SERVED)),
        "aliases": {name: event.version for name, event in current.items()},
        "deployed": list(_deployed(index, held.model)),
        "kpi": kpi and _kpi(kpi, held, current.get(SERVED), trend),
        "trend": trend,
        "checked": _checked(index, {str(v.payload.get("digest")) for v in held.versions}),
        "history": sorted(_history(held), key=lambda event: str(event["time"]), reverse=True),
        "cost": _cost(held.versions, index, price),
    }


def _owner(pipeline: Pipeline, model: str) -> str | None:
    declared = pipeline.models.get(model)
    owners = pipeline.project.owners
    said = getattr(declared, "owner", None)
    if said:
        return str(owners.get(said, said))
    return owners.get("business") or owners.get("science") or next(iter(owners.values()), None)


def _production(held: Holdings, event: AliasEvent | None) -> dict[str, Any] | None:
    if event is None or event.version is None:
        return None
    version = next((v for v in held.versions if v.number == event.version), None)
    return {
        "version": event.version,
        "since": event.payload.get("time"),
        "by": event.payload.get("actor"),
        "reason": event.payload.get("reason"),
        "registered": version.payload.get("created") if version else None,
    }


def _deployed(index: Index, model: str) -> Iterator[dict[str, Any]]:
    """Yield what each environment does now: the last that was done there with the model."""
    seen: set[str] = set()
    for record in index.newest("deployment", model=model):
        environment = str(record["environment"])
        if environment not in seen:
            seen.add(environment)
            told = ("environment", "version", "action", "time", "url")
            yield {name: record[name] for name in told}


def _kpi(
    kpi: Kpi, held: Holdings, event: AliasEvent | None, trend: list[dict[str, Any]]
) -> dict[str, Any]:
    """Return the KPI with its last figure: as served where that was measured, else as tested."""
    number = event.version if event else (held.versions[-1].number if held.versions else None)
    mine = [point for point in trend if point["version"] == number]
    served = [point for point in mine if point["what"] == "served"]
    last = next(reversed(served or mine), None)
    value = last["value"] if last else None
    return {
        "metric": kpi.metric,
        "at_least": kpi.at_least,
        "at_most": kpi.at_most,
        "value": value,
        "from": last and last["what"],
        "time": last and last["time"],
        "met": None if value is None else meets(kpi, value),
    }


def meets(kpi: Kpi, value: float) -> bool | None:
    """Return whether a figure reaches the bound, None where there is none."""
    if kpi.at_least is None and kpi.at_most is None:
        return None
    low, high = kpi.at_least, kpi.at_most
    return bool((low is None or value >= low) and (high is None or value <= high))


def _trend(held: Holdings, index: Index, kpi: Kpi) -> Iterator[dict[str, Any]]:
    """Yield the figures of the KPI: of each version when it was tested, of each check since."""
    digests: dict[str, int] = {}
    for version in held.versions:
        digests[str(version.payload.get("digest"))] = version.number
        value = fields(version.payload.get("metrics")).get(kpi.metric)
        yield from _point(value, version.payload.get("created"), version.number, "tested")
    for record in index.newest("check"):
        models = [each for each in items(record["models"]) if str(each) in digests]
        if models:
            value = fields(record["metrics"]).get(kpi.metric)
            end = fields(record["window"]).get("end")
            number = record["version"]
            known = number if isinstance(number, int) else digests[models[-1]]
            yield from _point(value, end, known, "served")


def _point(value: Any, time: Any, version: int, what: str) -> Iterator[dict[str, Any]]:
    kinds = (int, float)
    if isinstance(value, kinds) and not isinstance(value, bool) and _is_time(time):
        yield {"time": time, "value": float(value), "version": version, "what": what}


def _is_time(value: Any) -> bool:
    try:
        return isinstance(value, str) and bool(datetime.fromisoformat(value))
    except ValueError:
        return False


def _checked(index: Index, digests: Iterable[str]) -> dict[str, Any] | None:
    known = set(digests)
    for record in index.newest("check"):
        if known & set(map(str, items(record["models"]))):
            return {name: record[name] for name in ("time", "verdict", "window", "rows")}
    return None


def _history(held: Holdings) -> Iterator[dict[str, Any]]:
    for events in held.aliases.values():
        for event in events:
            yield {
                "time": event.payload.get("time") or "",
                "what": event.action,
                "alias": event.alias,
                "version": event.version,
                "actor": event.payload.get("actor"),
                "reason": event.payload.get("reason"),
            }


def _cost(versions: tuple[Version, ...], index: Index, price: Price) -> dict[str, Any]:
    """Return what the steps that make the model used, in all their attempts: failed ones too."""
    newest = versions[-_LOOKED_AT:]
    steps = {str(run["step"]) for version in newest for run in origin(index, version).runs}
    runs: list[Record] = [
        run for step in sorted(steps) for run in index.newest("run", step=step) if _worked(run)
    ]
    hours = sum(cpu_seconds(run) for run in runs) / 3600
    measured = sum(1 for run in runs if fields(run["environment"]).get("cpu_seconds") is not None)
    money = None if price.cpu_hour is None else hours * price.cpu_hour
    return {
        "runs": len(runs),
        "measured": measured,
        "cpu_hours": round(hours, 6),
        "money": None if money is None else round(money, 4),
        "currency": price.currency if money is not None else None,
    }


def _worked(run: Record) -> bool:
    return str(run["status"]) != "cached"
