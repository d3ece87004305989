"""A trained model becomes a numbered version: bundle, tag, record; the version or nothing."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from mlops_cli import encode
from mlops_cli.errors import ConfigError, IntegrityError, NotFound, StateRefused
from mlops_cli.fsio import inside
from mlops_cli.ledger.index import Index, open_index
from mlops_cli.ledger.record import timestamp
from mlops_cli.pipeline.graph.reading import of_pipeline
from mlops_cli.pipeline.model.pipeline import Pipeline
from mlops_cli.pipeline.model.training import Model
from mlops_cli.pipeline.planning.parts import RunParts
from mlops_cli.pipeline.planning.prospect import prospect
from mlops_cli.pipeline.traces.lock import Lock, path_of, read_locks
from mlops_cli.registry import modelsign, records, statement
from mlops_cli.registry.attestations import FILE as ATTESTATIONS
from mlops_cli.registry.create import create
from mlops_cli.registry.modelfile import inspection
from mlops_cli.registry.version import Version
from mlops_cli.store.digest import Digest
from mlops_cli.training import allowance, golden, provenance, vouching
from mlops_cli.training import bundle as bundles
from mlops_cli.training.bundle import Bundle
from mlops_cli.training.parts import Parts

if TYPE_CHECKING:
    from mlops_cli.vcs.repo import Git


def register(
    parts: Parts, run: RunParts, pipeline: Pipeline, name: str, *, now: datetime
) -> tuple[Version, bool]:
    """Make the model that `train.T` made last the next version of `name`; return it and whether
    it is new.

    The same model.onnx again is the version it is already. Order of writes: objects, tree, tag,
    record; a crash in between is mended by calling again.
    Raises StateRefused ("stale", "no-run", "no-commit", and the codes of `inspection.admit`),
    IntegrityError ("golden-mismatch", and those of `inspection.inspect`), NotFound
    ("unknown-model", "incomplete-bundle", "missing-object").
    """
    model = declared(pipeline, name)
    train = model.source.removeprefix("train.")
    locks = _fresh_locks(run, pipeline, name, train)
    made = bundles.gathered(parts.cache, locks, train)
    allowed = allowance.allowed(name, parts.protected)
    model_file = made.digest(bundles.MODEL)
    found = inspection.inspect_object(parts.cache, model_file, name=bundles.MODEL)
    inspection.admit(found, allowed, name=bundles.MODEL)
    # what is no ONNX was allowed by name; it is kept as it is, for nothing here runs it
    checked = _golden(made, locks, train).to_plain() if found.format == "onnx" else None
    more = {"card.md": _card(parts, model.card)} if model.card else {}
    with open_index(parts.git) as index:
        trained_by = _run_record(index, locks, f"train.{train}", f"out/{train}/model")
        if trained_by is None:
            raise StateRefused(
                f"no record here tells which run made {model.source}, so {name} would name none",
                code="no-run",
                hint="where another clone ran it: mlops pull;"
                f" else: mlops run --force {model.source}",
            )
        judged_by = _run_record(index, locks, f"evaluate.{train}", f"out/{train}/evaluation")
        more |= {statement.FILE: _provenance(parts.git, made, more, locks, train, trained_by)}
        more |= vouching.vouched(parts, index, made, more, name=name, runs=(trained_by, judged_by))
    tree = bundles.stored(made, more)
    schema = made.json("schema.json")
    dataset = Digest.parse(locks[f"train.{train}"].parts["inputs"][f"out/{train}/dataset"])
    me = parts.git.identity()
    payload = {
        "digest": model_file,
        "bundle": tree,
        "format": found.format,
        "file": found.summary(),
        "inputs": [
            {name: item[name] for name in ("name", "dtype", "kind") if name in item}
            for item in schema["inputs"]
        ],
        "outputs": schema["outputs"],
        "train": model.source,
        "run": trained_by,
        "evaluated": judged_by,
        "lock": Digest.of((parts.root / path_of(f"evaluate.{train}")).read_bytes()),
        "dataset": dataset,
        "judged_on": bundles.judged_on(parts.cache, dataset),
        "metrics": made.json("metrics.json")["metrics"],
        "parity": made.json("training.json")["parity"],
        "golden": checked,
        "card": Digest.of(more["card.md"]) if "card.md" in more else None,
        "card_path": model.card,
        "attestation": Digest.of(more[ATTESTATIONS]) if ATTESTATIONS in more else None,
        "signature": Digest.of(more[modelsign.FILE]) if modelsign.FILE in more else None,
        "dirty": parts.git.dirty(behind(pipeline, locks, model)),
        "created": timestamp(now),
        "actor": str(me),
    }
    version, new = create(parts.registry, name, payload, allowed=allowed)
    records.settle(parts.registry, parts.ledger, name, me=me)
    return version, new


def declared(pipeline: Pipeline, name: str) -> Model:
    """Return the section of the model. Raises NotFound ("unknown-model")."""
    if name not in pipeline.models:
        known = ", ".join(pipeline.models) or "none"
        raise NotFound(
            f"pipeline.yaml has no model {name!r}",
            code="unknown-model",
            hint=f"models in pipeline.yaml: {known}",
        )
    return pipeline.models[name]


def behind(pipeline: Pipeline, locks: Mapping[str, Lock], model: Model) -> tuple[str, ...]:
    """Return the files in git of which the model was made: what `clean_tree` asks about."""
    graph = of_pipeline(pipeline)
    found: dict[str, None] = dict.fromkeys(["pipeline.yaml"])
    for name, lock in locks.items():
        found |= dict.fromkeys(lock.parts.get("code", {}))
        found |= dict.fromkeys(param.partition(":")[0] for param in graph.steps[name].params)
        found |= dict.fromkeys(f"{path}.mlops" for path in graph.steps[name].deps)
        found[path_of(name)] = None
    if pipeline.env.lock:
        found[pipeline.env.lock] = None
    if model.card:
        found[model.card] = None
    return tuple(found)


def _fresh_locks(run: RunParts, pipeline: Pipeline, name: str, train: str) -> dict[str, Lock]:
    """Return the locks of all steps up to evaluate, in order. Raises StateRefused ("stale")."""
    found = prospect(run, pipeline, [f"evaluate.{train}"])
    if stale := found.plan.stale:
        reason = next((each.sentence() for each in stale[0].because), "it never ran")
        raise StateRefused(
            f"{name} cannot be registered: {stale[0].step.name} is stale ({reason.rstrip('.')})",
            code="stale",
            hint=f"mlops run evaluate.{train}",
            details={"steps": [item.step.name for item in stale]},
        )
    steps = [item.step.name for item in found.plan.items]
    locks = read_locks(run.root, steps)
    return {step: locks[step] for step in steps}


def _golden(made: Bundle, locks: Mapping[str, Lock], train: str) -> golden.Agreement:
    """Return how far the model is from its golden answers, as `evaluate` found it: its lock names
    the folder that holds both. One of before it looked is asked here."""
    allowed = golden.bound(made.json("training.json"))
    folder, evaluated = f"out/{train}/model", locks[f"evaluate.{train}"]
    checked = None
    if evaluated.parts["inputs"].get(folder) == locks[f"train.{train}"].outputs[folder].digest:
        checked = golden.told(evaluated.facts.get("golden"), allowed=allowed)
    if checked is None:
        model, rows = made.read(bundles.MODEL), made.read("golden.arrow")
        checked = golden.check(model, rows, allowed=allowed)
    if not checked.passed:
        raise IntegrityError(
            f"model.onnx does not give its golden answers: off by {checked.max_abs:.3g} on "
            f"{checked.rows} rows, {allowed:g} allowed",
            code="golden-mismatch",
            hint="another version of onnxruntime? mlops run --force, then register again",
            details=checked.to_plain(),
        )
    return checked


def _run_record(index: Index, locks: Mapping[str, Lock], step: str, out: str) -> str | None:
    """Return the digest of the record of the run that made `out`, the one that did the work."""
    wanted = locks[step].outputs[out].digest
    cached = None
    for each in index.newest("run", step=step):
        if (each["outputs"] or {}).get(out) != wanted:
            continue
        if each["status"] == "done":
            return str(each.digest)
        cached = cached or str(each.digest)
    return cached


def _provenance(
    git: Git,
    made: Bundle,
    more: Mapping[str, bytes],
    locks: Mapping[str, Lock],
    train: str,
    run: str | None,
) -> bytes:
    files = {name: entry.digest for name, entry in made.files.items()}
    files |= {name: Digest.of(data) for name, data in more.items()}
    value = provenance.statement(files, locks, train=train, commit=git.head().commit, run=run)
    return encode.readable_json(value).encode()


def _card(parts: Parts, card: str) -> bytes:
    path = inside(parts.root, card)
    if not path.is_file():
        raise ConfigError(
            f"there is no {card}, which pipeline.yaml names as the card",
            code="card-missing",
            hint=f"write {card}: what the model is for, what it is not for, who owns it",
        )
    return path.read_bytes()
