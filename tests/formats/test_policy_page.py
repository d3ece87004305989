"""The page of policies and approvals says what the code does, to the digest."""

from __future__ import annotations

import json
import re
from pathlib import Path

from mlops_cli.encode import canonical_json
from mlops_cli.pipeline.words.document import parse, plain
from mlops_cli.registry.approval import TAG
from mlops_cli.registry.rules.table import RULES
from mlops_cli.store.digest import Digest
from mlops_cli.training.policy import Policy
from mlops_cli.training.policy_text import Aliases

PAGE = (Path(__file__).parents[2] / "docs/formats/policy.md").read_text()


def test_the_worked_examples_have_their_digests() -> None:
    blocks = re.findall(r"```json\n(.*?)```", PAGE, re.S)
    digests = re.findall(r"`(sha256:[0-9a-f]{64})`", PAGE)
    assert [Digest.of(canonical_json(json.loads(block))) for block in blocks] == digests


def test_the_policy_of_the_example_is_that_of_the_file_above_it() -> None:
    (text,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.S)
    aliases: Aliases = {
        name: {"gates": alias["gates"], "approvals": alias.get("approvals", 0)}
        for name, alias in plain(parse(text.encode(), name="the page"))["aliases"].items()
    }
    staging = Policy("delay", "staging", aliases, "models/delay.yaml")
    assert str(staging.digest) == re.findall(r"`(sha256:[0-9a-f]{64})`", PAGE)[0]
    assert set(Policy("delay", "production", aliases, "").plain["aliases"]) == {"staging"}


def test_the_table_names_every_rule() -> None:
    rows = " ".join(row for row in PAGE.splitlines() if row.startswith("| "))
    assert [word for word in RULES if f"{word}" not in rows] == []
    assert TAG.fullmatch("mlops/delay/approvals/v7/production/0123456789abcdef")
