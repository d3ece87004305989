"""Facts about a version that are looked up, not computed: its code, people, data, and its uses."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from mlops_cli.encode import parse_json
from mlops_cli.errors import MlopsError
from mlops_cli.ledger.index import open_index
from mlops_cli.pipeline.graph.reading import of_pipeline
from mlops_cli.pipeline.traces.lock import path_of, read_locks
from mlops_cli.registry import sealed
from mlops_cli.store.digest import Digest
from mlops_cli.training import bundle as bundles
from mlops_cli.training import register
from mlops_cli.training.case import Case


def clean(case: Case) -> bool:
    """Return whether a commit holds all that made the version: the one it was registered at, or
    HEAD, when what was missing then has been committed since."""
    git, version = case.parts.git, case.version
    if version.payload.get("dirty") == []:
        return True
    train = case.section.source.removeprefix("train.")
    lock = git.show("HEAD", path_of(f"evaluate.{train}"))
    if lock is None or Digest.of(lock) != version.payload.get("lock"):
        return False
    graph = of_pipeline(case.pipeline)
    locks = read_locks(case.parts.root, graph.select([f"evaluate.{train}"]))
    return not git.dirty(register.behind(case.pipeline, locks, case.section))


def patch(case: Case) -> str | None:
    """Return the digest of what differed from the commit in the run, where the cache holds it."""
    if case.version.run is None:
        return None
    with open_index(case.parts.git) as index:
        run = index.get(case.version.run)
    kept = ((run["code"] or {}) if run else {}).get("patch")
    return str(kept) if kept and case.parts.cache.has(Digest.parse(kept)) else None


def trainers(case: Case) -> set[str]:
    """Return the addresses of who trained and who registered the version."""
    actors = [case.version.payload.get("actor")]
    if case.version.run is not None:
        with open_index(case.parts.git) as index:
            run = index.get(case.version.run)
        actors.append(run["actor"] if run else None)
    return {_address(str(actor)) for actor in actors if actor}


def branch(case: Case) -> dict[str, Any]:
    """Return whether the protected branch holds the commit of the version."""
    commit = case.version.commit
    reachable = case.protected.holds(commit)
    return {"commit": commit, "branch": case.protected.name, "reachable": reachable}


def signed(case: Case) -> dict[str, Any]:
    """Return who signed the tag of the version, or why nobody did who counts."""
    try:
        allowed = case.protected.allowed()
        if allowed is None:
            why = f"{case.protected.name or 'no protected branch'} lists no allowed signers"
            return {"signer": None, "why": why}
        return {"signer": sealed.signer(case.parts.git, case.version.tag_id, allowed)}
    except MlopsError as exc:
        return {"signer": None, "why": exc.message, "code": exc.code}


def card(case: Case) -> dict[str, Any] | None:
    """Return the card in the bundle, None where it has none."""
    if "card.md" not in case.bundle.files:
        return None
    text = case.bundle.read("card.md").decode("utf-8", "replace")
    return {"text": text, "digest": str(case.bundle.digest("card.md"))}


def validated(case: Case) -> dict[str, Any] | None:
    """Return source → how many rules it was held against and which are broken: the reports of the
    steps `data.*` behind the version, as its provenance names them."""
    if "provenance.json" not in case.bundle.files:
        return None
    said = case.bundle.json("provenance.json")["predicate"]["buildDefinition"]
    sources: dict[str, Any] = {}
    for step in (said.get("internalParameters") or {}).get("steps") or ():
        kind, _, name = str(step["step"]).partition(".")
        report = (step.get("outputs") or {}).get(f"out/data/{name}.json")
        if kind == "data" and report:
            found = parse_json(case.parts.cache.read(Digest.parse(report)), source=report)
            rules = found.get("rules") or ()
            broken = [each["rule"] for each in rules if not each["passed"]]
            sources[name] = {"rules": len(rules), "broken": broken, "report": report}
    return {"sources": sources}


def age(case: Case) -> dict[str, Any] | None:
    """Return the time of the newest row that the dataset was made from, and that of now."""
    if not case.tested:
        return None
    folder = bundles.opened(case.parts.cache, Digest.parse(case.version.payload["dataset"]))
    facts = folder.json("dataset.json")
    parts = [facts.get("source"), *(facts.get("split") or {}).values()]
    ends = [part["end"] for part in parts if isinstance(part, dict) and part.get("end")]
    newest = max((_moment(end) for end in ends), default=None)
    return {"newest": newest.isoformat() if newest else None, "now": _moment(case.at).isoformat()}


def drift(case: Case, monitor: str) -> dict[str, Any]:
    """Return the drift that the last check of the monitor found, up to the moment of the case."""
    now = _moment(case.at)
    with open_index(case.parts.git) as index:
        for check in index.newest("check"):
            if check["monitor"] != monitor or check["verdict"] == "not-enough-data":
                continue
            at = _moment(str(check["at"] or check["time"]))
            if at <= now:
                severity = ((check["families"] or {}).get("drift") or {}).get("severity")
                told = {"severity": severity, "at": at.isoformat(), "now": now.isoformat()}
                return told | {"check": str(check.digest)}
    return {"severity": None, "now": now.isoformat()}


def uses(case: Case) -> dict[str, Any]:
    """Return how many versions were decided on by these test rows, this one among them.

    A version that is judged again teaches nobody anything new, so each counts once.
    """
    rows, mine = str(case.scored.digest), str(case.version.digest)
    now = _moment(case.at)
    with open_index(case.parts.git) as index:
        decided = {
            str((each["challenger"] or {}).get("digest"))
            for each in index.newest("evaluation")
            if each["rows"] == rows and _moment(str(each["time"])) <= now
        }
    return {"rows": rows, "n": len(case.scored.label), "uses": len(decided | {mine})}


def _moment(at: datetime | str) -> datetime:
    moment = datetime.fromisoformat(at) if isinstance(at, str) else at
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _address(actor: str) -> str:
    """Return the address in "Ada <ada@example.org>", the whole of it where there is none."""
    return actor.rpartition("<")[2].rstrip(">").strip() or actor
