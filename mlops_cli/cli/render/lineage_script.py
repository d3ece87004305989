"""How the page of a lineage looks, and what it does: select, follow, search."""

STYLE = """\
:root{--made:#8250df;--ran:#0969da;--kept:#1a7f37;--used:#0e7490}
@media(prefers-color-scheme:dark){:root{--made:#ab7df8;--ran:#4493f8;--kept:#3fb950;--used:#22b8cf}}
body{max-width:none;display:flex;flex-direction:column;height:100vh;margin:0;padding:0}
header{display:flex;gap:1rem;align-items:center;padding:.5rem 1rem;flex-wrap:wrap;
border-bottom:1px solid var(--line)}header h1{margin:0;font-size:1.1rem}
input{font:inherit;padding:.2em .6em;min-width:18rem;color:inherit;background:var(--soft);
border:1px solid var(--line);border-radius:5px}
main{flex:1;display:flex;min-height:0}#bands{flex:1;overflow:auto;padding:0 1rem 2rem}
#bands h2{margin:.9em 0 .3em;font-size:1rem;border-bottom:1px solid var(--line);
position:sticky;top:0;background:var(--back);padding:.3em 0;white-space:pre}
aside{width:25rem;overflow:auto;padding:0 1rem;border-left:1px solid var(--line);font-size:.9rem}
aside h2{font-size:1.05rem;margin:1em 0 .4em}nav ul{padding-left:0;list-style:none;margin:.4em 0}
nav h3{margin:.8em 0 0}aside td.r,aside button[data-find]{white-space:nowrap}
aside svg{max-width:none}aside td{padding:.3em .5em .3em 0}
aside section:not([data-of=all]) td:first-child{white-space:nowrap;color:var(--dim)}
.lineage{display:block;margin:0 auto;min-width:32rem}
.node{cursor:pointer;outline:none}.node rect:first-of-type{fill:var(--soft);stroke:var(--line)}
.lineage .node text{font-size:12.5px;fill:var(--ink)}
.lineage .node text+text{fill:var(--dim);font-size:11px}
rect.made{fill:var(--made)}rect.ran{fill:var(--ran)}rect.kept{fill:var(--kept)}
rect.used{fill:var(--used)}.tip{fill:var(--dim)}
.node.missing rect:first-of-type{stroke:var(--warn);stroke-dasharray:5 3}
.node.mismatch rect:first-of-type{stroke:var(--bad);stroke-width:3}
.node.start rect:first-of-type{stroke:var(--ink);stroke-width:2}
.node.shadow rect:first-of-type{fill:var(--back);stroke-dasharray:2 3}
.lineage .node.shadow text{fill:var(--dim)}
.node:focus rect:first-of-type,.node.here rect:first-of-type{stroke:var(--mark);stroke-width:3}
.edge{fill:none;stroke:var(--dim);stroke-width:1.2;opacity:.75}.edge.refs-verified{stroke-width:2}
.edge.caused{stroke-width:1;opacity:.4}
.edge.missing{stroke:var(--warn);stroke-dasharray:6 4;opacity:1}
.edge.mismatch{stroke:var(--bad);stroke-width:3;opacity:1}.edge.time{stroke-dasharray:2 3}
.edge.lit{stroke:var(--mark);opacity:1}.node.faint{opacity:.18}.edge.faint{opacity:.06}
button{font:inherit;background:none;border:0;color:var(--mark);padding:0;text-align:left;
cursor:pointer}a{color:var(--mark)}
@media(max-width:60rem){main{flex-direction:column}
aside{width:auto;border:0;border-top:1px solid var(--line);max-height:45%}}
@media print{body,main{display:block;height:auto}aside{width:auto;border:0}#bands{overflow:visible}
section[data-of]{display:none}}"""

