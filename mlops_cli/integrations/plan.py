"""The pipeline as flows: one of all steps, and one for each trigger with a schedule."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Iterable, Iterator

from mlops_cli import quantities
from mlops_cli.integrations.flow import COMMIT, Flow, Plan, Task
from mlops_cli.pipeline.attempts.retry import LONGEST
from mlops_cli.pipeline.globs import is_glob, may_touch
from mlops_cli.pipeline.graph.graph import Graph
from mlops_cli.pipeline.model.amounts import duration
from mlops_cli.pipeline.model.pipeline import Pipeline
from mlops_cli.pipeline.model.triggers import Trigger
from mlops_cli.pipeline.paths import base, under
from mlops_cli.pipeline.step import Step

SLACK = 600  # seconds beside the step itself: to clone, to bring data, to send results
LOST = {"signal", "memory"}  # failures after which the machine itself may be gone


def plan_of(
    pipeline: Pipeline,
    graph: Graph,
    tracked: Iterable[str],
    *,
    image: str | None = None,
    repository: str | None = None,
) -> Plan:
    """Return the plan of the whole pipeline and of each trigger that has a schedule."""
    project, data = pipeline.project.name, sorted(tracked)
    names = [name for name, step in graph.steps.items() if not step.action]
    flows = [Flow(slug(project), _tasks(graph, names, data))]
    for name, trigger in pipeline.triggers.items():
        if trigger.cron and not retrains(trigger):
            chosen = graph.select([trigger.run])
            targets = graph.named(trigger.run)
            names = [one for one in graph.steps if one in chosen]
            names = [one for one in names if one in targets or not graph.steps[one].action]
            # to name an action would be to act
            makes = [one for one in targets if not graph.steps[one].action] or [
                one for one in names if not graph.steps[one].action
            ]
            flows.append(
                Flow(
                    slug(f"{project}-{name}"),
                    _tasks(graph, names, data),
                    tuple(dict.fromkeys(_word(graph.steps[one]) for one in makes)) or None,
                    trigger.cron,
                    trigger.timezone,
                )
            )
    return Plan(project, tuple(flows), image, repository)


def retrains(trigger: Trigger) -> bool:
    """Return whether what a trigger runs is no step, but what `mlops tick` does about drift."""
    return trigger.run.startswith("retrain.")


def slug(name: str) -> str:
    """Return `name` as every orchestrator takes it, at most 40 characters long."""
    plain = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    plain = plain if plain[:1].isalpha() else f"s-{plain}"
    if len(plain) <= 40:
        return plain
    return f"{plain[:32].rstrip('-')}-{hashlib.sha256(name.encode()).hexdigest()[:7]}"


def _tasks(graph: Graph, names: list[str], tracked: list[str]) -> tuple[Task, ...]:
    entries: dict[str, list[Step]] = {}  # what a task runs → its steps
    for name in names:
        step = graph.steps[name]
        entries.setdefault(_word(step), []).append(step)
    entry = {step.name: word for word, steps in entries.items() for step in steps}
    ids = _ids(entries)

    def first(name: str) -> Iterator[str]:
        for one in graph.before[name]:  # of an action that is left out, what comes before it
            yield from [entry[one]] if one in entry else first(one)

    return tuple(
        _task(
            ids[word],
            word,
            steps[0],
            tuple(
                ids[one]
                for one in dict.fromkeys(one for step in steps for one in first(step.name))
                if one != word
            ),
            [one for one in tracked if any(_touch(dep, one) for s in steps for dep in s.deps)],
        )
        for word, steps in entries.items()
    )


def _word(step: Step) -> str:
    """Return what `mlops run` is given: partitions come and go, and a compiled file does not."""
    return base(step.name) if step.partition else step.name


def _touch(dep: str, tracked: str) -> bool:
    if is_glob(dep):
        return may_touch(dep, tracked)
    return under(dep, tracked) or under(tracked, dep)


def _ids(words: Iterable[str]) -> dict[str, str]:
    """Return an id for each of `words`; those that would share one get a piece of their digest."""
    plain = {word: slug(word) for word in words}
    taken = [*plain.values(), COMMIT]
    return {
        word: f"{id_}-{hashlib.sha256(word.encode()).hexdigest()[:7]}"
        if taken.count(id_) > 1
        else id_
        for word, id_ in plain.items()
    }


def _task(id_: str, word: str, step: Step, after: tuple[str, ...], reads: list[str]) -> Task:
    wants, retries = step.resources, step.retries
    times = int(retries["times"]) if retries else 0
    pause = duration(retries["backoff"]).total_seconds() if retries else 0.0
    limit = None
    if step.timeout and not step.partition:  # nobody knows how many there will be
        pauses = sum(min(LONGEST, pause * 2**n) for n in range(times))
        one = duration(step.timeout).total_seconds() * (times + 1) + pauses
        limit = math.ceil(one) + SLACK
    return Task(
        id_,
        word,
        after,
        tuple(reads),
        limit,
        times if retries and LOST & set(retries["on"]) else 0,
        math.ceil(pause),
        wants.get("cpus"),
        wants.get("gpus"),
        quantities.size(wants["mem"]) if wants.get("mem") else None,
        tuple(wants.get("mutex", ())),
    )
