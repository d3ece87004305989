"""The examples of docs/formats/{attestation,signatures}.md are what the pages say."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path

from mlops_cli.encode import canonical_json
from mlops_cli.ledger.record import Record
from mlops_cli.registry import allowed, envelope, modelsign, statement
from mlops_cli.store.digest import Digest

PAGES = Path(__file__).parents[2] / "docs" / "formats"
AT = datetime(2013, 2, 1, tzinfo=UTC)


def blocks(name: str, kind: str = "json") -> tuple[str, list[str]]:
    page = (PAGES / name).read_text()
    return page, re.findall(rf"```{kind}\n(.*?)```", page, re.DOTALL)


def test_the_record_gives_the_statement_and_the_signer_stands_for_it() -> None:
    page, (record, said, enveloped) = blocks("attestation.md")
    of = Record("run", json.loads(record))
    made = statement.of_run(of)
    assert made == canonical_json(json.loads(said))
    shown = envelope.parse(canonical_json(json.loads(enveloped)), source="page")
    assert shown.payload == made
    told = envelope.pae(envelope.INTOTO, made)
    for data in (of.data, made, told, shown.data):
        assert f"`{Digest.of(data)}`" in page
    assert f"{len(made)} bytes" in page and f"{len(shown.data)} bytes" in page
    _, (listed,) = blocks("signatures.md", "")
    assert envelope.check(shown, listed, at=AT) == ("ada@example.org",)


def test_model_sig_is_of_the_files_on_the_page() -> None:
    page, (shown,) = blocks("signatures.md")
    _, (listed,) = blocks("signatures.md", "")
    data = canonical_json(json.loads(shown))
    assert f"`{Digest.of(data)}`" in page
    files = {"model.onnx": Digest.of(b"model"), "schema.json": Digest.of(b"{}")}
    assert (
        modelsign.check(data, files, allowed.parse(listed), name="delay", at=AT)
        == "models@example.org"
    )


def test_every_code_on_the_page_is_one_that_is_raised() -> None:
    page, _ = blocks("signatures.md")
    reference = (PAGES.parent / "reference/exit-codes.md").read_text()
    rows = re.findall(r"^\| (`[a-z`, -]+`) \| (\d\d)", page, re.MULTILINE)
    assert len(rows) == 10
    for codes, exit_code in rows:
        line = next(each for each in reference.splitlines() if each.startswith(f"**{exit_code}**"))
        assert all(code in line for code in codes.split(", ")), codes
