"""Curves as one HTML page that asks nobody for anything: SVG inside, a few lines of script."""

from __future__ import annotations

import html
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mlops_cli.cli.render import page as pages
from mlops_cli.cli.render.runs import figure

WIDTH, HEIGHT, LEFT, BELOW, ABOVE = 560, 280, 58, 30, 12
MOST = 1000  # points of a curve that a screen can show
COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "var(--ink)")
_STYLE = """\
.plots{display:flex;flex-wrap:wrap;gap:1.5em}figure{width:544px;max-width:100%}
.grid{stroke:var(--line)}.rule{stroke:var(--dim);stroke-dasharray:3 3}.rule[hidden]{display:none}
tr:nth-child(even){background:var(--soft)}
.legend{font-size:.85rem}.legend div{display:flex;gap:.5em}.legend output{margin-left:auto;
font-variant-numeric:tabular-nums;color:var(--dim)}"""
_SCRIPT = """\
document.querySelectorAll('svg.curves').forEach(svg=>{
const lines=[...svg.querySelectorAll('polyline')].map(line=>({
at:line.getAttribute('points').split(' ').map(p=>+p.split(',')[0]),
points:JSON.parse(line.dataset.points)}));const rule=svg.querySelector('.rule');
const told=[...svg.nextElementSibling.querySelectorAll('output')];
svg.addEventListener('pointermove',event=>{const box=svg.getBoundingClientRect();
const x=(event.clientX-box.left)*svg.viewBox.baseVal.width/box.width;let best=null;
lines.forEach(({at,points},i)=>{let near=0;at.forEach((one,j)=>{
if(Math.abs(one-x)<Math.abs(at[near]-x))near=j});const far=Math.abs(at[near]-x);
if(best===null||far<Math.abs(best-x))best=at[near];
told[i].textContent='step '+points[near][0]+': '+points[near][1]});
rule.setAttribute('x1',best);rule.setAttribute('x2',best);rule.removeAttribute('hidden')});
svg.addEventListener('pointerleave',()=>{rule.setAttribute('hidden','');
told.forEach(one=>{one.textContent=''})})})"""


@dataclass(frozen=True, slots=True)
class Curve:
    """Points (step, value) of one metric, as one step of one run logged them."""

    label: str
    points: Sequence[tuple[int, float]]


def page(
    curves: Mapping[str, Sequence[Curve]],
    runs: Sequence[tuple[str, Mapping[str, Any], Mapping[str, Any]]],
) -> str:
    """Return the page: a figure for each metric, then params and metrics of `runs`."""
    title = "Runs " + ", ".join(name for name, _, _ in runs)
    drawn = "\n".join(_figure(name, of) for name, of in curves.items())
    if not drawn:
        drawn = "<p>Nothing was logged while these ran.</p>"
    body = (
        f'<h1>{html.escape(title)}</h1>\n<div class="plots">\n{drawn}\n</div>\n'
        f"{_table('params', [(name, params) for name, params, _ in runs])}"
        f"{_table('metrics', [(name, metrics) for name, _, metrics in runs])}"
    )
    return pages.page(title, pages.Html(body), style=_STYLE, script=_SCRIPT)


def _figure(name: str, curves: Sequence[Curve]) -> str:
    shown = [(one.label, _thinned(one.points)) for one in curves if one.points]
    if not shown:
        return ""
    xs = [step for _, points in shown for step, _ in points]
    ys = [value for _, points in shown for _, value in points]
    x0, x1, y0, y1 = min(xs), max(xs), min(ys), max(ys)
    wide, high = (x1 - x0) or 1, (y1 - y0) or abs(y1) or 1.0

    def place(step: float, value: float) -> tuple[float, float]:
        x = LEFT + (step - x0) / wide * (WIDTH - LEFT - 12)
        return x, HEIGHT - BELOW - (value - y0) / high * (HEIGHT - BELOW - ABOVE)

    parts = []
    for value in _ticks(y0, y1):
        _, y = place(x0, value)
        parts.append(
            f'<line x1="{LEFT}" x2="{WIDTH - 12}" y1="{y:.1f}" y2="{y:.1f}" class="grid"/>'
            f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{figure(value)}</text>'
        )
    for step in dict.fromkeys((x0, x1)):
        x, _ = place(step, y0)
        anchor = "start" if step == x0 else "end"
        words = f"step {step}" if step == x0 else str(step)
        parts.append(f'<text x="{x:.1f}" y="{HEIGHT - 8}" text-anchor="{anchor}">{words}</text>')
    for n, (label, points) in enumerate(shown):
        color, safe = COLORS[n % len(COLORS)], html.escape(label, quote=True)
        line = " ".join("{:.1f},{:.1f}".format(*place(*point)) for point in points)
        data = html.escape(str([[step, value] for step, value in points]), quote=True)
        if len(points) == 1:
            x, y = place(*points[0])
            parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{color}"/>')
        parts.append(
            f'<polyline points="{line}" fill="none" stroke="{color}" stroke-width="2" '
            f'data-points="{data}"><title>{safe}</title></polyline>'
        )
    parts.append(f'<line class="rule" hidden y1="{ABOVE}" y2="{HEIGHT - BELOW}"/>')
    legend = "".join(
        f'<div><span style="color:{COLORS[n % len(COLORS)]}">■</span>{html.escape(label)}'
        "<output></output></div>"
        for n, (label, _) in enumerate(shown)
    )
    return (
        f"<figure><figcaption>{html.escape(name)}</figcaption>"
        f'<svg class="curves" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'width="{WIDTH}" height="{HEIGHT}">'
        f'{"".join(parts)}</svg><div class="legend">{legend}</div></figure>'
    )


def _thinned(points: Sequence[tuple[int, float]]) -> list[tuple[int, float]]:
    """Return at most so many points as a screen shows; of each stretch the least and the most."""
    if len(points) <= MOST:
        return list(points)
    size = math.ceil(len(points) / (MOST // 2))
    kept: list[tuple[int, float]] = []
    for start in range(0, len(points), size):
        part = points[start : start + size]
        least, most = min(part, key=lambda p: p[1]), max(part, key=lambda p: p[1])
        kept += [least] if least == most else sorted((least, most))
    return kept


def _ticks(low: float, high: float) -> list[float]:
    """Return a handful of round numbers between two."""
    if low == high:
        return [low]
    rough = (high - low) / 4
    power = 10.0 ** math.floor(math.log10(rough))
    size = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough)
    first = math.ceil(low / size)
    return [n * size for n in range(first, math.floor(high / size + 1e-9) + 1)]


def _table(what: str, runs: Sequence[tuple[str, Mapping[str, Any]]]) -> str:
    names = list(dict.fromkeys(name for _, values in runs for name in values))
    if not names:
        return ""
    rows = [(name, *(_cell(values.get(name)) for _, values in runs)) for name in names]
    return pages.table((what, *(run for run, _ in runs)), rows, "l" + "r" * len(runs))


def _cell(value: Any) -> str:
    return "" if value is None else figure(value)
