"""How far each link of a lineage can be confirmed here: records, tags, bytes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from mlops_cli.ledger.graph import MISMATCH, MISSING, PRESENT, VERIFIED, Graph, Node
from mlops_cli.store.cache import Cache
from mlops_cli.store.digest import Digest
from mlops_cli.vcs import objects
from mlops_cli.vcs.repo import Git

if TYPE_CHECKING:
    from mlops_cli.ledger.links import Edge
    from mlops_cli.registry.alias import AliasEvent
    from mlops_cli.registry.holdings import Holdings
    from mlops_cli.registry.version import Version
    from mlops_cli.vcs.objects import GitObject

ABSENT = "absent"
_WORST = (MISMATCH, MISSING, PRESENT, VERIFIED)


def confirmed(graph: Graph, cache: Cache, git: Git, held: Mapping[str, Holdings]) -> Graph:
    """Return `graph` with place and state of every link, and the state of every edge.

    Bytes that the cache does not hold are looked for in the commits of the runs that read them:
    a small file that git keeps, such as code, has no other copy. What is in neither place was
    not pulled, or was never committed. `held` is what the tags say, which records must not
    contradict.
    """
    places = _places(graph, cache, git)
    nodes = {
        name: _seen(replace(node, place=places.get(name, node.place)), held)
        for name, node in graph.nodes.items()
    }
    return Graph(nodes, tuple(replace(edge, state=_state(edge, nodes)) for edge in graph.edges))


def tag_of(node: Node, held: Mapping[str, Holdings]) -> Version | AliasEvent | None:
    """Return what git's tag says of the version or alias event that `node` is."""
    model = held.get(str(node.facts.get("model")))
    if model is None:
        return None
    if node.kind == "version":
        wanted = node.facts.get("version")
        return next((each for each in model.versions if each.number == wanted), None)
    if node.kind == "promotion":
        events = model.aliases.get(str(node.facts.get("alias")), ())
        return next((one for one in events if one.number == node.facts.get("event")), None)
    return None


def _seen(node: Node, held: Mapping[str, Holdings]) -> Node:
    """Return the node with what is confirmed of it."""
    if node.state == MISMATCH:
        return node
    if node.kind in ("version", "promotion"):
        tag = tag_of(node, held)
        if tag is None:
            return replace(node, state=MISSING)
        said = (tag.payload.get("version"), tag.payload.get("digest"))
        told = (node.facts.get("version"), node.facts.get("digest"))
        agree = node.place == "tags" or said == told
        return replace(node, state=VERIFIED if agree else MISMATCH)
    if node.place == ABSENT:
        return replace(node, state=MISSING)
    return replace(node, state=VERIFIED if node.place == "ledger" else PRESENT)


def _state(edge: Edge, nodes: Mapping[str, Node]) -> str:
    """Return the weaker of what is confirmed of both ends, and whether they mean one model."""
    ends = nodes[edge.source], nodes[edge.target]
    digests = {digest for end in ends if (digest := end.facts.get("digest"))}
    if edge.relation in ("promoted", "deployed") and len(digests) > 1:
        return MISMATCH
    return min((end.state for end in ends), key=_WORST.index)


def _places(graph: Graph, cache: Cache, git: Git) -> dict[str, str]:
    """Return where the bytes of every link that is no record are: cache, git, or absent."""
    bare = [node for node in graph.nodes.values() if node.place == "cache"]
    code = {node.id for node in bare if node.kind == "code"}
    missing = {str(one) for one in cache.missing([Digest.parse(n.id) for n in bare])} | code
    asked: dict[tuple[str, str], str] = {}
    for edge in graph.edges:
        commit = graph.nodes[edge.target].facts.get("commit")
        if edge.source in missing and commit and edge.name:
            asked[edge.source, f"{commit}:{edge.name}"] = edge.name
    in_git = set(_same(asked, objects.read(git, [name for _, name in asked]), code))
    return {
        node.id: "git" if node.id in in_git else ABSENT if node.id in missing else "cache"
        for node in bare
    }


def _same(
    asked: Mapping[tuple[str, str], str], answers: Sequence[GitObject | None], code: set[str]
) -> Iterator[str]:
    """Yield the digests whose bytes, or of code whose definitions, git has."""
    from mlops_cli.pipeline.keys.code import digest_of

    read: set[tuple[str, str]] = set()
    for ((digest, _), path), found in zip(asked.items(), answers, strict=True):
        if found is None or found.kind != "blob" or (digest, found.id) in read:
            continue
        read.add((digest, found.id))
        actual = digest_of(found.data, path) if digest in code else Digest.of(found.data)
        if actual == digest:
            yield digest
