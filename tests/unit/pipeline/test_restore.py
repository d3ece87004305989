from pathlib import Path

from mlops_cli.pipeline.running.restore import restore
from mlops_cli.pipeline.traces.lock import Output
from mlops_cli.store.cache import open_cache
from mlops_cli.store.files.ingest import ingest


def test_a_restored_folder_keeps_the_files_that_are_ignored(tmp_path: Path) -> None:
    root = tmp_path / "project"
    out = root / "out" / "model"
    out.mkdir(parents=True)
    (root / ".mlopsignore").write_text("*.log\n")
    (out / "weights").write_text("1")
    cache = open_cache(root / ".mlops/cache")
    stored = ingest(out, cache=cache, stats=None, ignored=None)
    (out / "weights").write_text("2")
    (out / "notes.log").write_text("mine, and nowhere else")
    made = Output(str(stored.digest), stored.kind, stored.size, stored.files)

    kept = restore(root, {"out/model": made}, {"out/model": "other"}, cache=cache, stats=None)

    assert (out / "weights").read_text() == "1"
    assert (out / "notes.log").read_text() == "mine, and nowhere else"
    assert list(kept) == ["out/model"]
