"""One HTML page that asks nobody for anything: no address but its own, all text escaped.

Words of people and of foreign files are plain `str` and are escaped on the way in; only what was
made here is `Html`. The page forbids itself to load or run anything else, so a slip of the first
rule is not yet a hole.
"""

from __future__ import annotations

import base64
import hashlib
import html
from collections.abc import Iterable, Sequence

_STYLE = """\
:root{color-scheme:light dark;--ink:#1f2328;--dim:#59636e;--back:#fff;--line:#d1d9e0;--soft:#f6f8fa;
--good:#1a7f37;--bad:#cf222e;--warn:#9a6700;--mark:#0969da}
@media(prefers-color-scheme:dark){:root{--ink:#e6edf3;--dim:#9198a1;--back:#0d1117;--line:#3d444d;
--soft:#151b23;--good:#3fb950;--bad:#f85149;--warn:#d29922;--mark:#4493f8}}
*{box-sizing:border-box}
body{font:16px/1.5 system-ui,sans-serif;margin:0 auto;max-width:72rem;padding:1rem;
color:var(--ink);background:var(--back);overflow-wrap:anywhere}
h1{font-size:1.6rem;margin:.4em 0}h2{font-size:1.25rem;margin:1.6em 0 .4em}h3{font-size:1rem}
.scroll{overflow-x:auto}table{border-collapse:collapse;margin:.6em 0;font-size:.9rem}
th,td{padding:.3em .7em;text-align:left;vertical-align:top;border-bottom:1px solid var(--line);
overflow-wrap:break-word}
th{color:var(--dim);font-weight:600}td.r,th.r{text-align:right;font-variant-numeric:tabular-nums}
code{overflow-wrap:anywhere;
font:.85em ui-monospace,monospace;background:var(--soft);padding:.1em .3em;border-radius:4px}
.dim{color:var(--dim)}.good{color:var(--good)}.bad{color:var(--bad)}.warn{color:var(--warn)}
figure{margin:.6em 0}figcaption{font-weight:600}svg{max-width:100%;height:auto}
svg text{font:11px system-ui,sans-serif;fill:var(--dim)}
@media print{:root{color-scheme:light;--ink:#000;--dim:#444;--back:#fff;--line:#bbb;--soft:#fff}
body{max-width:none;padding:0;font-size:10pt}section,tr,figure{break-inside:avoid}
.scroll{overflow:visible}}
"""


class Html(str):
    """Text that is markup already; everything else is escaped."""

    __slots__ = ()


def esc(value: object) -> Html:
    """Return `value` as text for a page; None is nothing, and control characters are shown."""
    if isinstance(value, Html):
        return value
    words = "" if value is None else str(value)
    seen = "".join(
        c if c in "\n\t" or not _hidden(c) else "\N{REPLACEMENT CHARACTER}" for c in words
    )
    return Html(html.escape(seen))


def tag(name: str, *inside: object, cls: str = "") -> Html:
    """Return an element; what stands in it is escaped unless it is Html."""
    look = f' class="{html.escape(cls)}"' if cls else ""
    return Html(f"<{name}{look}>{''.join(map(esc, inside))}</{name}>")


def table(head: Sequence[object], rows: Iterable[Sequence[object]], align: str = "") -> Html:
    """Return a table, which scrolls alone on a narrow screen; `align` as in text.table."""
    sides = align.ljust(len(head), "l")

    def line(kind: str, cells: Sequence[object]) -> Html:
        made = (
            tag(kind, cell, cls="r" if side == "r" else "")
            for cell, side in zip(cells, sides, strict=False)
        )
        return Html(f"<tr>{''.join(made)}</tr>\n")

    top = f"<thead>{line('th', head)}</thead>" if any(head) else ""
    body = "".join(line("td", row) for row in rows)
    return Html(f'<div class="scroll"><table>{top}<tbody>\n{body}</tbody></table></div>\n')


def page(title: str, *body: object, style: str = "", script: str = "") -> str:
    """Return the whole page. `style` and `script` are ours; no other script can run in it."""
    allowed = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
    if script:
        digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        allowed += f"; script-src 'sha256-{digest}'"
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{allowed}">\n'
        '<meta name="viewport" content="width=device-width,initial-scale=1">\n'
        f"<title>{esc(title)}</title>\n<style>{_STYLE}{style}</style></head>\n<body>\n"
        f"{''.join(map(esc, body))}"
        f"{f'<script>{script}</script>' if script else ''}</body></html>\n"
    )


def _hidden(character: str) -> bool:
    """Return whether it shows nothing or turns the line around: controls, bidirectional marks."""
    return (
        ord(character) < 32
        or 0x7F <= ord(character) < 0xA0
        or character in _BIDI
        or (
            0xD800 <= ord(character) < 0xE000  # half of a pair, which no file can hold
        )
    )


_BIDI = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\u061c")
