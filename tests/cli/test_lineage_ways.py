"""`mlops lineage` from every side: at a date, by row, by prediction, in reverse, compared."""

from __future__ import annotations

import json
import re
import subprocess
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from looped import Loop, d

from mlops_cli.ledger.append import open_ledger
from mlops_cli.ledger.record import record
from mlops_cli.vcs import exchange
from mlops_cli.vcs.repo import Git


def edges(data: Any, relation: str) -> list[Any]:
    return [edge for edge in data["edges"] if edge["relation"] == relation]


def test_each_edge_says_how_it_is_known_and_how_far_it_is_confirmed(
    mlops: Any, loop: Loop, assert_valid: Any
) -> None:
    result = mlops("lineage", "delay@v1", "--json", code=0)
    assert_valid(result.json)
    known = {edge["relation"]: (edge["by"], edge["state"]) for edge in result.data["edges"]}
    assert known["promoted"] == ("version", "refs-verified")
    assert known["deployed"] == ("time", "refs-verified")
    assert known["answered"] == ("time", "refs-verified")
    assert known["evaluated"] == ("digest", "refs-verified")
    assert known["made"] == ("digest", "missing")
    assert known["logged"] == ("digest", "bytes-present")
    (code, *_) = edges(result.data, "code")
    assert (code["name"], code["state"]) == ("src/fit.py", "bytes-present")  # git has it
    profile = edges(result.data, "profile")
    assert {edge["from"] for edge in profile} >= {d("bundle1")}


def test_a_record_that_its_tag_contradicts_is_named(mlops: Any, loop: Loop) -> None:
    loop.tell("forged", "promotion", model="delay", alias="production", event=2, version=1,
              digest=d("onnx1"))  # fmt: skip
    loop.tell("alone", "promotion", model="delay", alias="canary", event=1, version=1,
              digest=d("another"))  # fmt: skip
    loop.flush()
    result = mlops("lineage", "delay@v1", "--down", "--json", code=0)
    state = {node["id"]: node["state"] for node in result.data["nodes"]}
    assert state[loop.told["forged"]] == "mismatch"
    assert state[loop.told["alone"]] == "missing"  # no tag tells of that event
    assert state[loop.told["promoted1"]] == "refs-verified"
    told = {edge["to"]: edge["state"] for edge in edges(result.data, "promoted")}
    assert told[loop.told["alone"]] == "mismatch"  # v1 has other bytes
    assert "delay@production is v1 is not what its tag" in result.json["warnings"][0]


def test_at_a_date_is_what_stood_then(mlops: Any, loop: Loop, assert_valid: Any) -> None:
    then = ("--at", "2013-02-01T12:00:00Z", "--json")
    result = mlops("lineage", "delay@production", *then, code=0)
    assert_valid(result.json)
    labels = {node["label"] for node in result.data["nodes"] if node["kind"] == "version"}
    assert labels == {"delay@v1"} and result.data["starts"] == [loop.told["v1"]]
    assert not {node["kind"] for node in result.data["nodes"]} & {"predictions", "decision"}
    assert mlops("lineage", "delay", *then, code=0).data["starts"] == [loop.told["v1"]]
    assert mlops("lineage", "data/flights", *then, code=0).data["starts"] == [d("january")]
    assert mlops("lineage", "delay@v2", *then, code=20).error["code"] == "unknown-version"
    before = ("--at", "2013-01-01", "--json")
    for name, code in {
        "delay@production": "unknown-alias",
        "delay": "unknown-version",
        "train.delay": "unknown-thing",
        "2013020": "unknown-thing",
    }.items():
        assert mlops("lineage", name, *before, code=20).error["code"] == code
    assert mlops("lineage", "delay", "--at", "soon", "--json", code=2).error["code"] == "bad-time"


