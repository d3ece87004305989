"""`mlops audit` and `mlops report`: who did what, when, on what evidence; how a model does."""

from __future__ import annotations

import html.parser
import re
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from mlops_cli.ledger.append import open_ledger
from mlops_cli.ledger.record import Code, record
from mlops_cli.registry import approval
from mlops_cli.registry.registry import Registry
from mlops_cli.vcs import tagging
from mlops_cli.vcs.repo import Git

WHEN = datetime(2013, 2, 1, tzinfo=UTC)
HOSTILE = "<script>alert(1)</script>\"'\x1b[31m\u202e"
PIPELINE = """\
version: 1
project:
  name: storms
  goal: "Know a late day <b>before</b> it is one."
  kpi: {metric: roc_auc, at_least: 0.72}
  task: binary
  owners: {business: Grace, science: Ada}
limits: {budget: {cpu_hour: 2.0, money: 100}}
"""


class Loads(html.parser.HTMLParser):
    """Collects what a page would fetch or run, and the tags that were not closed."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.fetched: list[str] = []
        self.scripts = 0
        self.open: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        there = [v for k, v in attrs if k in ("src", "href", "action", "data")]
        self.fetched += [v for v in there if not v.startswith("#")]  # within the page
        self.fetched += [k for k, _ in attrs if k.startswith("on")]
        self.scripts += tag == "script"
        if tag not in ("meta", "line", "circle", "polyline", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in self.open:
            assert self.open.pop() == tag, f"{tag} closes {self.open[-3:]}"


def harmless(page: str) -> None:
    """Assert that the page asks nobody for anything, runs nothing, and is well made."""
    seen = Loads(page)
    assert seen.fetched == [] and seen.scripts == 0 and seen.open == []
    assert "http:" not in page and "https:" not in page and "@import" not in page
    assert "default-src 'none'" in page and 'name="viewport"' in page
    assert "prefers-color-scheme:dark" in page and "@media print" in page
    assert "\x1b" not in page and "\u202e" not in page


def at(hours: float) -> datetime:
    return WHEN + timedelta(hours=hours)


@pytest.fixture
def history(repo: Path, git: Callable[..., str]) -> Registry:
    """Two versions, three moves, runs of which one failed, deployments and checks."""
    (repo / "pipeline.yaml").write_text(PIPELINE)
    git("add", ".")
    git("commit", "-q", "-m", "first")
    door = Git(repo)
    registry, ledger = Registry(door), open_ledger(door)
    commit = str(door.head().commit)
    digests = {n: f"sha256:{n:064x}" for n in range(9)}
    common = {"step": "train.storm", "step_kind": "train", "params": {}, "metrics": {"loss": 0.5}}

    def ran(hour: float, status: str, outputs: dict[str, str], cpu: float | None) -> str:
        told = {} if cpu is None else {"cpu_seconds": cpu}
        one = record(
            "run", time=at(hour), actor="Ada <a@x>", code=Code(commit), run=f"run-{hour:g}",
            key=digests[8], status=status, started=at(hour).isoformat(), seconds=1800.0,
            inputs={"data/days.parquet": digests[7]}, outputs=outputs,
            environment={"digest": digests[6], **told}, because=["lr changed"], **common,
        )  # fmt: skip
        ledger.append(one)
        return str(one.digest)

    ran(0, "failed", {}, None)
    for n, hour in ((1, 1), (2, 5)):
        run = ran(hour, "done", {"out/storm/model": digests[n + 2]}, 3600.0)
        version = registry.create(
            "storm",
            {
                "digest": digests[n], "bundle": digests[n + 2], "run": run, "format": "onnx",
                "metrics": {"roc_auc": 0.7 + n / 50}, "created": at(hour + 0.5).isoformat(),
                "actor": "Ada <a@x>", "golden": {"passed": True, "rows": 4}, "dirty": [],
            },
        )  # fmt: skip
        ledger.append(
            record("register", time=at(hour + 0.5), actor="Ada <a@x>", run=run, model="storm",
                   version=n, digest=digests[n], bundle=digests[n + 2], tag=version.tag)
        )  # fmt: skip
    gates = {"policy": {"gates": ["parity"]}, "evidence": {"parity": {"max_abs": 0, "allowed": 1}}}
    for number, hour in ((1, 2), (2, 6), (1, 9)):
        registry.move("storm", "production", number, **gates, actor="Grace <g@x>",
                      reason=f"because {HOSTILE}", time=at(hour))  # fmt: skip
    approved = {
        "schema": approval.SCHEMA, "model": "storm", "version": 1, "alias": "production",
        "actor": "Grace <g@x>", "reason": "reviewed", "time": at(2.5).isoformat(),
        "signature": "x",
    }  # fmt: skip
    name = f"mlops/storm/approvals/v1/production/{1:016x}"
    made = tagging.make(door, name, approved, subject="x", time=at(2.5))
    tagging.place(door, name, made)
    ledger.append(
        record("deployment", time=at(3), actor="Ops", environment="prod", model="storm", version=1,
               digest=digests[1], action="deploy", url=HOSTILE)
    )  # fmt: skip
    ledger.append(
        record("check", time=at(4), actor="Ops", monitor="prod", environment="prod",
               window={"start": "2013-02-01T03:00:00Z", "end": "2013-02-01T04:00:00Z"},
               models=[digests[1]], predictions=[], verdict="warning", version=1, rows=10,
               metrics={"roc_auc": 0.69}, families={"drift": {"severity": "warning"}})
    )  # fmt: skip
    return registry


def told(data: Any) -> list[tuple[str, str]]:
    return [(event["what"], event["subject"]) for event in data["events"]]


def test_every_event_stands_once_in_order_of_time(
    mlops: Any, assert_valid: Any, history: Registry
) -> None:
    result = mlops("audit", "storm", "--json", code=0)
    assert_valid(result.json)
    events = result.data["events"]
    names = told(result.data)
    assert [e["time"] for e in events] == sorted(e["time"] for e in events)
    assert names[0] == ("run", "train.storm")
    assert names.count(("registered", "storm@v1")) == 1, "tag and record are one event"
    assert [n for n in names if n[1] == "storm@production"] == [
        (e.action, "storm@production") for e in history.events("storm", "production")
    ]
    assert names.count(("approved", "storm@v1")) == 1
    assert ("deployment", "prod: storm@v1") in names and ("check", "prod") in names
    for event in events:
        assert event["digest"].startswith("sha256:") and event["actor"]
    first = next(e for e in events if e["what"] == "registered")
    assert first["commit"] == history.version("storm", 1).commit
    assert first["tag"] == "mlops/storm/v1" and first["record"]
    assert {"name": "golden", "value": "tried, 4 rows", "passed": True} in first["evidence"]
    screen = mlops("audit", "storm", code=0).stdout
    assert "sha256:" not in screen  # short on a screen, whole on the page and in JSON
    assert "by Grace" in screen and "ok  parity" in screen and "\x1b" not in screen


def test_of_one_version_is_told_what_made_it_and_what_became_of_it(
    mlops: Any, history: Registry
) -> None:
    first = told(mlops("audit", "storm@v1", "--json", code=0).data)
    second = told(mlops("audit", "storm@v2", "--json", code=0).data)
    assert ("registered", "storm@v1") in first and ("registered", "storm@v2") not in first
    assert ("deployment", "prod: storm@v1") in first
    assert ("deployment", "prod: storm@v1") not in second
    assert second.count(("run", "train.storm")) == 1


def test_the_pages_are_whole_harmless_and_say_who(mlops: Any, repo: Path, history: Any) -> None:
    mlops("audit", "storm", "--out", "audit.html", code=0)
    page = (repo / "audit.html").read_text()
    harmless(page)
    assert "because &lt;script&gt;" in page and "Grace" in page
    mlops("report", "--audience", "audit", "--out", "all.html", code=0)
    both = (repo / "all.html").read_text()
    harmless(both)
    assert both.count('class="event') == page.count('class="event')
    for text in (page, both):  # the decisions, each leading to its evidence
        links = re.findall(r'href="#([^"]+)"', text)
        assert len(links) == 6 and all(text.count(f'id="{one}"') == 1 for one in links)


def test_a_record_whose_tag_is_gone_and_a_damaged_tag_are_told(
    mlops: Any, git: Any, history: Registry
) -> None:
    git("tag", "-d", "mlops/storm/v2")
    git("tag", "-a", "mlops/storm/v9", "-m", "no payload")
    events = mlops("audit", "storm", "--json", code=0).data["events"]
    (lost,) = [event for event in events if event["what"] == "register"]
    assert lost["version"] == 2 and lost["evidence"][0]["passed"] is False
    (damaged,) = [event for event in events if event["what"] == "damaged"]
    assert damaged["subject"] == "mlops/storm/v9" and damaged["reason"]
    git("tag", "-d", "mlops/storm/@production/1")
    assert mlops("audit", "storm", "--json", code=40).error["code"] == "alias-chain-broken"


def test_an_unknown_model_is_told(mlops: Any, history: Registry) -> None:
    for name in ("storn", "storm@v9"):
        assert mlops("audit", name, "--json", code=20).error["hint"]


def test_the_business_reads_goal_kpi_state_history_and_cost(
    mlops: Any, assert_valid: Any, repo: Path, history: Registry
) -> None:
    result = mlops("report", "--out", "report.html", "--json", code=0)
    assert_valid(result.json)
    (model,) = result.data["models"]
    assert (model["production"]["version"], model["owner"]) == (1, "Grace")
    assert model["production"]["since"].startswith("2013-02-01T09")
    assert model["kpi"] | {"time": 0} == {
        "metric": "roc_auc", "at_least": 0.72, "at_most": None, "value": 0.69, "from": "served",
        "time": 0, "met": False,
    }  # fmt: skip
    assert [(p["what"], p["version"], p["value"]) for p in model["trend"]] == [
        ("tested", 1, 0.72), ("served", 1, 0.69), ("tested", 2, 0.74),
    ]  # fmt: skip
    assert [event["version"] for event in model["history"]] == [1, 2, 1], "newest first"
    cost = model["cost"]  # two runs told 1 h of CPU, the failed one took half an hour
    assert (cost["runs"], cost["measured"], cost["cpu_hours"]) == (3, 2, 2.5)
    assert (cost["money"], cost["currency"]) == (5.0, "USD")
    page = (repo / "report.html").read_text()
    harmless(page)
    assert "Know a late day &lt;b&gt;before&lt;/b&gt; it is one." in page
    assert "not met" in page and "since 2013-02-01 09:00" in page and "5.00 USD" in page
    assert ". 0 of 1 model met it when last measured." in page
    assert len(re.findall(r"<circle", page)) == 3 and 'class="asked"' in page
    mlops("config", "set", "price.cpu_hour", "4", code=0)
    screen = mlops("report", code=0).stdout
    assert "10.00 USD" in screen and "Know a late day" in screen and "last check" in screen


def test_a_project_without_models_has_a_report_too(mlops: Any, repo: Path) -> None:
    (repo / "pipeline.yaml").write_text(PIPELINE)
    result = mlops("report", "-o", "r.html", "--json", code=0)
    assert result.data["models"] == [] and "Know a late day" in (repo / "r.html").read_text()
    assert mlops("report", "--audience", "cats", "--json", code=2).error["code"] == "bad-value"


def test_who_signed_a_tag_is_told_where_the_project_lists_signers(
    mlops: Any, git: Any, repo: Path, tmp_path: Path
) -> None:
    for name in ("ada", "eve"):
        words = ("-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(tmp_path / name))
        subprocess.run(["ssh-keygen", *words], check=True)
    (repo / ".mlops").mkdir()
    public = (tmp_path / "ada.pub").read_text()
    (repo / ".mlops/allowed_signers").write_text(f"ada@example.org {public}")
    git("add", "-f", ".")
    git("commit", "-q", "-m", "first")
    for number, key in ((1, "ada"), (2, "eve"), (3, None)):
        door = Git(repo, key=str(tmp_path / key) if key else None)
        payload = {"digest": f"sha256:{number:064x}", "format": "onnx"}
        Registry(door).create("storm", payload | {"created": at(number).isoformat()})
    events = mlops("audit", "storm", "--json", code=0).data["events"]
    signed = [e["evidence"][-1] for e in events]
    assert signed[0] == {"name": "signed by", "value": "ada@example.org", "passed": True}
    assert [each["passed"] for each in signed] == [True, False, False]
    assert "not signed" in signed[2]["value"]
