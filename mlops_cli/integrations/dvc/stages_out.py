"""Command steps of pipeline.yaml as dvc.yaml and dvc.lock; what DVC has no word for is refused."""

from __future__ import annotations

import os
import shlex
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mlops_cli.integrations.dvc import present, text
from mlops_cli.integrations.dvc.context import read_values, spelled
from mlops_cli.integrations.dvc.give import Given
from mlops_cli.integrations.dvc.outs import Refused
from mlops_cli.integrations.dvc.row import Row
from mlops_cli.pipeline.globs import is_glob
from mlops_cli.pipeline.step import Step
from mlops_cli.pipeline.words.interpolate import REFERENCE, interpolate

HEADER = "# Written by `mlops export dvc` from pipeline.yaml: change it there.\n"
_DVC_FORBIDS = set("!\"#$%&'()*+,./:;<=>?@[\\]^`{|}~")  # in the name of a stage


@dataclass(slots=True)
class Written:
    """The two files as values, and a row for each step."""

    stages: dict[str, Any] = field(default_factory=dict)
    locks: dict[str, Any] = field(default_factory=dict)
    metrics: list[str] = field(default_factory=list)  # inside of outputs, named at the top
    rows: list[Row] = field(default_factory=list)

    @property
    def pipeline(self) -> str:
        """Return the text of dvc.yaml."""
        top: dict[str, Any] = {"stages": self.stages}
        if self.metrics:
            top["metrics"] = self.metrics
        return HEADER + text.dump(top)

    @property
    def lock(self) -> str:
        """Return the text of dvc.lock."""
        return text.dump({"schema": "2.0", "stages": self.locks})


def write(
    project: Path, steps: Mapping[str, Step], *, fresh: Collection[str], given: Mapping[str, Given]
) -> Written:
    """Return the steps as stages; those that are `fresh` get an entry in the lock, where all that
    they need is on this disk."""
    made = Written()
    for name, step in steps.items():
        try:
            stage, values, inside = _stage(project, step)
        except Refused as refused:
            made.rows.append(Row("step", name, "refused", refused.why))
            continue
        made.stages[name] = stage
        made.metrics += inside
        why = "" if name in fresh else "it is stale, and so it is for DVC"
        if name in fresh:
            try:
                made.locks[name] = _entry(project, step, values, given)
            except LookupError as absent:
                why = f"DVC would run it: {absent.args[0]} is not here"
        made.rows.append(
            Row("step", name, "exported", "; ".join([*_unsaid(step), *[why][: bool(why)]]))
        )
    return made


def _stage(
    project: Path, step: Step
) -> tuple[dict[str, Any], dict[str, dict[str, Any]], list[str]]:
    """Return the stage, the params that its lock names, and metrics inside of its outputs."""
    if step.kind != "command":
        raise Refused(step.name, f"DVC has no {step.kind} steps")
    if _DVC_FORBIDS & set(step.name):
        raise Refused(step.name, "DVC allows no such name")
    if step.env:
        raise Refused(step.name, "DVC has no env:")
    if odd := [dep for dep in step.deps if is_glob(dep) or "://" in dep]:
        raise Refused(step.name, f"DVC would not read {odd[0]} as we do")
    wdir = step.wdir
    values = _values(project, step)
    outs, metrics = list(step.outs), list(step.metrics)
    inside = [path for path in metrics if path not in outs]
    stage: dict[str, Any] = {}
    lines = [_line(line, values) for line in step.cmd]
    stage["cmd"] = lines[0] if len(lines) == 1 else lines
    if wdir != ".":
        stage["wdir"] = wdir
    if step.deps:
        stage["deps"] = [os.path.relpath(path, wdir) for path in step.deps]
    if values:
        stage["params"] = [
            {os.path.relpath(file, wdir): list(keys) or None} for file, keys in _keys(step).items()
        ]
    if plain := [path for path in outs if path not in metrics]:
        stage["outs"] = [os.path.relpath(path, wdir) for path in plain]
    if own := [path for path in metrics if path in outs]:
        stage["metrics"] = [{os.path.relpath(path, wdir): {"cache": False}} for path in own]
    if step.frozen:
        stage["frozen"] = True
    if step.always:
        stage["always_changed"] = True
    return stage, values, inside


def _unsaid(step: Step) -> Iterator[str]:
    if step.variables:
        yield f"DVC does not see the variables {', '.join(step.variables)}"
    if step.keeping:
        yield f"DVC keeps {', '.join(step.keeping)} as it keeps every output"
    if step.until:
        yield "DVC does not try again until a metric holds"
    if step.timeout:
        yield "DVC has no timeout"


def _keys(step: Step) -> dict[str, tuple[str, ...]]:
    """Return the params by file; no key stands for the whole file."""
    found: dict[str, list[str] | None] = {}
    for reference in step.params:
        file, _, word = reference.partition(":")
        if not word:
            found[file] = None
        elif (keys := found.setdefault(file, [])) is not None:
            keys.append(word)
    return {file: tuple(keys or ()) for file, keys in found.items()}


def _values(project: Path, step: Step) -> dict[str, dict[str, Any]]:
    """Return what the lock says of the params: values by file and key, as DVC reads them."""
    found: dict[str, dict[str, Any]] = {}
    for file, keys in _keys(step).items():
        values = read_values(project, file)
        found[file] = {key: _at(values, key, file) for key in keys} if keys else values
    return found


def _at(values: Any, word: str, file: str) -> Any:
    for part in word.split("."):
        if not isinstance(values, dict) or part not in values:
            raise Refused(file, f"{file} has no {word}")
        values = values[part]
    return values


def _line(line: str, values: Mapping[str, Mapping[str, Any]]) -> str:
    """Return a line as dvc.yaml has it: `${lr}` for ours, and the shell's own escaped."""
    pieces: list[str] = []
    end = 0
    for match in REFERENCE.finditer(line):
        pieces.append(line[end : match.start()].replace("${", "\\${"))
        value = _value(values, match[1])
        same = shlex.quote(spelled(value, match[1])) == spelled(value, match[1])
        pieces.append(f"${{{match[1]}}}" if same and value is not None else _word(match[0], values))
        end = match.end()
    return "".join([*pieces, line[end:].replace("${", "\\${")])


def _word(line: str, values: Mapping[str, Mapping[str, Any]]) -> str:
    return interpolate(
        line, {f"params.yaml:{one}": _value(values, one) for one in REFERENCE.findall(line)}
    )


def _value(values: Mapping[str, Mapping[str, Any]], word: str) -> Any:
    held = values.get("params.yaml", {})
    return held[word] if word in held else _at(held, word, "params.yaml")


def _entry(
    project: Path,
    step: Step,
    values: Mapping[str, Mapping[str, Any]],
    given: Mapping[str, Given],
) -> dict[str, Any]:
    """Return the lock of a step as DVC would have written it. Raises LookupError by path."""
    lines = [_word(line, values) for line in step.cmd]
    entry: dict[str, Any] = {"cmd": lines[0] if len(lines) == 1 else lines}
    wdir = step.wdir

    def described(path: str) -> dict[str, object]:
        found = given.get(path) or present.describe(project / path)
        if found is None:
            raise LookupError(path)
        return Given(*found).entry(os.path.relpath(path, wdir))

    if step.deps:
        entry["deps"] = [described(path) for path in sorted(step.deps)]
    if values:
        entry["params"] = {os.path.relpath(file, wdir): dict(held) for file, held in values.items()}
    if step.outs:
        entry["outs"] = [described(path) for path in sorted(step.outs)]
    return entry
