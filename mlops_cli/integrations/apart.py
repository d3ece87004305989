"""Tasks on machines of their own: a clone each, and the run cache at the remote between them."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path

from mlops_cli.errors import ConfigError
from mlops_cli.integrations.flow import COMMIT, Flow, Plan, Task
from mlops_cli.vcs import address

CLONE = (
    'git clone --quiet ${MLOPS_BRANCH:+--branch "$MLOPS_BRANCH"} "$MLOPS_REPOSITORY" project\n'
    "cd project\n"
)
# who makes commits and records, on machines where nobody is at home
NOBODY = {
    "GIT_AUTHOR_NAME": "mlops",
    "GIT_AUTHOR_EMAIL": "mlops@localhost",
    "GIT_COMMITTER_NAME": "mlops",
    "GIT_COMMITTER_EMAIL": "mlops@localhost",
}


def scripts(flow: Flow) -> Iterator[tuple[Task, str]]:
    """Yield each task of `flow`, in order, with the lines that a shell runs in a fresh clone.

    The outputs of the steps before come from the run cache at the remote. The last task commits
    all locks at once, so that tasks side by side do not race for the branch.
    """
    for task in flow.tasks:
        lines = [f"mlops pull {shlex.join(task.reads)}"] if task.reads else []
        lines += [f"mlops run {shlex.quote(task.step)} --only --pull --no-commit", "mlops push"]
        yield task, "\n".join(lines) + "\n"
    if flow.makes is not None:
        waited_for = {one for task in flow.tasks for one in task.after}
        ends = tuple(task.id for task in flow.tasks if task.id not in waited_for)
        last = Task(COMMIT, COMMIT, ends)
        names = "".join(f" {shlex.quote(name)}" for name in flow.makes)
        yield (
            last,
            (
                f"mlops run{names} --cached --pull\n"
                "mlops push\n"
                "git pull --quiet --rebase\n"
                "git push --quiet\n"
            ),
        )


def image_of(plan: Plan) -> str:
    """Return the image in which tasks run. Raises ConfigError ("no-image")."""
    if plan.image is None:
        raise ConfigError(
            "nothing says in which container image the tasks run",
            code="no-image",
            hint="mlops config set compile.image REGISTRY/NAME@sha256:…, with git and mlops in it",
        )
    return plan.image


def repository_of(plan: Plan) -> str:
    """Return the URL that tasks clone. Raises ConfigError ("no-repository", "credentials-in-url"),
    UsageError ("bad-git-url")."""
    if plan.repository is None:
        raise ConfigError(
            "nothing says which repository the tasks clone",
            code="no-repository",
            hint="mlops config set compile.repository URL",
        )
    address.parse(plan.repository, start=Path())
    return plan.repository
