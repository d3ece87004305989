"""The worked examples of docs/formats are what the program reads, and their digests are right."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

from mlops_cli.pipeline.keys.key import digest_of
from mlops_cli.pipeline.traces.lock import as_json, read_lock
from mlops_cli.pipeline.traces.published import _batches
from mlops_cli.pipeline.traces.runcache import parse, recall

DOCS = Path(__file__).parents[2] / "docs" / "formats"


def blocks(name: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", (DOCS / name).read_text(), re.M | re.S)


def test_the_lock_of_the_page_is_a_lock_and_its_key_is_the_digest_of_its_parts() -> None:
    (text,) = blocks("locks.md", "json")
    lock = read_lock(text.encode(), step="clean")
    assert as_json(lock) == json.loads(text)
    assert digest_of(lock.parts) == lock.key
    page = (DOCS / "locks.md").read_text()
    (hashed,) = [line for line in page.splitlines() if line.startswith('{"cmd"')]
    assert len(hashed) == 289
    assert json.loads(hashed) == lock.parts


def test_the_entry_of_the_run_cache_is_found_by_that_key(tmp_path: Path) -> None:
    (text,) = blocks("run-cache.md", "json")
    key = json.loads(text)["key"]
    (tmp_path / f"{key.removeprefix('sha256:')}.json").write_text(text)
    seen = recall(tmp_path, key, present=lambda digest: True)
    assert seen is not None
    assert seen.outputs["out/clean.csv"].size == 4
    assert recall(tmp_path, key, present=lambda digest: False) is None


def test_the_codes_of_the_page_are_those_of_the_program() -> None:
    text = (DOCS / "pipeline.md").read_text()
    package = Path(__file__).parents[2] / "mlops_cli" / "pipeline"
    source = "".join(path.read_text() for path in package.rglob("*.py"))
    table = [row for row in text.splitlines() if re.match(r"\| `[a-z-]+`.* \| \d\d \|", row)]
    for row in table:
        for code in re.findall(r"`([a-z-]+)`", row.split("|")[1]):
            assert f'code="{code}"' in source, code


def test_the_file_at_a_remote_has_the_name_and_the_bytes_of_the_page() -> None:
    (text,) = blocks("run-cache.md", "json")
    entry = parse(text.encode())
    assert entry is not None
    (data,) = _batches([entry])
    page = (DOCS / "run-cache.md").read_text()
    assert f"`runs/{hashlib.sha256(data).hexdigest()}.jsonl`" in page
    assert f"{len(data)} bytes" in page
    assert data.decode() in page
