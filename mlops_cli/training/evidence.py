"""What the gates of an alias ask for, gathered here and now: a stored verdict proves nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mlops_cli.errors import ConfigError
from mlops_cli.pipeline.graph.reading import of_pipeline
from mlops_cli.pipeline.model.pipeline import Pipeline
from mlops_cli.pipeline.model.plain import to_plain
from mlops_cli.pipeline.model.training import Model
from mlops_cli.pipeline.traces.lock import path_of, read_locks
from mlops_cli.registry import gate
from mlops_cli.registry.registry import Registry
from mlops_cli.registry.version import Version
from mlops_cli.store.digest import Digest
from mlops_cli.training import bundle as bundles
from mlops_cli.training import golden, register, rivals
from mlops_cli.training.parts import Parts

if TYPE_CHECKING:
    from mlops_cli.training.paired import Comparison


@dataclass(frozen=True, slots=True)
class Rivalry:
    """A comparison with the version an alias means at present."""

    champion: Version
    found: Comparison
    rows: Digest


def gather(
    parts: Parts, pipeline: Pipeline, section: Model, alias: str, version: Version
) -> tuple[dict[str, Any], dict[str, Rivalry]]:
    """Return the evidence on which `registry.gate` judges, and the comparisons by alias.

    Raises ConfigError ("alias-cycle"), StateRefused ("not-comparable"), NotFound
    ("missing-object") where bundle or test rows are not in the cache.
    """
    search = _Search(parts, Registry(parts.git), section, version)
    search.shown.update(_of_version(parts, pipeline, section, version))
    search.judge(alias)
    return search.shown, search.rivalries


def _of_version(
    parts: Parts, pipeline: Pipeline, section: Model, version: Version
) -> dict[str, Any]:
    """Return what does not depend on an alias; the golden rows are tried again here and now."""
    made = bundles.opened(parts.cache, version.bundle)
    parity = version.payload.get("parity") or {}
    allowed = float(parity.get("allowed", 1e-5))
    # the model the tag names, not whichever one the bundle holds
    model = parts.cache.read(version.digest)
    checked = golden.check(model, made.read("golden.arrow"), allowed=allowed)
    return {
        "metrics": version.payload.get("metrics") or {},
        "parity": parity,
        "golden": checked.to_plain(),
        "clean_tree": _clean(parts, pipeline, section, version),
    }


def _clean(parts: Parts, pipeline: Pipeline, section: Model, version: Version) -> bool:
    """Return whether a commit holds all that made the version: the one it was registered at, or
    HEAD, when what was missing then has been committed since."""
    if version.payload.get("dirty") == []:
        return True
    train = section.source.removeprefix("train.")
    lock = parts.git.show("HEAD", path_of(f"evaluate.{train}"))
    if lock is None or Digest.of(lock) != version.payload.get("lock"):
        return False
    graph = of_pipeline(pipeline)
    locks = read_locks(parts.root, graph.select([f"evaluate.{train}"]))
    return not parts.git.dirty(register.behind(pipeline, locks, section))


@dataclass(frozen=True, slots=True)
class _Search:
    """The walk through the gates of an alias and of those that it builds on."""

    parts: Parts
    registry: Registry
    section: Model
    version: Version
    shown: dict[str, Any] = field(default_factory=lambda: {"better_than": {}, "aliases": {}})
    rivalries: dict[str, Rivalry] = field(default_factory=dict)

    def judge(self, alias: str, above: tuple[str, ...] = ()) -> None:
        """Gather for `alias`, the aliases that stand in its gates first."""
        if alias in above:
            raise ConfigError(
                f"the gates of {alias} lead back to themselves: {' → '.join([*above, alias])}",
                code="alias-cycle",
                hint="take one of them out of models in pipeline.yaml",
            )
        for each in self.section.aliases[alias].gates:
            if isinstance(each, Mapping) and "better_than" in each:
                self._compare(each)
            elif each in self.section.aliases:
                self.judge(each, (*above, alias))
                policy = to_plain(self.section.aliases[each])
                self.shown["aliases"][each] = gate.judge(policy, self.shown).plain()

    def _compare(self, wanted: Mapping[str, Any]) -> None:
        name = str(wanted["better_than"])
        event = self.registry.alias(self.version.model, name)
        if event is None or event.version is None:
            self.shown["better_than"][name] = None  # the first one has nobody to beat
            return
        champion = self.registry.version(self.version.model, event.version)
        metric, margin = str(wanted.get("on", "")), float(wanted.get("margin") or 0.0)
        found, rows = rivals.compare(
            self.parts.cache, self.version, champion, metric=metric, margin=margin
        )
        self.rivalries[name] = Rivalry(champion, found, rows)
        self.shown["better_than"][name] = found.to_plain() | {"version": champion.number}
