"""`mlops events` and `mlops feedback`: who has to look at what, until it is mended or closed."""

from __future__ import annotations

from mlops_cli.ledger.append import open_ledger
from mlops_cli.ledger.record import Record
from mlops_cli.vcs.repo import Git

PIPELINE = """\
version: 1
project: {name: feeds, owners: {data: gauges desk}}
data:
  gauges:
    path: gauges.csv
    checks: {level: {type: float, min: 0}}
    owner: data
"""


def feed(git, root):
    (root / "pipeline.yaml").write_text(PIPELINE)
    (root / ".gitignore").write_text("/out/\n/.mlops/*\n!/.mlops/lock/\n")
    arrive(git, root, "2.5")
    return root


def arrive(git, root, level):
    (root / "gauges.csv").write_text(f"level\n{level}\n")
    git("add", "-A", cwd=root)
    git("commit", "-qm", f"level {level}", cwd=root)


def at(hour):
    return {"MLOPS_NOW": f"2013-03-01T{hour:02}:00:00Z"}


def test_failing_again_is_one_event_and_success_closes_it(mlops, git, repo, assert_valid):
    root = feed(git, repo)
    for hour, level in enumerate(("-1.0", "-2.0")):
        arrive(git, root, level)
        mlops("run", cwd=root, code=60, env=at(hour))
    shown = mlops("events", "list", "--check", "--json", cwd=root, code=1)
    assert_valid(shown.json)
    (event,) = shown.data["events"]
    assert (event["about"], event["to"], event["owner"]) == ("data.gauges", "data", "gauges desk")
    assert event["times"] == 2 and event["opened"] < event["last"] and "level" in event["what"]

    arrive(git, root, "3.0")
    mlops("run", cwd=root, code=0, env=at(2))
    assert "No open events." in mlops("events", "list", "--check", cwd=root, code=0).stdout
    (old,) = mlops("events", "list", "--all", "--json", cwd=root, code=0).data["events"]
    assert old["id"] == event["id"] and old["closed"]["reason"] == "it went well"
    arrive(git, root, "-3.0")
    mlops("run", cwd=root, code=60, env=at(3))
    (new,) = mlops("events", "list", "--json", cwd=root, code=0).data["events"]
    assert new["id"] != event["id"] and new["times"] == 1


def test_a_person_closes_one_and_what_goes_wrong_after_it_opens_another(mlops, git, repo):
    root = feed(git, repo)
    arrive(git, root, "-1.0")
    mlops("run", cwd=root, code=60, env=at(0))
    (event,) = mlops("events", "list", "--json", cwd=root, code=0).data["events"]
    words = ("events", "close", event["id"][:8], "--reason", "the gauge is dug out")
    mlops(*words, cwd=root, code=0, env=at(1))
    assert "No open events." in mlops("events", "list", cwd=root, code=0).stdout
    assert mlops(*words, "--json", cwd=root, code=30).error["code"] == "event-closed"
    page = mlops("events", "show", event["id"][:8], cwd=root, code=0).stdout
    assert "the gauge is dug out" in page and "data (gauges desk)" in page
    mlops("run", cwd=root, code=60, env=at(2))
    (new,) = mlops("events", "list", "--json", cwd=root, code=0).data["events"]
    assert new["id"] != event["id"]


def test_feedback_reaches_the_owner_of_a_step_in_another_clone(mlops, git, repo):
    here, hub, there = feed(git, repo), repo.parent / "hub.git", repo.parent / "there"
    git("init", "-q", "--bare", "-b", "main", str(hub), cwd=here)
    git("remote", "add", "origin", str(hub), cwd=here)
    git("push", "-q", "origin", "main", cwd=here)
    told = mlops("feedback", "hourly \x1b[31m please", "--about", "data.gauges", cwd=here, code=0)
    assert told.stdout.startswith("Told data (gauges desk).")
    mlops("push", cwd=here, code=0)

    git("clone", "-q", str(hub), str(there), cwd=here)
    git("fetch", "-q", "origin", "refs/mlops/*:refs/mlops/*", cwd=there)
    page = mlops("events", "list", "--for", "gauges desk", cwd=there, code=0).stdout
    assert "hourly" in page and "\x1b" not in page


def test_what_names_nobody_is_refused_and_says_who_there_is(mlops, git, repo):
    root = feed(git, repo)
    cases = {
        ("feedback", "late"): (2, "missing-option"),
        ("feedback", " ", "--to", "data"): (2, "bad-value"),
        ("feedback", "late", "--to", "sales"): (2, "bad-value"),
        ("feedback", "late", "--about", "data.rain"): (20, "unknown-step"),
        ("events", "list", "--for", "sales"): (20, "unknown-receiver"),
        ("events", "show", "feed"): (20, "unknown-event"),
        ("events", "show", ""): (20, "unknown-event"),
        ("events", "close", "feed", "--reason", "x"): (20, "unknown-event"),
    }
    for words, (code, name) in cases.items():
        error = mlops(*words, "--json", cwd=root, code=code).error
        assert error["code"] == name and error["hint"]


def test_the_shell_completes_events_and_runs(mlops, mlops_process, git, repo):
    feed(git, repo)
    mlops("run", code=0)
    mlops("feedback", "the gauge is off", "--to", "data", code=0)
    event = mlops("events", "list", "--json", code=0).data["events"][0]["id"][:12]
    run = mlops("runs", "list", "--json", code=0).data["runs"][0]["id"]
    for line, told in {"mlops events show ": event, "mlops runs show ": run}.items():
        asked = {"_MLOPS_COMPLETE": "complete_bash", "COMP_WORDS": line, "COMP_CWORD": "3"}
        assert told in mlops_process(env=asked).stdout


def test_records_that_lie_are_events_or_nothing(mlops, git, repo):
    root = feed(git, repo)
    lies = (None, 7, "x", [1, {}], {"drift": 5}, {"drift": {"severity": "important"}})
    bodies = [{"kind": "feedback", "about": "a:b", "text": "x"}]
    bodies += [{"kind": "run", "step": "s", "status": "failed", "error": lie} for lie in lies]
    bodies += [{"kind": "check", "monitor": "m", "families": lie} for lie in lies]
    ledger = open_ledger(Git(root))
    ledger.append(*(Record(str(body["kind"]), {**body, "time": "x"}) for body in bodies))
    found = mlops("events", "list", "--all", "--json", cwd=root, code=0).data["events"]
    assert {one["about"] for one in found} == {"a:b", "s", "monitor.m:drift"}
