"""A figure over time as a drawing: dots as served, rings as tested, a line for what is asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from mlops_cli.cli.render.page import Html, esc, tag
from mlops_cli.cli.render.runs import figure

STYLE = """\
.trend .line{fill:none;stroke:var(--mark);stroke-width:2}.trend .served{fill:var(--mark)}
.trend .tested{fill:var(--back);stroke:var(--mark);stroke-width:2}
.trend .asked{stroke:var(--warn);stroke-dasharray:6 4}.trend .axis{stroke:var(--line)}
"""
_WIDE, _HIGH, _LEFT, _RIGHT, _TOP, _LOW = 640, 200, 56, 16, 14, 30


def drawing(
    points: Sequence[Mapping[str, Any]], *, metric: str, asked: Sequence[float] = ()
) -> Html:
    """Return the drawing of {time, value, version, what}, in order of time; `asked` are bounds."""
    times = [datetime.fromisoformat(point["time"]).timestamp() for point in points]
    values: list[float] = [*(float(point["value"]) for point in points), *asked]
    start, end = min(times), max(times)
    low, high = min(values), max(values)
    margin = (high - low) * 0.08 or abs(high) * 0.05 or 1.0
    low, high = low - margin, high + margin

    def x(time: float) -> float:
        return _LEFT + (time - start) / ((end - start) or 1) * (_WIDE - _LEFT - _RIGHT)

    def y(value: float) -> float:
        return _TOP + (high - value) / (high - low) * (_HIGH - _TOP - _LOW)

    parts: list[str] = []
    for value in (min(values), max(values)):
        parts += _line("axis", y(value)), _text(_LEFT - 6, y(value) + 4, figure(value), "end")
    for value in asked:
        words = f"asked {figure(value)}"
        parts += _line("asked", y(value)), _text(_WIDE - _RIGHT, y(value) - 4, words, "end")
    for at, anchor in ((0, "start"), (-1, "end")):
        parts.append(_text(x(times[at]), _HIGH - 8, points[at]["time"][:10], anchor))
    served = [
        f"{x(time):.1f},{y(point['value']):.1f}"
        for time, point in zip(times, points, strict=True)
        if point["what"] == "served"
    ]
    parts.append(f'<polyline class="line" points="{" ".join(served)}"/>')
    for time, point in zip(times, points, strict=True):
        told = f"{point['time'][:16]}: {metric} {figure(point['value'])}, v{point['version']} "
        parts.append(
            f'<circle class="{esc(point["what"])}" cx="{x(time):.1f}" cy="{y(point["value"]):.1f}" '
            f'r="4"><title>{esc(told + point["what"])}</title></circle>'
        )
    svg = Html(
        f'<svg class="trend" viewBox="0 0 {_WIDE} {_HIGH}" width="{_WIDE}" height="{_HIGH}" '
        f'role="img" aria-label="{esc(metric)} over time">{"".join(parts)}</svg>'
    )
    return tag("figure", tag("figcaption", f"{metric} (dots: as served, rings: as tested)"), svg)


def _line(look: str, y: float) -> str:
    return f'<line class="{look}" x1="{_LEFT}" x2="{_WIDE - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'


def _text(x: float, y: float, words: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{esc(words)}</text>'
