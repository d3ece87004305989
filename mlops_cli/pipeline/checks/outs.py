"""What a step says about how its outputs are kept, and which of them are plots."""

from __future__ import annotations

import re

from mlops_cli.pipeline.globs import is_glob
from mlops_cli.pipeline.model.pipeline import Pipeline
from mlops_cli.pipeline.model.steps import Out, StepDef
from mlops_cli.pipeline.paths import under
from mlops_cli.pipeline.words.document import meant, refuse
from mlops_cli.pipeline.words.items import MARK, folder, words
from mlops_cli.pipeline.words.names import Where
from mlops_cli.pipeline.words.outs import path_of, paths


def check(pipeline: Pipeline, at: Where) -> None:
    """Raise ConfigError for the first of these words that contradicts another."""
    for name, step in pipeline.steps.items():
        for n, out in enumerate(step.outs):
            if isinstance(out, Out):
                _one(out, ("steps", name, "outs", n), at)
        if step.map_:
            _map(step, ("steps", name), at)
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


def _map(step: StepDef, here: tuple[str, ...], at: Where) -> None:
    if not is_glob(step.map_ or ""):
        raise refuse(
            at(*here, "map"),
            f"{step.map_} is no pattern of files",
            code="wrong-value",
            hint="map: data/raw/*.jpg",
        )
    for word in ("metrics", "plots", "checkpoint", "until", "for_"):
        if getattr(step, word):
            raise refuse(at(*here, word), f"a step with map has no {word}", code="wrong-value")
    template = path_of(step.outs[0]) if len(step.outs) == 1 else ""
    if MARK not in template or not folder(template):
        raise refuse(
            at(*here, "outs"),
            "a step with map has one output, in a folder, that is named after its item",
            code="wrong-value",
            hint="outs: ['out/thumbs/${item.stem}.png']",
        )
    known = {f"{MARK}{word}}}" for word in (*words("*", ""), "out")}
    lines = (step.cmd,) if isinstance(step.cmd, str) else step.cmd
    for text, place in (
        (template, at(*here, "outs")),
        *((line, at(*here, "cmd")) for line in lines),
    ):
        for found in re.findall(r"\$\{item[^}]*\}", text):
            if found not in known:
                raise refuse(
                    place, f"{found} does not exist", code="unknown-reference",
                    hint=meant(found, known),
                )  # fmt: skip


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
