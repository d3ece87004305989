"""What a step says about how its outputs are kept, and which of them are plots."""

from __future__ import annotations

from mlops_cli.pipeline.document import refuse
from mlops_cli.pipeline.model import Pipeline
from mlops_cli.pipeline.names import Where
from mlops_cli.pipeline.outs import Out, paths
from mlops_cli.pipeline.paths import under


def check(pipeline: Pipeline, at: Where) -> None:
    """Raise ConfigError for the first of these words that contradicts another."""
    for name, step in pipeline.steps.items():
        for n, out in enumerate(step.outs):
            if isinstance(out, Out):
                _one(out, ("steps", name, "outs", n), at)
        made = paths(step.outs)
        for n, plot in enumerate(paths(step.plots)):
            for out in made:
                if plot != out and under(plot, out):
                    raise refuse(
                        at("steps", name, "plots", n),
                        f"the plot {plot} lies in the output {out}",
                        code="wrong-value",
                        hint="a plot is an output of its own: write it beside the folder",
                        path=plot,
                    )


def _one(out: Out, here: tuple[str | int, ...], at: Where) -> None:
    if out.keep is not None and out.keep < 1:
        raise refuse(
            at(*here, "keep"),
            f"gc cannot keep {out.keep} versions of {out.path}",
            code="wrong-value",
            hint="the present version always stays: keep: 1",
        )
    if not out.cache and (out.keep is not None or not out.push):
        word = "push" if not out.push else "keep"
        raise refuse(
            at(*here, word),
            f"{out.path} is in no cache, so {word} says nothing of it",
            code="wrong-value",
            hint=f"remove {word}:, or cache: false",
        )
