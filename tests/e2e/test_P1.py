"""P1, CI/CD automation: feedback says which step failed; the workflow that init writes is valid.

Missing: `mlops ci init` and `mlops ci run`; here the generated workflow and `mlops run` stand in.
"""

from __future__ import annotations

from typing import Any


def test_the_workflow_that_init_writes_is_one_that_github_takes(bare: Any) -> None:
    workflows = [str(path) for path in (bare.root / ".github/workflows").glob("*.yml")]
    assert workflows
    bare.run("check-jsonschema", "--builtin-schema", "vendor.github-workflows", *workflows)


def test_a_step_that_fails_is_named_and_the_answer_is_not_zero(bare: Any) -> None:
    (bare.root / "src/fit.py").write_text("raise SystemExit('the matrix is singular')\n")
    told = bare.said("run", code=60)
    error = told[told.index("error: ") :]
    assert error.startswith("error: step fit failed") and "[step-failed]" in error
    assert "the matrix is singular" in error and ".log" in error.splitlines()[-1]
    refused = bare.mlops("run", code=60)
    assert (refused["code"], refused["exit_code"]) == ("step-failed", 60)
    assert "the matrix is singular" in str(refused)
