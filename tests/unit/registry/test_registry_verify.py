"""Tags that were forged or removed are named."""

from __future__ import annotations

from datetime import UTC, datetime

from mlops_cli.registry.registry import Registry
from mlops_cli.registry.verify import verify
from mlops_cli.vcs.repo import Git

WHEN = datetime(2013, 2, 1, tzinfo=UTC)


def test_forged_and_missing_tags_are_named(git: Git) -> None:
    registry = Registry(git)
    for n in (1, 2):
        payload = {"digest": f"sha256:{n:064x}", "format": "onnx", "created": WHEN.isoformat()}
        registry.create("delay", payload)
        registry.move("delay", "prod", n, policy={}, evidence={}, actor="a", reason="r", time=WHEN)
    assert verify(git) == (4, {})
    git.run("tag", "-d", "mlops/delay/@prod/1")
    git.run("tag", "-f", "-a", "-m", "x\n\n{}", "mlops/delay/v1")
    checked, damaged = verify(git)
    assert checked == 2
    assert set(damaged) == {"mlops/delay/@prod/2", "mlops/delay/v1"}
