"""Open challenge "many artefacts → governance": gc never removes what any tag, branch or
production refers to, and the rest does go."""

from __future__ import annotations

import os
from typing import Any

LATER = {"MLOPS_NOW": "2013-06-01T00:00:00+00:00"}


def stored(project: Any) -> set[str]:
    """Return the digests that the cache has: whole objects, and those in packs."""
    from mlops_cli.store.cache import open_cache
    from mlops_cli.store.digest import Digest
    from mlops_cli.store.tree import parse_tree

    cache = open_cache(project.root / ".mlops/cache")
    found: set[str] = set()
    for number in (1, 2):
        bundle = project.here("models", "show", f"storm@v{number}")["bundle"]
        entries = parse_tree(cache.read(Digest.parse(bundle)))
        assert cache.missing([entry.digest for entry in entries]) == set()
        found |= {str(entry.digest) for entry in entries}
    return found


def track(project: Any, name: str) -> bytes:
    """Track bytes that are nowhere else, and commit their pointer."""
    data = os.urandom(200_000)
    (project.root / "data" / name).write_bytes(data)
    project.here("add", f"data/{name}")
    project.commit(f"data: {name}")
    return data


def test_gc_keeps_what_tags_branches_and_aliases_mean_and_frees_the_rest(
    trained_project: Any,
) -> None:
    project = trained_project
    project.here("register", "storm")
    project.here("promote", "storm@v2", "staging")
    project.here("models", "alias", "storm@v1", "night")
    project.here("models", "retire", "storm@night", "--reason", "nobody asks it")
    project.git("checkout", "-qb", "idea")
    on_a_branch = track(project, "idea.bin")
    project.git("checkout", "-q", "main")
    project.git("checkout", "-qb", "paper")
    on_a_tag = track(project, "paper.bin")
    project.git("tag", "paper-1")
    project.git("checkout", "-q", "main")
    project.git("branch", "-qD", "paper")
    of_nobody = os.urandom(200_000)
    (project.root / "data/scrap.bin").write_bytes(of_nobody)
    project.here("add", "data/scrap.bin")
    for left in ("data/scrap.bin", "data/scrap.bin.mlops", "data/idea.bin", "data/paper.bin"):
        (project.root / left).unlink(missing_ok=True)
    project.git("checkout", "-q", "--", ".")
    # of the models nothing is left in the workspace and the last runs: only tags name them
    bundles = stored(project)

    freed = [project.mlops("gc", "--grace", "0", "--unpushed", **LATER) for _ in range(2)]

    assert sum(each["removed"]["objects"] for each in freed) == 1, "the scrap, and nothing else"
    assert stored(project) == bundles
    for name in ("storm@v1", "storm@v2", "storm@staging"):
        assert project.here("verify", name)["clean"], name
    for revision, name, data in (
        ("idea", "idea.bin", on_a_branch),
        ("paper-1", "paper.bin", on_a_tag),
    ):
        project.git("checkout", "-q", revision)
        project.here("checkout", f"data/{name}")
        assert (project.root / "data" / name).read_bytes() == data


def test_a_production_whose_branch_is_gone_is_kept(trained_project: Any) -> None:
    project = trained_project
    project.git("checkout", "-qb", "release")
    project.here("register", "storm")
    project.here("promote", "storm@v2", "production")
    project.git("checkout", "-q", "main")
    project.git("branch", "-qD", "release")
    project.git("reflog", "expire", "--expire=now", "--all")
    before = stored(project)
    for _ in range(2):
        project.mlops("gc", "--grace", "0", "--unpushed", **LATER)
    project.git("gc", "-q", "--prune=now")
    assert stored(project) == before
    assert project.here("models", "show", "storm@production")["version"] == 2
    assert project.here("verify", "storm@production")["clean"]
