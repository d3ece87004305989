"""Step 8, connecting to raw data: the same bytes are the same thing on disk and in a bucket.

Missing: sources read straight from a URL, tables of a database, streams with offsets.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any


def test_a_folder_and_a_bucket_hold_the_same_digest(
    bare: Any, clone: Any, s3: Any, tmp_path: Path
) -> None:
    pointer = (bare.root / "data/days.csv.mlops").read_text()
    bare.mlops("remote", "add", "folder", f"file://{tmp_path}/folder")
    bare.mlops("remote", "add", "bucket", s3.url())
    bare.commit("two places")
    sent = {name: bare.mlops("push", "--remote", name, **s3.env) for name in ("folder", "bucket")}
    assert sent["folder"]["objects"] == sent["bucket"]["objects"] > 0
    for name in ("folder", "bucket"):
        reader = clone(bare, f"from-{name}")
        reader.mlops("pull", "--remote", name, **s3.env)
        data = reader.root / "data/days.csv"
        assert data.read_bytes() == (bare.root / "data/days.csv").read_bytes()
        reader.mlops("add", "data/days.csv")
        assert (reader.root / "data/days.csv.mlops").read_text() == pointer
        shutil.rmtree(reader.root)
