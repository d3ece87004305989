"""What is told of a version beside its tag: its aliases, and what people wrote of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlops_cli.registry.words import Words, parse

if TYPE_CHECKING:
    from mlops_cli.cli.context import Context
    from mlops_cli.registry.registry import Registry
    from mlops_cli.registry.version import Version
    from mlops_cli.vcs.repo import Git


def words(git: Git, version: Version) -> Words:
    """Return what the card file said at the commit of `version`."""
    path = str(version.payload.get("card_path") or f"models/{version.model}.md")
    found = git.show(version.commit, path)
    return parse(found.decode("utf-8", "replace")) if found else Words()


def lock_file(git: Git, version: Version) -> str | None:
    """Return the lock file that pipeline.yaml named for the environment at the commit of `version`.

    A file that cannot be read any more names none.
    """
    from mlops_cli.errors import ConfigError
    from mlops_cli.pipeline.keys.environment import lock_of
    from mlops_cli.pipeline.reading import build
    from mlops_cli.pipeline.words.document import parse as parsed
    from mlops_cli.pipeline.words.document import plain

    found = git.show(version.commit, build.FILE)
    try:
        said = plain(parsed(found, name=build.FILE)) if found is not None else {}
    except ConfigError:
        return None
    env = said.get("env") if isinstance(said, dict) else None
    lock = lock_of(env) if isinstance(env, dict) else None
    return lock if isinstance(lock, str) else None


def signers(ctx: Context, git: Git) -> bytes | None:
    """Return the list of allowed signers of the protected branch, None where it has none; one
    that nobody protects does not count, which is told."""
    from mlops_cli.errors import StateRefused
    from mlops_cli.registry import protected

    try:
        return protected.branch(git, ctx.settings).allowed()
    except StateRefused as exc:
        ctx.warn(exc.message)
        return None


def aliases(registry: Registry, version: Version) -> list[str]:
    """Return the aliases that mean `version` now."""
    held = registry.of(version.model)
    return [name for name, event in held.current().items() if event.version == version.number]