def test_what_changed_between_two_versions_is_one_screen(
    mlops: Any, loop: Loop, assert_valid: Any
) -> None:
    result = mlops("lineage", "delay@production", "--diff", "@previous", "--json", code=0)
    assert_valid(result.json)
    changes = {(c["aspect"], c["name"]): (c["before"], c["after"]) for c in result.data["changes"]}
    assert changes["data", "data/flights"] == (d("january"), d("february"))
    assert changes["params", "train.delay train.lr"] == (0.1, 0.2)
    assert changes["environment", "packages torch"] == ("2.1", "2.2")
    assert ("code", "src/fit.py") in changes
    assert not {name for _, name in changes} & {"data/weather", "train.delay train.seed"}
    assert result.data["same"] == ["steps"]
    assert result.data["before"]["name"] == "delay@v1"
    screen = mlops("lineage", "delay", "--diff", "v1", code=0).stdout
    assert len(screen.splitlines()) < 24 and max(map(len, screen.splitlines())) <= 80
    assert "train.lr" in screen and "The same: steps." in screen
    same = mlops("lineage", "delay@v1", "--diff", "delay@v1", code=0).stdout
    assert "made of the same" in same
    for words, code in {
        ("delay@v1", "--diff", "@previous"): "no-previous",
        ("data/flights", "--diff", "@previous"): "not-a-version",
        ("delay", "--diff", "v9"): "unknown-version",
        ("delay", "--diff", "@canary"): "unknown-alias",
        ("delay", "--diff", "v1", "--up"): "bad-options",
        ("delay", "--html", "l.html", "--graph", "dot"): "bad-options",
        ("data.flights", "--row", "1", "--up"): "bad-options",
    }.items():
        failed = mlops("lineage", *words, "--json", code=None)
        assert (failed.error["code"], failed.code in (2, 20)) == (code, True)


def test_in_reverse_from_everything_that_a_model_can_be_made_of(
    mlops: Any, loop: Loop, git: Any, repo: Path
) -> None:
    (repo / "data").mkdir()
    (repo / "data/flights.mlops").write_text(json.dumps({"digest": d("january")}))
    git("add", "-A", "-f", "data")
    git("commit", "-qm", "pointer")

    def used(*words: str) -> tuple[list[str], list[int], list[int]]:
        uses = mlops("lineage", *words, "--json", code=0).data["uses"]
        return (
            [one["name"] for one in uses["models"]],
            [one["version"] for one in uses["aliases"]],
            [one["version"] for one in uses["deployments"]],
        )

    both = (["delay@v1", "delay@v2"], [1, 2], [1, 2])
    first = (["delay@v1"], [1], [1])
    assert used(d("weather"), "--down") == both
    assert used("data/flights@HEAD", "--down") == first  # not v2, which a decision led to
    assert used("src/fit.py@HEAD~2", "--down") == first
    assert used("src/fit.py", "--down") == (["delay@v2"], [2], [2])
    assert used("features.carrier", "--down") == both
    assert used(d("onnx1")[:20], "--down") == first
    assert used(d("folder1"), "--down") == first  # what only the evaluation reads
    assert used("data.flights", "--row", "1") == first
    assert used("data/flights", "--row", "2") == both
    assert used("features.carrier", "--row", "UA|EWR") == both
    screen = mlops("lineage", "data.flights", "--row", "1", code=0).stdout
    assert "dataset.delay: train 1 row" in screen
    assert screen.splitlines()[-3:-1] == ["deployments  prod v1", ""]


def test_a_row_that_is_nowhere_is_said_so(mlops: Any, loop: Loop, repo: Path) -> None:
    for words, code in {
        ("data.flights", "--row", "9"): "unknown-row",
        ("features.carrier", "--row", "UA"): "bad-row-key",
        ("data.nothing", "--row", "1"): "unknown-data",
    }.items():
        assert mlops("lineage", *words, "--json", code=None).error["code"] == code


