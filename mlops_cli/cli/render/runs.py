"""Runs and records of the ledger as people read them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mlops_cli.cli.render.text import count, short, shown, shown_json, style, table
from mlops_cli.ledger.record import KINDS

LOOKS = {"done": "green", "cached": "dim", "failed": "red", "killed": "red"}
_HIDDEN = ("schema", "kind", "record")
_ABOUT = ("model", "version", "alias", "environment", "monitor", "action", "verdict", "rows")


def listing(runs: Sequence[Mapping[str, Any]], total: int) -> str:
    """Return a table of runs, newest first."""
    if not runs:
        return "Nothing was run yet. Try: mlops run"
    rows = [
        (
            run["id"],
            moment(run["started"]),
            status(run["status"]),
            len(run["steps"]),
            seconds(run["seconds"]),
            "; ".join(filter(None, (_chosen(run), figures(run["metrics"], 2)))),
        )
        for run in runs
    ]
    page = table(rows, ("run", "started", "status", "steps", "time", "metrics"), "lllrrl")
    rest = total - len(runs)
    return page + (f"\n\n{count(rest, 'older run')} not shown (--limit)." if rest else "")


def _chosen(run: Mapping[str, Any]) -> str:
    """Return what an experiment had set: "lr=0.1, n=3"."""
    chosen = (run["experiment"] or {}).get("set", {})
    return ", ".join(f"{name}={figure(value)}" for name, value in chosen.items())


def page(data: Mapping[str, Any]) -> str:
    """Return one run with its steps, or one record."""
    run, record = data["run"], data["record"]
    if run is None:
        return _record(record)
    lines = [
        f"{style(run['id'], 'bold')}  {status(run['status'])}, started {moment(run['started'])}, "
        f"{seconds(run['seconds'])} of work, by {person(run['actor'])}"
    ]
    if chosen := _chosen(run):
        lines.append(f"an experiment with {chosen}")
    if run["commit"]:
        lines.append(f"on commit {run['commit'][:12]}")
    causes = sorted({short(one) for step in data["steps"] for one in step.get("parents") or ()})
    if causes:
        lines.append(f"because of {', '.join(causes)}: mlops runs show {causes[0]}")
    for step in data["steps"]:
        lines += ["", _step(step)]
    return "\n".join(lines)


def found(records: Sequence[Mapping[str, Any]], kind: str) -> str:
    """Return a table of the records that a search found."""
    if not records:
        return f"No record of kind {kind} fits."
    if kind != "run":
        gists = [(short(r["record"]), moment(r["time"]), _gist(r)) for r in records]
        return table(gists, ("record", "time", "what"))
    rows = [
        (
            short(record["record"]),
            record["run"],
            record["step"],
            status(record["status"]),
            figures(record.get("metrics") or {}, 2),
        )
        for record in records
    ]
    return table(rows, ("record", "run", "step", "status", "metrics"))


def status(word: str) -> str:
    """Return a status in its colour."""
    return style(word, LOOKS[word]) if word in LOOKS else word


def moment(time: str | None) -> str:
    """Return a time to the minute: "2013-02-01 09:30"."""
    return str(time or "-")[:16].replace("T", " ")


def seconds(value: float | None) -> str:
    """Return a duration for people: 0.4 s, 3 min 05 s."""
    whole = float(value or 0)
    if whole < 60:
        return f"{whole:.1f} s"
    minutes, rest = divmod(round(whole), 60)
    return f"{minutes} min {rest:02} s"


def figures(metrics: Mapping[str, Any], most: int = 99) -> str:
    """Return metrics in one line: "roc_auc 0.7012, brier 0.14"."""
    told = [f"{name} {figure(value)}" for name, value in list(metrics.items())[:most]]
    return shown(", ".join(told)) + (", …" if len(metrics) > most else "")


def _step(step: Mapping[str, Any]) -> str:
    lines = [
        f"{style(str(step['step']), 'bold')}  {status(str(step['status']))}"
        f"  {seconds(step['seconds'])}  {style(short(step['record']), 'dim')}"
    ]
    rows = [
        ("in", shown(path), short(str(digest))) for path, digest in (step["inputs"] or {}).items()
    ]
    rows += [
        ("out", shown(path), short(str(digest))) for path, digest in (step["outputs"] or {}).items()
    ]
    if rows:
        lines.append(table(rows, indent="  "))
    named = [name for name in ("params", "metrics") if step.get(name)]
    lines += [f"  {name}: {figures(step[name])}" for name in named]
    if step.get("error"):
        lines.append(style(f"  {step['error'].get('message')}", "red"))
    return "\n".join(lines)


def _record(record: Mapping[str, Any]) -> str:
    from mlops_cli.encode import readable_json

    body = {name: value for name, value in record.items() if name not in _HIDDEN}
    head = f"{style(str(record['kind']), 'bold')}  {moment(record['time'])}  {record['record']}"
    return f"{head}\n{shown_json(readable_json(body).rstrip())}"


def _gist(record: Mapping[str, Any]) -> str:
    """Return what its kind must say, and whom it is about; digests and lists stay under --json."""
    names = dict.fromkeys((*_ABOUT, *KINDS.get(str(record["kind"]), ())))
    plain = ((name, record.get(name)) for name in names)
    told = [(name, str(value)) for name, value in plain if isinstance(value, str | int)]
    words = [f"{name} {word[:80]}" for name, word in told if word and not word.startswith("sha256")]
    return shown(", ".join(words))


def figure(value: Any) -> str:
    """Return a number for people: 0.7012, 27,004, 1.2e-07."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    whole = float(value).is_integer() and abs(value) < 1e15
    return f"{int(value):,}" if whole else f"{value:.4g}"


def person(actor: Any) -> str:
    """Return the name in "Name <email>"; the whole stands under --json."""
    return str(actor or "-").partition(" <")[0]
