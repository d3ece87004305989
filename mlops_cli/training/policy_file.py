"""models/<name>.yaml read: aliases and what each asks; a refusal names file, line and column."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mlops_cli.errors import ConfigError
from mlops_cli.pipeline.model.pipeline import Pipeline
from mlops_cli.pipeline.model.plain import to_plain
from mlops_cli.pipeline.model.training import Alias
from mlops_cli.pipeline.words.document import Node, Place, meant, plain, refuse
from mlops_cli.pipeline.words.document import parse as parsed
from mlops_cli.pipeline.words.names import fitting_metric
from mlops_cli.registry.rules import table
from mlops_cli.registry.rules.bound import Bound
from mlops_cli.registry.rules.champion import BetterThan, NotWorseThan
from mlops_cli.registry.rules.data import DataValid, DriftQuiet
from mlops_cli.registry.rules.finding import Rule
from mlops_cli.registry.rules.slices import Slices
from mlops_cli.training import allowance
from mlops_cli.training.policy_text import Aliases

KEYS = ("version", "owner", "formats", "aliases")  # formats: see allowance.py
ALIAS_KEYS = ("gates", "approvals")


def parse(data: bytes, pipeline: Pipeline, model: str, *, others: Aliases) -> Aliases:
    """Return the aliases in the text of models/<model>.yaml; `others` are those of pipeline.yaml.

    Raises ConfigError with `details` file, line, column; codes: malformed-yaml, duplicate-key,
    unknown-key, missing-key, wrong-type, wrong-value, unknown-rule, unknown-reference,
    metric-does-not-fit-task, alias-cycle.
    """
    top = parsed(data, name=allowance.path(model))
    section = _keys(top, KEYS, "the policy")
    version = section.get("version")
    if version is not None and version.value != 1:
        raise refuse(
            version.place,
            f"version {version.text or version.shape} of a policy is not known to this mlops",
            code="wrong-value",
            hint="write version: 1, or install a newer mlops",
        )
    aliases = section.get("aliases")
    if aliases is None:
        raise refuse(
            top.place, "the policy has no 'aliases'", code="missing-key", hint="add aliases:"
        )
    named = _mapping(aliases, "aliases")
    known = [*named, *(name for name in others if name not in named)]
    found = {name: _alias(node, name, known, pipeline) for name, node in named.items()}
    for name in found:
        _refuse_cycle(name, {**others, **found}, aliases.keys[name])
    return found


def filled(aliases: Mapping[str, Alias]) -> Aliases:
    """Return the aliases of a loaded pipeline.yaml in the same form."""
    return {
        name: {"gates": list(to_plain(alias).get("gates") or ()), "approvals": alias.approvals}
        for name, alias in aliases.items()
    }


def _alias(node: Node, name: str, aliases: list[str], pipeline: Pipeline) -> dict[str, Any]:
    section = _keys(node, ALIAS_KEYS, f"aliases.{name}")
    gates = section.get("gates")
    items: tuple[Node, ...] = ()
    if gates is not None and gates.value is not None:
        items = gates.value if isinstance(gates.value, tuple) else (gates,)
    for item in items:
        _check(_rule(item, aliases), item, aliases, pipeline)
    needed = section.get("approvals")
    if needed is not None and not (type(needed.value) is int and needed.value >= 0):
        raise refuse(needed.place, f"approvals of {name} must be a whole number", code="wrong-type")
    return {
        "gates": [plain(item) for item in items],
        "approvals": needed.value if needed is not None else 0,
    }


def _rule(node: Node, aliases: list[str]) -> Rule:
    try:
        return table.read(plain(node), aliases=aliases)
    except ConfigError as exc:
        key = exc.details.get("key")
        place = node.keys.get(key, node.place) if key else node.place
        raise refuse(place, exc.message, code=exc.code, hint=exc.hint) from exc


def _check(rule: Rule, node: Node, aliases: list[str], pipeline: Pipeline) -> None:
    """Refuse names that mean nothing in this project: metrics, aliases, sources, monitors."""
    match rule:
        case Bound():
            section, _, metric = rule.condition.field.partition(".")
            if section == "metrics" and "." not in metric:
                fitting_metric(pipeline, metric, node.place)
        case (
            BetterThan(better_than=alias, on=metric) | NotWorseThan(not_worse_than=alias, on=metric)
        ):
            _known(alias, aliases, _place(node, "better_than", "not_worse_than"), "the alias")
            fitting_metric(pipeline, metric, _place(node, "on"))
        case Slices():
            fitting_metric(pipeline, rule.on, _place(node, "on"))
            if rule.at_least is None and rule.at_most is None and rule.worse_by is None:
                raise refuse(
                    node.place,
                    "slices asks for nothing",
                    code="missing-key",
                    hint="add at_least:, at_most: or worse_by:",
                )
            if rule.worse_by is not None:
                _known(rule.than, aliases, _place(node, "than", "worse_by"), "the alias")
        case DataValid():
            for source in rule.data_valid:
                _known(source, [*pipeline.data], _place(node, "data_valid"), "the source")
        case DriftQuiet():
            monitors = [*pipeline.monitors]
            _known(rule.drift_quiet, monitors, _place(node, "drift_quiet"), "the monitor")
        case _:
            pass


def _known(name: str, names: list[str], place: Place, what: str) -> None:
    if name not in names:
        message = f"{what} {name!r} does not exist"
        raise refuse(place, message, code="unknown-reference", hint=meant(name, names))


def _place(node: Node, *words: str) -> Place:
    """Return where the value of the first of `words` that is written stands."""
    if isinstance(node.value, dict):
        for word in words:
            if word in node.value:
                place: Place = node.value[word].place
                return place
    return node.place


def _refuse_cycle(alias: str, aliases: Aliases, place: Place) -> None:
    above: list[str] = []

    def walk(name: str) -> None:
        if name in above:
            raise refuse(
                place,
                f"the gates of {alias} lead back to themselves: {' → '.join([*above, name])}",
                code="alias-cycle",
                hint="take one of them out",
            )
        above.append(name)
        for gate in aliases[name]["gates"]:
            if isinstance(gate, str) and gate in aliases:
                walk(gate)
        above.pop()

    walk(alias)


def _keys(node: Node, known: tuple[str, ...], what: str) -> Mapping[str, Node]:
    values = _mapping(node, what)
    for key in values:
        if key not in known:
            message = f"unknown key {key!r} in {what}"
            raise refuse(node.keys[key], message, code="unknown-key", hint=meant(key, known))
    return values


def _mapping(node: Node, what: str) -> Mapping[str, Node]:
    if node.value is None:
        return {}
    if not isinstance(node.value, dict):
        message = f"{what} must be a mapping, and is {node.shape}"
        raise refuse(node.place, message, code="wrong-type")
    return node.value