def test_from_a_prediction_to_all_that_is_behind_it(
    mlops: Any, loop: Loop, assert_valid: Any
) -> None:
    result = mlops("lineage", "trip-1", "--up", "--json", code=0)
    assert_valid(result.json)
    (answer,) = result.data["answers"]
    assert (answer["version"], answer["variant"], answer["score"]) == (1, "champion", 0.25)
    origin = result.data["origin"]
    assert origin["version"]["name"] == "delay@v1"
    assert origin["run"]["record"] == loop.told["train1"]
    assert origin["commit"] == Git(loop.root).rev_parse("HEAD~1")
    assert {(one["path"], one["digest"]) for one in origin["data"]} == {
        ("data/weather", d("weather")),
        ("data/flights", d("january")),
    }
    assert [one["path"] for one in origin["code"]] == ["src/fit.py"]
    assert origin["params"] == {"train.lr": 0.1, "train.seed": 7}
    assert loop.told["deployed1"] in {node["id"] for node in result.data["nodes"]}
    assert "nobody else's business" not in result.stdout
    screen = mlops("lineage", "trip-1", code=0).stdout
    for word in ("0.25 at 2013-02-02 09:00", "delay@v1", "data/flights", "prediction   trip-1"):
        assert word in screen
    down = mlops("lineage", "trip-1", "--down", "--json", code=0).data
    assert loop.told["decision1"] in {node["id"] for node in down["nodes"]}


def test_a_prediction_that_is_not_sealed_yet_is_found(mlops: Any, loop: Loop) -> None:
    from looped import segment

    place = loop.root / ".mlops/predictions/prod/open"
    place.mkdir(parents=True)
    (place / "1-2-3.arrows").write_bytes(segment(d("onnx2"), 2, ["just-now"])[:-8])
    (place / "1-2-4.arrows").write_bytes(b"torn")
    data = mlops("lineage", "just-now", "--json", code=0).data
    assert data["answers"][0]["segment"] is None
    assert data["origin"]["version"]["name"] == "delay@v2"


def test_a_segment_that_is_not_here_is_told_of(mlops: Any, loop: Loop) -> None:
    loop.tell("lost", "predictions", deployment="prod", segment=d("lost"), rows=1, start="a",
              end="b", models=[d("onnx1")])  # fmt: skip
    loop.flush()
    assert "1 segment of" in mlops("lineage", "trip-1", "--json", code=0).json["warnings"][0]
    assert mlops("lineage", "no-trip", "--json", code=20).error["code"] == "unknown-thing"


class Seen(HTMLParser):
    """What a page draws and what it would load."""

    def __init__(self) -> None:
        super().__init__()
        self.nodes: list[str] = []
        self.edges: list[tuple[str, str]] = []
        self.facts: list[str] = []
        self.tags: set[str] = set()
        self.loads: list[str] = []

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        given = dict(attrs)
        looks = (given.get("class") or "").split()
        self.tags.add(tag)
        asked = [given[name] for name in ("src", "href", "xlink:href") if name in given]
        self.loads += [one for one in asked if not one.startswith("#")]
        self.loads += [name for name in given if name.startswith("on")]
        if "node" in looks and "shadow" not in looks:
            self.nodes.append(given["id"])
        if "edge" in looks and "data-from" in given:
            self.edges.append((given["data-from"], given["data-to"]))
        if tag == "section" and given.get("data-of", "all") != "all":
            self.facts.append(given["data-of"])


def test_the_page_has_every_node_and_edge_and_loads_nothing(
    mlops: Any, loop: Loop, repo: Path
) -> None:
    data = mlops("lineage", "delay@production", "--json", code=0).data
    drawn = mlops("lineage", "delay@production", "--html", "l.html", "--json", code=0)
    assert drawn.data["html"] == "l.html"
    text = (repo / "l.html").read_text()
    seen = Seen()
    seen.feed(text)
    assert len(seen.nodes) == len(set(seen.nodes)) == len(data["nodes"]) == len(seen.facts)
    order = {node["id"]: f"n{at}" for at, node in enumerate(data["nodes"])}
    drawn_edges = [(order[edge["from"]], order[edge["to"]]) for edge in data["edges"]]
    assert sorted(seen.edges) == sorted(drawn_edges)  # each once, in the drawing of its target
    assert seen.loads == [] and not seen.tags & {"link", "iframe", "img", "object"}
    assert "http://" not in text and "https://" not in text
    for node in data["nodes"]:
        assert node["id"] in text
    for name in re.findall(r"\bby\('(\w+)'\)", text):
        assert f'id="{name}"' in text
    assert mlops("lineage", "delay@production", "--graph", "html", code=0).stdout == text


