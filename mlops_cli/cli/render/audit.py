"""The events of a model as a person reads them, on a screen and as a page."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from mlops_cli.cli.render import page as pages
from mlops_cli.cli.render.page import Html, esc, table, tag
from mlops_cli.cli.render.runs import moment, person
from mlops_cli.cli.render.text import count, short, shown, style

_MOST = 6  # pieces of evidence of an event on a screen; the page and --json have all
_STYLE = """\
.event{border-left:3px solid var(--line);padding:.1em 0 .1em .9em;margin:.9em 0}
.event.alias{border-color:var(--mark)}.event.version{border-color:var(--good)}
.event h3{margin:0}.event p{margin:.15em 0}.event table{margin:.3em 0;width:100%}
.event td:first-child{color:var(--dim)}.event td:last-child{text-align:right}
@media(min-width:48rem){.event td:first-child{width:13rem}.event td:last-child{width:6rem}}
.event:target{background:var(--soft)}a{color:var(--mark)}
"""
_DIGEST = re.compile(r"sha256:([0-9a-f]{12})[0-9a-f]{52}")
_LOOK = {"registered": "version", "moved": "alias", "promote": "alias", "rollback": "alias"}
_LOOK |= {"retired": "alias", "retire": "alias", "approved": "alias"}
_ROLE = {True: ("good", "passed"), False: ("bad", "not passed"), None: ("", "")}


def listing(events: Sequence[Mapping[str, Any]]) -> str:
    """Return a few lines for each event; digests are short here, whole on the page and in JSON."""
    lines = []
    for event in events:
        what = style(shown(event["what"]), "bold")
        lines.append(f"{shown(_when(event))}  {what}  {shown(_about(event))}")
        lines.append(f"  by {shown(person(event['actor']))}  {style(_names(event), 'dim')}")
        if event["reason"]:
            lines.append(f"  {shown(event['reason'])}")
        for each in event["evidence"][:_MOST]:
            mark = {True: style("ok", "green"), False: style("no", "red"), None: "· "}
            value = _DIGEST.sub(r"\1", shown(each["value"]))
            lines.append(f"  {mark[each['passed']]}  {shown(each['name'])}: {value}")
        if len(event["evidence"]) > _MOST:
            lines.append(f"      and {len(event['evidence']) - _MOST} more (--json, --out)")
    return "\n".join(lines)


def done(title: str, events: Sequence[Mapping[str, Any]], out: Path) -> str:
    """Return the sentence after a page was written."""
    return f"{count(len(events), 'event')} of {title} in {out}"


def page(title: str, events: Sequence[Mapping[str, Any]], *, made: str) -> str:
    """Return the page of one model."""
    return pages.page(f"Audit of {title}", tag("h1", f"Audit of {title}"), told(events, made),
                      style=_STYLE)  # fmt: skip


def style_of() -> str:
    """Return what a page with `told` in it needs."""
    return _STYLE


def told(events: Sequence[Mapping[str, Any]], made: str, *, mark: str = "e") -> Html:
    """Return the events as parts of a page: who decided what on one screen, then each with its
    evidence; `mark` begins their anchors."""
    people = sorted({person(event["actor"]) for event in events if event["actor"]})
    span = [event["time"] for event in events if event["time"]]
    head = [("events", f"{len(events):,}"), ("people", ", ".join(people)), ("made", moment(made))]
    if span:
        head.insert(1, ("from, to", f"{moment(min(span))} to {moment(max(span))}"))
    decided = [
        (
            Html(f'<a href="#{mark}{n}">{esc(_when(event))}</a>'),
            *(
                event["what"],
                _about(event),
                person(event["actor"]),
                event["reason"],
                _passed(event),
            ),
        )
        for n, event in enumerate(events)
        if event["what"] in _LOOK
    ]
    index = table(("when", "what", "of", "who", "why", "evidence"), decided) if decided else ""
    sections = "".join(_event(event, f"{mark}{n}") for n, event in enumerate(events))
    return Html(f"{table(('', ''), head)}{index}{sections}")


def _passed(event: Mapping[str, Any]) -> Html:
    judged = [each for each in event["evidence"] if each["passed"] is not None]
    missed = [each["name"] for each in judged if not each["passed"]]
    if missed:
        return tag("span", f"not passed: {', '.join(missed)}", cls="bad")
    return tag("span", f"{len(judged)} passed", cls="good") if judged else Html("")


def _event(event: Mapping[str, Any], anchor: str) -> Html:
    parts = [
        tag("h3", f"{event['what']}: {_about(event)}"),
        tag("p", f"{_when(event)} by {person(event['actor'])}", cls="dim"),
        tag("p", event["reason"]) if event["reason"] else "",
        table(("", "", ""), list(_rows(event))),
    ]
    look = f"event {_LOOK.get(event['what'], '')}".strip()
    return Html(f'<section id="{anchor}" class="{look}">{"".join(map(esc, parts))}</section>')


def _rows(event: Mapping[str, Any]) -> Iterator[tuple[object, ...]]:
    for each in event["evidence"]:
        look, word = _ROLE[each["passed"]]
        yield each["name"], _value(each["value"]), tag("span", word, cls=look)
    for name in ("digest", "commit", "tag", "record"):
        if event[name] and (name != "record" or event["record"] != event["digest"]):
            yield tag("span", name, cls="dim"), tag("code", event[name]), ""


def _value(value: str) -> Html:
    return tag("code", value) if value.startswith("sha256:") else esc(value)


def _when(event: Mapping[str, Any]) -> str:
    return moment(event["time"]) if event["time"] else "no time"


def _about(event: Mapping[str, Any]) -> str:
    """Return the subject, with the version where it does not name that already."""
    version, subject = event["version"], str(event["subject"])
    return subject if version is None or f"@v{version}" in subject else f"{subject} v{version}"


def _names(event: Mapping[str, Any]) -> str:
    commit = f"commit {event['commit'][:12]}" if event["commit"] else ""
    return "  ".join(filter(None, (short(event["digest"]), commit, shown(event["tag"] or ""))))
