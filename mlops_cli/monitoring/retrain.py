"""A decision carried out: train on what is known now, register, and promote only what is better."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mlops_cli.pipeline.model.pipeline import Pipeline
from mlops_cli.pipeline.planning.parts import RunParts
from mlops_cli.pipeline.running import execute
from mlops_cli.pipeline.running.execute import RunResult
from mlops_cli.registry.protected import branch
from mlops_cli.registry.version import Version
from mlops_cli.serving import deploy
from mlops_cli.serving.parts import Parts
from mlops_cli.training.promote import Promotion, promote
from mlops_cli.training.register import register


@dataclass(frozen=True, slots=True)
class Retrained:
    """What came of a retraining; `promotions` in the order of the aliases' policies."""

    run: RunResult
    version: Version
    promotions: tuple[Promotion, ...]
    environments: tuple[str, ...]  # that serve the new version now

    def to_plain(self) -> dict[str, Any]:
        """Return it as plain JSON."""
        return {
            "run": self.run.run_id,
            "version": self.version.number,
            "metrics": dict(self.version.payload["metrics"]),
            "promotions": [promotion.to_plain() for promotion in self.promotions],
            "environments": list(self.environments),
        }


def retrain(
    parts: Parts,
    run: RunParts,
    pipeline: Pipeline,
    model: str,
    *,
    parents: Sequence[str] = (),
    reason: str = "",
    jobs: int = 0,
) -> Retrained:
    """Run all up to evaluation, register the result and offer it to each alias of `model`.

    An alias whose gates stay closed keeps its version. Environments that follow an alias that
    moved are switched. `parents` are the records (a decision) because of which it happens.
    Raises what a run, a registration or a deployment raises; each leaves its work whole.
    """
    section = pipeline.models[model]
    train = section.source.removeprefix("train.")
    result = execute.run(
        run,
        pipeline,
        [f"evaluate.{train}"],
        now=parts.now,
        jobs=jobs or execute.default_jobs(),
        parents=parents,
        progress=parts.progress,
    )
    version, _ = register(parts, run, pipeline, model, now=parts.now())
    promotions = tuple(
        promote(
            parts,
            pipeline,
            model,
            alias,
            version.number,
            now=parts.now(),
            reason=reason,
            protected=branch(parts.git, parts.settings, fresh=True),
        )
        for alias in section.aliases
    )
    moved = {f"{model}@{promotion.alias}" for promotion in promotions if promotion.moved}
    switched = []
    for name, deployment in pipeline.deployments.items():
        if deployment.model in moved:
            deploy.apply(parts, name, deployment, judged=True)
            switched.append(name)
    return Retrained(result, version, promotions, tuple(switched))