SCRIPT = """\
const all=s=>[...document.querySelectorAll(s)],by=id=>document.getElementById(id);
const nodes=all('.node'),own=nodes.filter(n=>n.id),edges=all('path[data-from]');
const input=document.querySelector('input'),told=by('told'),aside=document.querySelector('aside');
const sections=all('aside section'),causes={},effects={};
edges.forEach(e=>{const{from:a,to:b}=e.dataset;(effects[a]??=[]).push(b);
(causes[b]??=[]).push(a)});
const near=(ways,least)=>Object.values(ways).forEach(each=>each.sort((a,b)=>
(a.slice(1)-b.slice(1))*least));near(causes,-1);near(effects,1);
const reach=(id,ways)=>{const seen=new Set([id]),todo=[id];while(todo.length)
(ways[todo.pop()]||[]).forEach(n=>{if(!seen.has(n)){seen.add(n);todo.push(n)}});return seen};
const panel=of=>{sections.forEach(s=>{s.hidden=s.dataset.of!==of});aside.scrollTop=0};
const show=(id,{go=true,focus=true}={})=>{const up=reach(id,causes),down=reach(id,effects);
nodes.forEach(n=>{const o=n.dataset.of;n.classList.toggle('here',o===id);
n.classList.toggle('faint',!up.has(o)&&!down.has(o))});
edges.forEach(e=>{const{from:a,to:b}=e.dataset,lit=(up.has(a)&&up.has(b))||
(down.has(a)&&down.has(b));e.classList.toggle('lit',lit);e.classList.toggle('faint',!lit)});
panel(id);history.replaceState(null,'','#'+id);
if(go)by(id).scrollIntoView({block:'center',inline:'center'});
if(focus)by(id).focus({preventScroll:true})};
const clear=()=>{[...nodes,...edges].forEach(n=>n.classList.remove('here','faint','lit'));
told.textContent='';panel('all');history.replaceState(null,'',location.pathname)};
const words=new Map(own.map(n=>[n.id,'']));
sections.forEach(s=>{if(words.has(s.dataset.of))words.set(s.dataset.of,
(s.querySelector('h2').textContent+' '+s.querySelector('table').textContent).toLowerCase())});
let found=[],turn=0;
const search=()=>{clear();turn=0;const w=input.value.trim().toLowerCase();
found=w?own.filter(n=>words.get(n.id).includes(w)):[];if(!w)return;
told.textContent=found.length?found.length+' found':'nothing found';
const ids=new Set(found.map(n=>n.id));
nodes.forEach(n=>n.classList.toggle('faint',!ids.has(n.dataset.of)));
edges.forEach(e=>e.classList.add('faint'));
if(found.length)found[0].scrollIntoView({block:'center',inline:'center'})};
nodes.forEach(n=>n.addEventListener('click',()=>show(n.dataset.of,{go:!n.id})));
own.forEach((n,at)=>n.addEventListener('keydown',e=>{const to={Enter:n.id,' ':n.id,
ArrowUp:(causes[n.id]||[])[0],ArrowDown:(effects[n.id]||[])[0],
ArrowLeft:own[at-1]?.id,ArrowRight:own[at+1]?.id}[e.key];
if(to){e.preventDefault();show(to)}}));
all('[data-to]').forEach(b=>{if(b.tagName==='BUTTON')
b.addEventListener('click',()=>show(b.dataset.to))});
all('[data-find]').forEach(b=>b.addEventListener('click',()=>{input.value=b.dataset.find;
search()}));
input.addEventListener('input',search);
input.addEventListener('keydown',e=>{if(e.key==='Enter'&&found.length){
const at=turn++%found.length;show(found[at].id,{focus:false});
told.textContent=at+1+' of '+found.length}});
addEventListener('keydown',e=>{if(e.key==='Escape'){input.value='';clear()}
if(e.key==='/'&&document.activeElement!==input){e.preventDefault();input.focus()}});
const first=document.querySelector('.node.start[id]')||own[0];if(first){first.tabIndex=0;
first.scrollIntoView({block:'center',inline:'center'})}
if(by(location.hash.slice(1))?.dataset.of)show(location.hash.slice(1));"""
