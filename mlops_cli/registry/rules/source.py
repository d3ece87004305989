"""Where the code of the model stands: committed whole, or captured; on a protected branch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from mlops_cli.registry.rules.finding import Finding, Shown, answer, closed


@dataclass(frozen=True, slots=True)
class CleanTree:
    """clean_tree: a commit holds all that made the version; {clean_tree: patch}: or the record of
    its run keeps what differed."""

    clean_tree: Literal["commit", "patch"] = "commit"

    @property
    def name(self) -> str:
        """The word."""
        return "clean_tree" + (" or patch" if self.clean_tree == "patch" else "")

    def judge(self, shown: Shown) -> Finding:
        """Pass where nothing differed, or what differed was kept and that is enough."""
        clean, patch = shown.get("clean_tree") is True, shown.get("patch")
        if clean:
            return Finding(self.name, True, {"clean_tree": True}, "the commit holds all the code")
        evidence = {"clean_tree": False, "patch": patch}
        if self.clean_tree == "patch" and patch:
            return Finding(self.name, True, evidence, "what differs from the commit was captured")
        return closed(self, "files differ from the commit", evidence)


@dataclass(frozen=True, slots=True)
class ProtectedBranch:
    """protected_branch: the commit of the version is reachable from a protected branch."""

    protected_branch: Literal[True] = True

    @property
    def name(self) -> str:
        """The word."""
        return "protected_branch"

    def judge(self, shown: Shown) -> Finding:
        """Pass where the branch holds the commit."""
        found = answer(self, shown)
        if found is None or not found.get("branch"):
            return closed(self, "there is no protected branch here", found)
        commit, branch = str(found.get("commit"))[:12], found["branch"]
        if found.get("reachable") is True:
            return Finding(self.name, True, dict(found), f"{branch} holds {commit}")
        return closed(self, f"{commit} is not on {branch}", found)