HOSTILE = "\"]; <script>alert(1)</script> </title>'#&|x\n\x1b[31m\u202e"


def test_hostile_names_draw_nothing_but_themselves(mlops: Any, loop: Loop) -> None:
    loop.ran("hostile", HOSTILE, "command", {HOSTILE: d("in")}, {HOSTILE + "2": d("out")})
    loop.flush()
    page = mlops("lineage", d("in"), "--graph", "html", code=0).stdout
    seen = Seen()
    seen.feed(page)
    assert len(seen.nodes) == 3 and page.count("<script") == 1 and "\x1b" not in page
    mermaid = mlops("lineage", d("in"), "--graph", "mermaid", code=0).stdout
    assert len(mermaid.splitlines()) == 1 + 3 + 2
    assert all(line.count('"') in (0, 2) and "<script" not in line for line in mermaid.split("\n"))
    dot = mlops("lineage", d("in"), "--graph", "dot", code=0).stdout
    assert len(dot.splitlines()) == 4 + 3 + 2 and r"\"]; <script" in dot
    assert "\x1b" not in dot + mermaid + mlops("lineage", d("in"), code=0).stdout


def test_circles_and_loose_ends_are_drawn_as_they_are(mlops: Any, loop: Loop) -> None:
    loop.ran("to", "to", "command", {"a": d("a")}, {"b": d("b")}, parents=[d("nobody")])
    loop.ran("fro", "fro", "command", {"b": d("b")}, {"a": d("a")})
    loop.flush()
    data = mlops("lineage", d("a"), "--json", code=0).data
    loose = next(node for node in data["nodes"] if node["id"] == d("nobody"))
    assert (loose["kind"], loose["state"]) == ("record", "missing")
    page = mlops("lineage", d("a"), "--graph", "html", code=0).stdout
    seen = Seen()
    seen.feed(page)
    assert len(seen.edges) == len(data["edges"]) == 5


def test_names_that_mean_several_things_or_none_are_helped(mlops: Any, loop: Loop) -> None:
    first, second = "sha256:" + "ab" * 32, "sha256:" + "ab" * 31 + "cd"
    loop.ran("two", "two", "command", {"x": first, "y": second}, {})
    loop.flush()
    several = mlops("lineage", "abab", "--json", code=2).error
    assert several["code"] == "ambiguous-digest" and len(several["details"]["digests"]) == 2
    assert mlops("lineage", "ab" * 31 + "a", "--json", code=0).data["starts"] == [first]
    assert mlops("lineage", "2013", "--json", code=2).error["code"] == "ambiguous-run"
    near = mlops("lineage", "data/flihgts", "--json", code=20).error
    assert near["hint"] == "did you mean data/flights?"
    for name in ("../../etc/passwd", "-x", "delay@../x", "\x1b[31m", "", "@", "sha256:zz"):
        assert mlops("lineage", "--json", "--", name, code=None).code in (2, 20)


def told_by(data: Any) -> Any:
    """What a lineage says, whatever of it is here."""
    nodes = [(node["id"], node["kind"], node["label"], node["facts"]) for node in data["nodes"]]
    return nodes, [(e["from"], e["to"], e["relation"], e["name"], e["by"]) for e in data["edges"]]


