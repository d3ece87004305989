"""Whatever was done in git, gc keeps every byte that anything in it names, and nothing else."""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from mlops_cli.store.cache import Cache, open_cache
from mlops_cli.store.condemned import Moment
from mlops_cli.store.digest import Digest
from mlops_cli.store.files.ingest import ingest
from mlops_cli.store.space import collect, removal
from mlops_cli.vcs.repo import Git
from mlops_cli.workspace.pointer import Pointer, write_pointer
from mlops_cli.workspace.roots import roots

QUIET = {
    **os.environ,
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_AUTHOR_NAME": "Ada",
    "GIT_AUTHOR_EMAIL": "ada@example.org",
    "GIT_COMMITTER_NAME": "Ada",
    "GIT_COMMITTER_EMAIL": "ada@example.org",
}
DEEDS = st.lists(
    st.one_of(
        st.tuples(st.just("track"), st.integers(0, 1), st.integers(0, 9)),
        st.tuples(st.just("folder"), st.integers(0, 1), st.integers(0, 9)),
        st.sampled_from(
            [
                ("commit", "-qam", "work"),
                ("commit", "-q", "--amend", "-m", "better"),
                ("branch", "-f", "side"),
                ("checkout", "-q", "-f", "side"),
                ("checkout", "-q", "-f", "-B", "main"),
                ("reset", "-q", "--hard", "HEAD~1"),
                ("stash", "-q", "-u"),
                ("stash", "drop", "-q"),
                ("tag", "-f", "kept"),
                ("tag", "-f", "-a", "noted", "-m", "noted"),
                ("branch", "-qD", "side"),
                ("add", "-A"),
                ("clean", "-qfd"),
                ("rm", "-q", "--cached", "0.mlops"),
            ]
        ),
    ),
    max_size=14,
)


def git(root: Path, *words: str) -> str:
    done = subprocess.run(["git", *words], cwd=root, env=QUIET, capture_output=True, text=True)
    return done.stdout if done.returncode == 0 else ""


def track(root: Path, cache: Cache, name: int, content: int, *, folder: bool) -> None:
    """Store something and write its pointer, as `mlops add` does; nothing is staged."""
    path = root / "data" / str(name)
    subprocess.run(["rm", "-rf", str(path)], check=True)
    path.parent.mkdir(exist_ok=True)
    if folder:
        (path / "inner").mkdir(parents=True)
        (path / "inner" / "file").write_text(f"in a folder {content}")
        (path / "other").write_text("in every folder")
    else:
        path.write_text(f"content {content}")
    stored = ingest(path, cache=cache)
    pointer = Pointer(str(name), stored.digest, stored.kind, stored.size, stored.files)
    write_pointer(root, pointer)


def named(root: Path) -> set[Digest]:
    """Ask git for every pointer there is, one command after the other."""
    texts = [path.read_text() for path in root.glob("*.mlops")]
    texts += [git(root, "show", f":{name}.mlops") for name in (0, 1)]
    for commit in git(root, "rev-list", "--all", "--reflog").split():
        texts += [git(root, "show", f"{commit}:{name}.mlops") for name in (0, 1)]
    found = set()
    for text in filter(None, texts):
        found |= {Digest.from_raw(raw) for raw in collect.names_in(text.encode()).digests}
    return found


def whole(cache: Cache, digest: Digest) -> set[Digest]:
    """Return all that the object needs, read."""
    from mlops_cli.store.tree import HEADER, parse_tree

    data, found = cache.read(digest), {digest}
    if data.startswith(HEADER):
        for entry in parse_tree(data):
            found |= whole(cache, entry.digest)
    return found


@settings(max_examples=int(os.environ.get("MLOPS_EXAMPLES", "6")), deadline=None)
@given(DEEDS)
def test_gc_never_removes_the_reachable(deeds: list[tuple[object, ...]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "repo"
        root.mkdir()
        cache = open_cache(Path(folder) / "cache")
        git(root, "init", "-q", "-b", "main")
        (root / ".gitignore").write_text("data\n")
        track(root, cache, 0, 100, folder=False)
        git(root, "add", "-A")
        git(root, "commit", "-qm", "first")
        for verb, *words in deeds:
            if verb in ("track", "folder"):
                track(root, cache, words[0], words[1], folder=verb == "folder")  # type: ignore[arg-type]
            else:
                git(root, str(verb), *map(str, words))
        needed = named(root)

        def needs() -> collect.Needs:
            return roots(root, Git(root))

        with removal.alone(cache):
            outlook = collect.plan(
                cache, needs(), now=Moment(0), grace=0, held=lambda raws: set(), unpushed=True
            )
            collect.sweep(cache, outlook, again=needs)
        cache = open_cache(Path(folder) / "cache")
        reachable = {part for digest in needed for part in whole(cache, digest)}
        assert set(cache.iterate()) == reachable
