"""The report on a project: for the business in its words, on a screen and as one page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from mlops_cli.cli.render import audit, trend
from mlops_cli.cli.render.page import Html, page, table, tag
from mlops_cli.cli.render.runs import figure, moment, person
from mlops_cli.cli.render.text import count, shown, style
from mlops_cli.cli.render.text import table as columns

_STYLE = """\
.model{border:1px solid var(--line);border-radius:8px;padding:.2em 1em 1em;margin:1.2em 0}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(13rem,1fr));gap:1rem;margin:.6em 0}
.tiles div{background:var(--soft);border:1px solid var(--line);border-radius:8px;padding:.7em .9em}
.tiles dt{color:var(--dim);font-size:.85rem}.tiles dd{margin:0}
.tiles .big{font-size:1.7rem;font-weight:600;line-height:1.3}.model table{width:100%}
@media(min-width:48rem){.model td:first-child{width:13rem}}
.model figure svg{width:100%;max-width:48rem}
.goal{font-size:1.15rem;border-left:4px solid var(--mark);padding-left:.8em}
"""
_DONE = {"deploy": "since", "switch": "since", "stop": "stopped", "rollback": "rolled back"}
_VERDICT = {"quiet": "good", "warning": "warn", "alarm": "bad"}


def screen(data: Mapping[str, Any]) -> str:
    """Return the report for a terminal."""
    head = [("goal", shown(data["goal"] or "not stated")), ("KPI", asked(data["kpi"]))]
    lines = [style(shown(data["project"]), "bold"), columns(head, indent="  ")]
    for model in data["models"]:
        lines += ["", style(shown(model["name"]), "bold")]
        if "events" in model:
            lines.append(audit.listing(model["events"]))
            continue
        rows = [(name, shown(words)) for name, words, _ in _facts(model)]
        lines.append(columns(rows, indent="  "))
    if not data["models"]:
        lines += ["", "No model yet."]
    return "\n".join(lines)


def business(data: Mapping[str, Any], *, made: str) -> str:
    """Return the page for the business."""
    goal = tag("p", data["goal"] or "No goal is stated: pipeline.yaml, project.goal.", cls="goal")
    title = f"{data['project']}: how its models do"
    kpi = tag("p", "KPI: ", tag("strong", asked(data["kpi"])), _how_many(data))
    body = [tag("h1", title), goal, kpi]
    body += [_model(model, data["kpi"]) for model in data["models"]]
    if not data["models"]:
        body.append(tag("p", "There is no model yet."))
    body.append(tag("p", f"Made {moment(made)} from the registry and the ledger.", cls="dim"))
    return page(title, *body, style=_STYLE + trend.STYLE)


def audited(data: Mapping[str, Any], *, made: str) -> str:
    """Return the page for an audit: every event of every model."""
    title = f"{data['project']}: audit"
    body: list[Html] = [tag("h1", title)]
    for model in data["models"]:
        told = audit.told(model["events"], made, mark=f"m{len(body)}-")
        body += [tag("h2", model["name"]), told]
    return page(title, *body, style=audit.style_of())


def asked(kpi: Mapping[str, Any] | None) -> str:
    """Return a KPI in words: "roc_auc at least 0.62"."""
    if kpi is None:
        return "not stated"
    low, high = kpi["at_least"], kpi["at_most"]
    bounds = [f"at least {low:g}"] if low is not None else []
    bounds += [f"at most {high:g}"] if high is not None else []
    return " ".join([kpi["metric"], ", ".join(bounds)]).strip()


def _model(model: Mapping[str, Any], kpi: Mapping[str, Any] | None) -> Html:
    tiles = [
        tag("div", tag("dt", name), tag("dd", big, cls=f"big {look}".strip()), tag("dd", small))
        for name, big, small, look in _tiles(model)
    ]
    shown_there = {"owner", "in production", "KPI", "cost of training"}
    rows = [
        (name, tag("span", words, cls=look))
        for name, words, look in _facts(model)
        if name not in shown_there
    ]
    parts = [tag("h2", model["name"]), tag("dl", *tiles, cls="tiles"), table(("", ""), rows)]
    if model["trend"] and kpi:
        bounds = [kpi[name] for name in ("at_least", "at_most") if kpi[name] is not None]
        parts.append(trend.drawing(model["trend"], metric=kpi["metric"], asked=bounds))
    if model["history"]:
        parts.append(tag("h3", "History"))
        told = [
            (moment(e["time"]), f"{e['alias']} {_now(e)}", person(e["actor"]), e["reason"])
            for e in model["history"]
        ]
        parts.append(table(("when", "what", "who", "why"), told))
    return tag("section", *parts, cls="model")


def _how_many(data: Mapping[str, Any]) -> str:
    """Return how many models do what is asked of them, in a sentence for who reads no further."""
    known = [each["kpi"]["met"] for each in data["models"] if each["kpi"]]
    if data["kpi"] is None or not data["models"]:
        return ""
    met = sum(one is True for one in known)
    return f". {met} of {count(len(data['models']), 'model')} met it when last measured."


def _tiles(model: Mapping[str, Any]) -> Iterator[tuple[str, str, str, str]]:
    """Yield (name, figure, words below it, look) of what is looked at first."""
    kpi, now, cost = model["kpi"], model["production"], model["cost"]
    if kpi:
        words, look = _state(kpi)
        words = words.replace(f"{kpi['metric']} {figure(kpi['value'])} ", "", 1)
        value = "not measured" if kpi["value"] is None else figure(kpi["value"])
        yield f"KPI, {kpi['metric']}", value, words, look
    if now:
        since = f"since {moment(now['since'])}, by {person(now['by'])}"
        yield "in production", f"v{now['version']}", since, ""
    else:
        yield "in production", "nothing", "no version was promoted", "warn"
    look = "" if model["owner"] else "warn"
    yield "owner", model["owner"] or "nobody", "answers for the model", look
    worked, _, rest = _cost(cost).partition(" in ")
    if cost["runs"] and cost["money"] is not None:
        rest, _, money = rest.rpartition(", ")
        yield "cost of training", money, f"{worked} in {rest}", ""
    else:
        yield "cost of training", worked, rest, ""


def _facts(model: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Yield (name, words, look) of all that is told of a model in a line each."""
    yield "owner", model["owner"] or "nobody is named", "" if model["owner"] else "warn"
    now = model["production"]
    if now:
        since = f"v{now['version']} since {moment(now['since'])}, by {person(now['by'])}"
        yield "in production", since, ""
    else:
        yield "in production", "no version", "warn"
    others = [f"{n} v{v}" for n, v in model["aliases"].items() if v and n != "production"]
    if others:
        yield "also", ", ".join(others), ""
    for each in model["deployed"]:
        done = _DONE.get(each["action"], each["action"])
        yield (
            "deployed",
            f"{each['environment']}: v{each['version']}, {done} {moment(each['time'])}",
            "",
        )
    if model["kpi"]:
        yield "KPI", *_state(model["kpi"])
    if model["checked"]:
        told = f"{model['checked']['verdict']}, {moment(model['checked']['time'])}"
        yield "last check", told, _VERDICT.get(model["checked"]["verdict"], "")
    yield "versions", f"{model['versions']}", ""
    yield "cost of training", _cost(model["cost"]), ""


def _state(kpi: Mapping[str, Any]) -> tuple[str, str]:
    if kpi["value"] is None:
        return f"{kpi['metric']} was not measured", "warn"
    words = f"{kpi['metric']} {figure(kpi['value'])} as {kpi['from']}"
    if kpi["met"] is None:
        return words, ""
    words += f", {asked(kpi).removeprefix(kpi['metric']).strip()} is asked"
    return (f"met: {words}", "good") if kpi["met"] else (f"not met: {words}", "bad")


def _cost(cost: Mapping[str, Any]) -> str:
    if not cost["runs"]:
        return "nothing is recorded"
    hours = cost["cpu_hours"]
    told = f"{hours:.2f} CPU hours" if hours >= 0.1 else f"{hours * 60:.1f} CPU minutes"
    told += f" in {count(cost['runs'], 'attempt')} of steps"
    if cost["measured"] < cost["runs"]:
        told += f" ({cost['runs'] - cost['measured']} of them by the clock)"
    return told if cost["money"] is None else f"{told}, {cost['money']:.2f} {cost['currency']}"


def _now(event: Mapping[str, Any]) -> str:
    return f"is v{event['version']}" if event["version"] is not None else "is retired"
