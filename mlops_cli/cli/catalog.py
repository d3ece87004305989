"""Every command: its module, its section in help, its summary. A literal: help imports nothing."""

from __future__ import annotations

from typing import NamedTuple


class Command(NamedTuple):
    """A NamedTuple and not a dataclass: `mlops --help` has no time to import dataclasses."""

    module: str
    section: str
    summary: str


def _at(name: str, section: str, summary: str) -> Command:
    return Command(f"mlops_cli.cli.commands.{name}", section, summary)


COMMANDS: dict[str, Command] = {
    "init": _at("init", "project", "Start a project: pipeline.yaml, code, settings, CI"),
    "demo": _at("demo", "project", "Play the whole loop on a year of real flights"),
    "doctor": _at("doctor", "project", "Check this machine and project; say how to mend"),
    "config": _at("config", "project", "Show and change settings, each with its origin"),
    "schema": _at("schema", "project", "JSON Schema of pipeline.yaml, a policy, a result"),
    "status": _at("status", "project", "Say what is stale, changed or missing, and why"),
    "hooks": _at("hooks", "project", "Let git bring, send and check data by itself"),
    "add": _at("add", "data", "Track data: bytes in the cache, a pointer in git"),
    "checkout": _at("checkout", "data", "Bring data in the workspace to what git says"),
    "unprotect": _at("unprotect", "data", "Make links into the cache files of your own"),
    "diff": _at("diff", "data", "Compare data between the workspace and commits"),
    "move": _at("move", "data", "Give data another name or folder"),
    "remove": _at("remove", "data", "Stop tracking data, or take a part out of it"),
    "ls": _at("ls", "data", "List tracked data and what is in it"),
    "du": _at("du", "data", "Say how much disk tracked data takes, and where"),
    "push": _at("push", "data", "Send data that the remote lacks"),
    "pull": _at("pull", "data", "Fetch data that is missing here and check it out"),
    "get": _at("get", "data", "Copy data out of another repository, untracked"),
    "import": Command(
        "mlops_cli.cli.commands.import_", "data", "Track data that comes from elsewhere"
    ),
    "update": _at("update", "data", "Bring imports to what their source has now"),
    "export": _at("export", "data", "Write what is tracked as other tools want it"),
    "remote": _at("remote", "data", "Add, list and remove places to keep data"),
    "gc": _at("gc", "data", "Free the disk of what nothing needs"),
    "verify": _at("verify", "data", "Re-hash data here or on a remote; repair it"),
    "merge": _at("merge", "data", "Finish a merge of data: again, or as you decide"),
    "merge-driver": _at("merge_driver", "plumbing", "What git calls to merge pointers and locks"),
    "run": _at("run", "pipeline", "Run the stale steps, record and commit"),
    "dag": _at("dag", "pipeline", "Draw the graph of steps"),
    "tick": _at("tick", "pipeline", "Run what is due: by the clock, new data, drift, push"),
    "schedule": _at("schedule", "pipeline", "Let cron or systemd call mlops tick"),
    "compile": _at("compile", "pipeline", "Write files for Airflow, Kubeflow, Argo, GitHub"),
    "explain": _at("explain", "pipeline", "Say what a step depends on and why it is stale"),
    "reproduce": _at("reproduce", "pipeline", "Run again from a commit; is it the same?"),
    "feature": _at("feature", "features", "Validate, profile, build and read features"),
    "train": _at("train", "experiments", "Train and evaluate models"),
    "sweep": _at("sweep", "experiments", "Try params side by side, in scratch trees"),
    "runs": _at("runs", "experiments", "What was run: show, search, compare, export …"),
    "register": _at("register", "registry", "Make a trained model a numbered version"),
    "approve": _at("approve", "registry", "Sign that a version may take an alias"),
    "promote": _at("promote", "registry", "Move an alias to a version if its gates pass"),
    "models": _at("models", "registry", "List models, versions and the history of aliases"),
    "deploy": _at("deploy", "production", "Plan, apply and roll back deployments"),
    "predict": _at("predict", "production", "Predict the rows of a file with a model"),
    "monitor": _at("monitor", "production", "Hold what is served against its training"),
    "events": _at("events", "production", "What somebody is to look at, and for whom"),
    "feedback": _at("feedback", "production", "Tell another role what you saw"),
    "lineage": _at("lineage", "lineage", "Follow a thing up to its data, down to its use"),
    "audit": _at("audit", "lineage", "Who did what with a model, when, on what evidence"),
    "report": _at("report", "lineage", "One page for the business, or for an audit"),
}
