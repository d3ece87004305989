"""A lineage as one page that asks nobody for anything: pan, zoom, search, click for the facts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mlops_cli.cli.render.layered import layout
from mlops_cli.cli.render.page import Html, esc, page, table, tag
from mlops_cli.cli.render.text import count, short
from mlops_cli.encode import canonical_json
from mlops_cli.ledger.graph import Graph, Node

WIDE, HIGH, ACROSS, DOWN = 190, 40, 260, 56
SIGHT = (1400, 800)  # what is seen of it without zooming
_LONGEST = 26  # letters of a label in its box
_STYLE = """\
body{max-width:none;display:flex;flex-direction:column;height:100vh;margin:0;padding:0}
header{display:flex;gap:1rem;align-items:center;padding:.5rem 1rem;flex-wrap:wrap;
border-bottom:1px solid var(--line)}header h1{margin:0;font-size:1.1rem}
header input{font:inherit;padding:.2em .6em;min-width:16rem}
main{flex:1;display:flex;min-height:0}aside{width:24rem;overflow:auto;padding:0 1rem;
border-left:1px solid var(--line)}#graph{flex:1;max-width:none;height:100%;cursor:grab}
.node{cursor:pointer}.node rect{fill:var(--soft);stroke:var(--line);stroke-width:1.5}
.node text{fill:var(--ink)}.node text+text{fill:var(--dim);font-size:10px}
.node:focus{outline:none}.node:focus rect,.node.here rect{stroke:var(--mark);stroke-width:3}
.edge{fill:none;stroke:var(--dim);stroke-width:1.2}.time{stroke-dasharray:2 3}
.missing{stroke:var(--warn);stroke-dasharray:6 4}.mismatch{stroke:var(--bad);stroke-width:2.5}
.node.missing rect{stroke:var(--warn);stroke-dasharray:6 4}
.node.mismatch rect{stroke:var(--bad)}.start rect{stroke:var(--mark)}
.faint{opacity:.15}.edge.lit{stroke:var(--mark);stroke-width:2}
button{font:inherit;background:none;border:0;color:var(--mark);padding:0;text-align:left;
cursor:pointer}
@media(max-width:50rem){main{flex-direction:column}aside{width:auto;border:0;max-height:45%}}
@media print{main{display:block}aside{width:auto}section[hidden]{display:block}}"""
_SCRIPT = """\
const svg=document.getElementById('graph'),view=svg.querySelector('g'),all=s=>[...document
.querySelectorAll(s)],box=svg.viewBox.baseVal;let [x,y,scale]=[+svg.dataset.x,+svg.dataset.y,1];
const draw=()=>view.setAttribute('transform',`translate(${x},${y}) scale(${scale})`);
const at=e=>{const p=new DOMPoint(e.clientX,e.clientY).matrixTransform(svg.getScreenCTM()
.inverse());return[p.x,p.y]};
const zoom=(by,px,py)=>{const s=Math.min(8,Math.max(.05,scale*by));x=px-(px-x)*s/scale;
y=py-(py-y)*s/scale;scale=s;draw()};
svg.addEventListener('wheel',e=>{e.preventDefault();zoom(e.deltaY<0?1.15:1/1.15,...at(e))},
{passive:false});let held=null;
svg.addEventListener('pointerdown',e=>{held=at(e)});
addEventListener('pointerup',()=>{held=null});
svg.addEventListener('pointermove',e=>{if(!held)return;const p=at(e);x+=p[0]-held[0];
y+=p[1]-held[1];held=p;draw()});
const reach=(id,a,b)=>{const seen=new Set([id]),todo=[id];while(todo.length){const n=todo.pop();
edges.forEach(e=>{if(e.dataset[a]===n&&!seen.has(e.dataset[b])){seen.add(e.dataset[b]);
todo.push(e.dataset[b])}})}return seen};
const nodes=all('.node'),edges=all('.edge'),input=document.querySelector('input');
const show=id=>{const up=reach(id,'to','from'),down=reach(id,'from','to');
nodes.forEach(n=>{n.classList.toggle('here',n.id===id);
n.classList.toggle('faint',!up.has(n.id)&&!down.has(n.id))});
edges.forEach(e=>{const lit=(up.has(e.dataset.from)&&up.has(e.dataset.to))||
(down.has(e.dataset.from)&&down.has(e.dataset.to));e.classList.toggle('lit',lit);
e.classList.toggle('faint',!lit)});
all('aside section').forEach(s=>{s.hidden=s.dataset.of!==id})};
const middle=id=>{const r=document.querySelector('#'+id+' rect');
x=box.width/2-scale*(+r.getAttribute('x')+95);y=box.height/2-scale*(+r.getAttribute('y')+20);
draw()};
const clear=()=>{nodes.concat(edges).forEach(n=>n.classList.remove('here','faint','lit'));
all('aside section').forEach(s=>{s.hidden=s.dataset.of!=='all'})};
nodes.forEach(n=>{n.addEventListener('click',()=>show(n.id));
n.addEventListener('keydown',e=>{if(e.key==='Enter')show(n.id)})});
all('button[data-to]').forEach(b=>b.addEventListener('click',()=>{show(b.dataset.to);
middle(b.dataset.to)}));
const found=()=>{const w=input.value.toLowerCase();return w?nodes.filter(n=>n.dataset.words
.includes(w)):[]};
input.addEventListener('input',()=>{clear();const f=new Set(found());if(input.value)
nodes.forEach(n=>n.classList.toggle('faint',!f.has(n)))});let turn=0;
input.addEventListener('keydown',e=>{const f=found();if(e.key==='Enter'&&f.length){
const n=f[turn++%f.length];show(n.id);middle(n.id)}});
addEventListener('keydown',e=>{if(e.key==='Escape'){input.value='';clear()}});
document.getElementById('fit').addEventListener('click',()=>{const w=+svg.dataset.wide,
h=+svg.dataset.high;scale=Math.min(1,box.width/w,box.height/h);x=(box.width-w*scale)/2;
y=(box.height-h*scale)/2;draw()});"""


def lineage_page(graph: Graph, data: Mapping[str, Any]) -> str:
    """Return the page of `graph`; `data` is the document of the command."""
    names = {node: f"n{number}" for number, node in enumerate(graph.nodes)}
    ends = [(edge.source, edge.target) for edge in graph.edges]
    spots = layout(list(graph.nodes), ends)
    width = (max((c for c, _ in spots.values()), default=0) + 1) * ACROSS
    height = (max((r for _, r in spots.values()), default=0) + 1) * DOWN
    title = f"Lineage of {data['name']}" + (f" at {data['at']}" if data.get("at") else "")
    seen = _seen(spots, data["starts"], width, height)
    svg = (
        f'<svg id="graph" viewBox="0 0 {SIGHT[0]} {SIGHT[1]}" data-wide="{width}" '
        f'data-high="{height}" data-x="{seen[0]}" data-y="{seen[1]}" role="img">'
        f'<g transform="translate({seen[0]},{seen[1]})">'
        + "".join(_edge(graph, spots, names, at) for at in range(len(graph.edges)))
        + "".join(_node(one, spots, names, set(data["starts"])) for one in graph.nodes.values())
        + "</g></svg>"
    )
    about = f"{count(len(graph.nodes), 'link')}, {count(len(graph.edges), 'edge')}"
    facts = "".join(_facts(graph, one, names) for one in graph.nodes.values())
    head = tag("h1", title) + tag("span", about, cls="dim")
    find = '<input type="search" placeholder="Search, Enter for the next" aria-label="Search">'
    fit = '<button id="fit">All of it</button>'
    aside = f"<aside>{_legend()}{facts}</aside>"
    body = f"<header>{head}{find}{fit}</header>\n<main>{svg}\n{aside}</main>\n"
    return page(title, Html(body), style=_STYLE, script=_SCRIPT)


def _seen(
    spots: Mapping[str, tuple[int, int]], starts: Sequence[str], width: int, height: int
) -> tuple[int, int]:
    """Return how far the graph is moved at first: into the middle, or to where it begins."""
    spot = next((spots[name] for name in starts if name in spots), (0, 0))
    at = (spot[0] * ACROSS + WIDE // 2, spot[1] * DOWN + HIGH // 2)
    return (
        (SIGHT[0] - width) // 2 if width <= SIGHT[0] else SIGHT[0] // 2 - at[0],
        (SIGHT[1] - height) // 2 if height <= SIGHT[1] else SIGHT[1] // 2 - at[1],
    )


def _edge(
    graph: Graph, spots: Mapping[str, tuple[int, int]], names: Mapping[str, str], at: int
) -> str:
    edge = graph.edges[at]
    (a, b), (c, d) = spots[edge.source], spots[edge.target]
    x1, y1 = a * ACROSS + WIDE, b * DOWN + HIGH / 2
    x2, y2 = c * ACROSS, d * DOWN + HIGH / 2
    bend = max(40, (x2 - x1) / 2)
    told = f"{edge.relation} {edge.name}".strip() + f", by {edge.by}, {edge.state}"
    looks = " ".join(["edge", edge.state, *(["time"] if edge.by == "time" else [])])
    return (
        f'<path class="{esc(looks)}" data-from="{names[edge.source]}" '
        f'data-to="{names[edge.target]}" d="M{x1},{y1:g}C{x1 + bend:g},{y1:g} '
        f'{x2 - bend:g},{y2:g} {x2},{y2:g}"><title>{esc(told)}</title></path>\n'
    )


def _node(
    node: Node, spots: Mapping[str, tuple[int, int]], names: Mapping[str, str], starts: set[str]
) -> str:
    column, row = spots[node.id]
    x, y = column * ACROSS, row * DOWN
    label = node.label if len(node.label) <= _LONGEST else node.label[: _LONGEST - 1] + "…"
    looks = " ".join(["node", node.state, *(["start"] if node.id in starts else [])])
    words = f"{node.kind} {node.label} {node.id}".lower()
    return (
        f'<g class="{esc(looks)}" id="{names[node.id]}" data-words="{esc(words)}" tabindex="0" '
        f'role="button"><title>{esc(f"{node.kind}: {node.label}")}</title>'
        f'<rect x="{x}" y="{y}" width="{WIDE}" height="{HIGH}" rx="6"/>'
        f'<text x="{x + 8}" y="{y + 16}">{esc(label)}</text>'
        f'<text x="{x + 8}" y="{y + 31}">{esc(node.kind)} {esc(_tail(node.id))}</text></g>\n'
    )


def _facts(graph: Graph, node: Node, names: Mapping[str, str]) -> str:
    rows: list[tuple[object, object]] = [
        ("digest" if node.id.startswith("sha256:") else "name", tag("code", node.id)),
        ("where", f"{node.place}, {node.state}"),
        *([("time", node.time)] if node.time else []),
        *((name, _plain(value)) for name, value in node.facts.items()),
    ]
    for what, this, that in (("came from", "target", "source"), ("led to", "source", "target")):
        near = dict.fromkeys(
            (getattr(edge, that), edge.relation)
            for edge in graph.edges
            if getattr(edge, this) == node.id
        )
        each = [
            f'<button data-to="{names[other]}">{esc(relation)} '
            f"{esc(graph.nodes[other].label)}</button>"
            for other, relation in near
        ]
        if each:
            rows.append((what, Html("<br>".join(each))))
    inside = tag("h2", f"{node.kind}: {node.label}") + table(("", ""), rows)
    return f'<section data-of="{names[node.id]}" hidden>{inside}</section>\n'


def _legend() -> str:
    rows = [
        ("refs-verified", "records and tags in git say so, and are what their names say"),
        ("bytes-present", "the bytes are here, not read again"),
        ("missing", "bytes, record or tag are not in this clone"),
        ("mismatch", "the two ends, or record and tag, contradict each other"),
        ("dotted", "joined by what stood at that time, not by a digest"),
    ]
    inside = tag("p", "Click a link for its facts; Escape shows all again.") + table(
        ("edge", "what it means"), rows
    )
    return f'<section data-of="all">{inside}</section>\n'


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else canonical_json(value).decode()


def _tail(name: str) -> str:
    return short(name) if name.startswith("sha256:") else ""