@pytest.mark.parametrize("words", [("delay@production",), ("data/flights", "--down")])
def test_the_same_answer_without_index_and_in_a_shallow_clone(
    mlops: Any, loop: Loop, tmp_path: Path, words: tuple[str, ...]
) -> None:
    before = mlops("lineage", *words, "--json", code=0)
    (loop.root / ".mlops/index.sqlite").unlink()
    assert mlops("lineage", *words, "--json", code=0).stdout == before.stdout
    shallow = tmp_path / "shallow"
    origin = f"file://{loop.root}"
    subprocess.run(["git", "clone", "-q", "--depth", "1", origin, str(shallow)], check=True)
    refspecs = ("+refs/mlops/*:refs/mlops/*", "refs/tags/mlops/*:refs/tags/mlops/*")
    subprocess.run(
        ["git", "fetch", "-q", "--depth", "1", "origin", *refspecs], cwd=shallow, check=True
    )
    there = mlops("lineage", *words, "--json", cwd=shallow, code=0)
    assert told_by(there.data) == told_by(before.data)
    states = {node["state"] for node in there.data["nodes"] if node["place"] == "ledger"}
    assert states == {"refs-verified"}
    assert there.data["uses"] == before.data["uses"]


def test_the_same_answer_where_one_branch_keeps_the_records(
    mlops: Any, loop: Loop, git: Any, tmp_path: Path
) -> None:
    before = mlops("lineage", "delay@production", "--json", code=0).data
    hub, other = tmp_path / "hub", tmp_path / "other"
    git("init", "-q", "--bare", str(hub))
    git("config", "receive.hideRefs", "refs/mlops", cwd=hub)
    git("remote", "add", "origin", str(hub))
    git("push", "-q", "origin", "HEAD:main")
    exchange.send(Git(loop.root), "origin", "mlops-ledger")
    git("clone", "-q", "-b", "main", str(hub), str(other))
    exchange.receive(Git(other), "origin", "mlops-ledger")
    there = mlops("lineage", "delay@production", "--json", cwd=other, code=0).data
    assert told_by(there) == told_by(before)
    states = {node["state"] for node in there["nodes"] if node["place"] == "ledger"}
    assert states == {"refs-verified"}


def test_an_index_that_lies_is_found_out(mlops: Any, loop: Loop) -> None:
    import sqlite3

    mlops("lineage", "delay", code=0)
    with sqlite3.connect(loop.root / ".mlops/index.sqlite") as index:
        changed = index.execute(
            "update bodies set body = replace(body, '0.71', '0.99') where id ="
            " (select id from records where digest = ?)",
            (loop.told["evaluate1"],),
        )
        assert changed.rowcount == 1
    data = mlops("lineage", "delay@v1", "--json", code=0).data
    state = {node["id"]: node["state"] for node in data["nodes"]}
    assert state[loop.told["evaluate1"]] == "mismatch"


def test_a_record_from_elsewhere_joins(mlops: Any, loop: Loop) -> None:
    """Another writer's ref needs no further step."""
    import dataclasses

    ledger = dataclasses.replace(open_ledger(Git(loop.root)), writer="other-machine")
    made = record("run", time=loop.at, actor="Bo", step="report", step_kind="command", key="k",
                  status="done", started="", seconds=1, inputs={"data/flights": d("january")},
                  outputs={"report.html": d("report")})  # fmt: skip
    ledger.append(made)
    data = mlops("lineage", "data/flights", "--down", "--json", code=0).data
    assert data["starts"] == [d("january")] or data["starts"] == [d("february")]
    assert mlops("lineage", "report.html", "--up", "--json", code=0).data["nodes"]


def test_names_complete_themselves(loop: Loop, git: Any, monkeypatch: Any) -> None:
    from mlops_cli.cli.known import completed

    (loop.root / "deltas.mlops").write_text("{}")
    git("add", "-f", "deltas.mlops")
    monkeypatch.chdir(loop.root)
    assert set(completed("del")) == {
        "delay", "delay@v1", "delay@v2", "delay@production", "deltas",
    }  # fmt: skip
    monkeypatch.chdir("/")
    assert completed("") == []
