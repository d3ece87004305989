"""The card of a version: a YAML head for programs (the Hub's), what people wrote, then facts.

https://huggingface.co/docs/hub/model-cards#model-card-metadata
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mlops_cli.encode import stable_yaml
from mlops_cli.registry.evidence import fields
from mlops_cli.registry.origin import Origin
from mlops_cli.registry.version import Version
from mlops_cli.registry.words import Words

# by the name of the output that our exporter gives the task
TASKS = {
    "probability": "tabular-classification",
    "probabilities": "tabular-classification",
    "value": "tabular-regression",
}
_PEOPLES = ("license", "license_name", "license_link", "language", "pipeline_tag", "library_name")
_OURS = ("model-index", "mlops", "model_name", "metrics")


def card(
    version: Version, words: Words, *, aliases: Sequence[str] = (), origin: Origin | None = None
) -> str:
    """Return the card as Markdown. People's words win where it is theirs to say: licence, tags,
    language; recorded facts win for metrics, data and digests."""
    written = words.body or f"# {_line(version.model)}\n\nNobody has written about this model yet."
    facts = _facts(version, aliases, origin or Origin())
    return (
        f"---\n{stable_yaml(head(version, words, origin or Origin()))}---\n\n{written}\n\n{facts}"
    )


def head(version: Version, words: Words, origin: Origin) -> dict[str, Any]:
    """Return the YAML head: keys of the Hub, then `mlops` with all digests, then what else people
    wrote there."""
    payload = version.payload
    task = task_of(version)
    found: dict[str, Any] = {}
    if license := words.said("license", "licence"):
        found["license"] = license.lower()
    form = str(payload.get("format") or "onnx")
    found["library_name"] = form
    if task:
        found["pipeline_tag"] = task
    found |= {key: words.head[key] for key in _PEOPLES[1:] if key in words.head}
    tags = words.head.get("tags")
    told = tags if isinstance(tags, list) else [tags] if isinstance(tags, str) else []
    found["tags"] = list(dict.fromkeys([*map(str, told), form, "mlops"]))
    metrics = numbers(version)
    found["model_name"] = version.model
    if metrics:
        found["metrics"] = list(metrics)
        found["model-index"] = [_index(version, task, metrics)]
    found["mlops"] = {
        "version": version.name,
        "digest": payload.get("digest"),
        "bundle": payload.get("bundle"),
        "run": payload.get("run"),
        "commit": version.commit,
        "tag": version.tag,
        "registered": payload.get("created"),
        "by": payload.get("actor"),
        "data": [{"name": name, "digest": digest} for name, digest in origin.data.items()],
    }
    rest = {key: value for key, value in words.head.items() if key not in {*found, *_OURS}}
    rest.pop("licence", None)
    return {**found, **rest}


def task_of(version: Version) -> str | None:
    """Return the task in the words of the Hub, None where its outputs do not tell."""
    outputs = version.payload.get("outputs")
    names = [_of(item, "name") for item in outputs] if isinstance(outputs, list) else []
    return next((TASKS[name] for name in names if name in TASKS), None)


def numbers(version: Version) -> dict[str, float]:
    """Return the metrics that are numbers."""
    metrics = fields(version.payload.get("metrics"))
    kinds = (int, float)
    return {
        str(k): v for k, v in metrics.items() if isinstance(v, kinds) and not isinstance(v, bool)
    }


def _index(version: Version, task: str | None, metrics: dict[str, float]) -> dict[str, Any]:
    dataset = str(version.payload.get("dataset") or "unknown")
    result = {
        "task": {"type": task or "other"},
        "dataset": {
            "name": f"test rows of {version.payload.get('train') or version.model}",
            "type": "mlops",
            "split": "test",
            "revision": dataset,
        },
        "metrics": [
            {"type": name, "name": name, "value": value} for name, value in metrics.items()
        ],
    }
    return {"name": version.model, "results": [result]}


def _facts(version: Version, aliases: Sequence[str], origin: Origin) -> str:
    payload = version.payload
    state = f" ({', '.join(map(_line, aliases))})" if aliases else ""
    lines = [f"## Version {version.number}{state}", ""]
    facts = [
        ("registered", payload.get("created")),
        ("by", payload.get("actor")),
        ("format", payload.get("format")),
        ("model", payload.get("digest")),
        ("bundle", payload.get("bundle")),
        ("run", payload.get("run")),
        ("commit", version.commit),
    ]
    lines += [f"- {name}: `{_line(value)}`" for name, value in facts if value]
    if metrics := fields(payload.get("metrics")):
        lines += _table("metric", "value", [(n, _figure(v)) for n, v in metrics.items()])
    for title in ("inputs", "outputs"):
        columns = payload.get(title)
        if isinstance(columns, list) and columns:
            rows = [(_of(column, "name"), _of(column, "dtype")) for column in columns]
            lines += _table(title, "type", rows)
    if origin.data:
        lines += _table("data", "digest", list(origin.data.items()))
    return "\n".join(lines) + "\n"


def _table(one: str, other: str, rows: Sequence[tuple[Any, Any]]) -> list[str]:
    body = [f"| {_cell(left)} | {_cell(right)} |" for left, right in rows]
    return ["", f"| {one} | {other} |", "|---|---|", *body]


def _line(value: Any) -> str:
    """Return foreign words as one line that ends no code span and no heading."""
    words = " ".join(str(value).replace("`", "'").split())
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in words)


def _cell(value: Any) -> str:
    words = _line(value).replace("\\", "\\\\").replace("|", "\\|")
    return words.replace("<", "&lt;").replace("[", "\\[")


def _of(column: Any, name: str) -> str:
    return (
        str(column.get(name, "")) if isinstance(column, dict) else (str(column) * (name == "name"))
    )


def _figure(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
