"""Where the bytes behind each link of a lineage can be confirmed."""

from __future__ import annotations

from dataclasses import replace

from mlops_cli.ledger.graph import Graph
from mlops_cli.store.cache import Cache
from mlops_cli.store.digest import Digest
from mlops_cli.vcs import objects
from mlops_cli.vcs.repo import Git

ABSENT = "absent"


def confirmed(graph: Graph, cache: Cache, git: Git) -> Graph:
    """Return `graph` with the place of bytes looked up: cache, git, or absent.

    Bytes that the cache does not hold are looked for in the commits of the runs that read them:
    a small file that git keeps, such as code, has no other copy. What is in neither place was
    not pulled, or was never committed.
    """
    bare = [node for node in graph.nodes.values() if node.place == "cache"]
    missing = cache.missing([Digest.parse(node.id) for node in bare])
    asked: dict[tuple[str, str], None] = {}
    for edge in graph.edges:
        commit = graph.nodes[edge.target].facts.get("commit")
        if edge.source in missing and commit and edge.name:
            asked[edge.source, f"{commit}:{edge.name}"] = None
    answers = objects.read(git, [name for _, name in asked])
    in_git = {
        digest
        for (digest, _), found in zip(asked, answers, strict=True)
        if found is not None and found.kind == "blob" and Digest.of(found.data) == digest
    }
    nodes = {
        name: replace(node, place="git" if name in in_git else ABSENT) if name in missing else node
        for name, node in graph.nodes.items()
    }
    return replace(graph, nodes=nodes)
