"""The segment that the page describes is what a fold makes of the record on the page."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path

from mlops_cli.encode import canonical_json
from mlops_cli.ledger import fold
from mlops_cli.ledger.append import Ledger
from mlops_cli.ledger.layout import lines
from mlops_cli.ledger.record import Record
from mlops_cli.store.digest import Digest
from mlops_cli.vcs import refs
from mlops_cli.vcs.repo import Git

PAGE = (Path(__file__).parents[2] / "docs/formats/ledger.md").read_text()


def test_the_segment_on_the_page_is_what_a_fold_makes(repo: Path) -> None:
    (shown,) = re.findall(r"```json\n(.*?)```", PAGE, re.S)
    one = Record("decision", json.loads(shown))
    git, later = Git(repo), datetime(2020, 1, 1, tzinfo=UTC)
    Ledger(git, "anna-1a2b3c4d", repo / "spool").append(one)
    tree = git.run("rev-parse", f"{refs.LEDGER}anna-1a2b3c4d^{{tree}}")
    fold.fold(git, fold.Place(), before=later, now=later)
    files = refs.read_tree(git, refs.LEDGER + refs.SEGMENTS)
    assert list(files) == ["folded", "months/2013-04.jsonl"]
    month = files["months/2013-04.jsonl"]
    assert list(lines(month)) == [(one.digest, "anna-1a2b3c4d", canonical_json(one.body))]
    assert f"{len(month)} bytes with the digest `{Digest.of(month)}`" in PAGE
    assert files["folded"] == f"{tree} anna-1a2b3c4d\n".encode()
    assert f"`{tree} anna-1a2b3c4d`" in PAGE
