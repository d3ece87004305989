"""What was tampered with is named; what is sound is counted."""

from __future__ import annotations

from datetime import UTC, datetime

from mlops_cli.ledger.append import open_ledger
from mlops_cli.ledger.record import record
from mlops_cli.ledger.verify import verify
from mlops_cli.vcs import refs
from mlops_cli.vcs.repo import Git

WHEN = datetime(2013, 2, 1, tzinfo=UTC)
NOTE = {"to": "data", "about": "", "text": "the station moved"}


def test_sound_records_are_counted_and_wrong_ones_named(git: Git) -> None:
    ledger = open_ledger(git)
    made = [record("feedback", time=WHEN, actor="a", **NOTE, n=n) for n in range(20)]
    ledger.append(*made)
    assert (verify(git).checked, verify(git).clean) == (20, True)
    wrong, where = made[3], "notes/readme"
    refs.append(git, ledger.ref, {wrong.path: made[4].data, where: b"hello"}, "tampered")
    report = verify(git)
    assert set(report.damaged) == {str(wrong.digest), where}
    assert wrong.digest in report.damaged[wrong.digest]


def test_bytes_that_git_lost_are_named(git: Git) -> None:
    ledger = open_ledger(git)
    made = record("feedback", time=WHEN, actor="a", **NOTE)
    ledger.append(made)
    blob = git.run("rev-parse", f"{ledger.ref}:{made.path}")
    (git.git_dir / "objects" / blob[:2] / blob[2:]).unlink()
    assert list(verify(git).damaged) == [made.digest]
