"""`mlops import dvc`: a repository of DVC is taken over whole, and DVC notices nothing."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

from dvc_world import DvcWorld, md5, sha256


def states(result: Any, what: str = "data") -> dict[str, str]:
    return {row["name"]: row["state"] for row in result.data["rows"] if row["what"] == what}


def files_of_dvc(root: Path) -> dict[str, str]:
    names = [path for path in root.rglob("*") if path.is_file()]
    return {
        path.relative_to(root).as_posix(): sha256(path)
        for path in names
        if path.suffix == ".dvc"
        or path.name in ("dvc.yaml", "dvc.lock", ".dvcignore")
        or ".dvc" in path.relative_to(root).parts
    }


def test_every_path_comes_over_byte_by_byte(
    dvc_world: DvcWorld, mlops: Any, assert_valid: Any
) -> None:
    root = dvc_world.root
    before = files_of_dvc(root)

    result = mlops("import", "dvc", "--json", cwd=root, code=0)

    assert_valid(result.json)
    assert set(states(result).values()) == {"imported"}
    assert files_of_dvc(root) == before
    shutil.rmtree(root / ".dvc/cache")  # nothing of it is needed any more
    mlops("checkout", cwd=root, code=0)
    assert dvc_world.wrong() == []
    assert os.access(root / "model.bin", os.X_OK)
    mlops("verify", cwd=root, code=0)


def test_steps_that_dvc_lock_knows_are_up_to_date(dvc_world: DvcWorld, mlops: Any) -> None:
    root = dvc_world.root

    result = mlops("import", "dvc", "--json", cwd=root, code=0)

    steps = states(result, "step")
    assert {"prep", "head_1", "head_2", "fit_tree", "fit_line", "below_count"} <= set(steps)
    mlops("checkout", cwd=root, code=0)
    assert mlops("status", "--json", cwd=root, code=0).data["pipeline"]["rows"] == []


def test_a_step_is_stale_for_what_changed_since_dvc_ran_it(dvc3: DvcWorld, mlops: Any) -> None:
    root = dvc3.root
    (root / "src/prep.py").write_text((root / "src/prep.py").read_text() + "# more\n")

    result = mlops("import", "dvc", "--json", cwd=root, code=0)

    (row,) = [row for row in result.data["rows"] if row["name"] == "prep"]
    assert row["reason"] == "changed since dvc.lock: src/prep.py"
    mlops("checkout", cwd=root, code=0)
    explained = mlops("explain", "prep", cwd=root, code=0).stdout
    assert "src/prep.py" in explained
    assert dvc3.wrong() == []  # its outputs are tracked all the same


def test_a_change_of_params_still_reaches_the_command(dvc3: DvcWorld, mlops: Any, git: Any) -> None:
    root = dvc3.root
    mlops("import", "dvc", cwd=root, code=0)
    git("add", "-A", cwd=root)
    git("commit", "-qm", "imported", cwd=root)
    (root / "params.yaml").write_text("prep: {rows: 1}\nlr: 1e-3\n")
    mlops("checkout", cwd=root, code=0)

    mlops("run", "prep", cwd=root, code=0)

    assert (root / "prepared.csv").read_bytes() == b"1,2\r\n"
    assert json.loads((root / "metrics.json").read_text()) == {"rows": 1}


def test_attaching_copies_nothing_and_serves_all(
    dvc_world: DvcWorld, mlops: Any, assert_valid: Any
) -> None:
    root = dvc_world.root

    result = mlops("import", "dvc", "--attach", "--json", cwd=root, code=0)

    assert_valid(result.json)
    assert result.data["copied"] <= 40  # the two texts of the workspace, where DVC kept one
    stored = sum(
        path.stat().st_size for path in (root / ".mlops/cache/objects").rglob("*") if path.is_file()
    )
    assert stored < 10_000 < (root / ".dvc/cache").stat().st_size + 100_000
    mlops("checkout", cwd=root, code=0)
    assert dvc_world.wrong() == []
    mlops("remote", "add", "other", str(root.parent / "ours"), "--default", cwd=root, code=0)
    mlops("push", cwd=root, code=0)  # reads what is attached
    mlops("import", "dvc", cwd=root, code=0)  # and copies it after all
    shutil.rmtree(root / ".dvc/cache")
    mlops("verify", cwd=root, code=0)


def test_an_attached_object_that_changes_is_never_served(dvc3: DvcWorld, mlops: Any) -> None:
    root = dvc3.root
    mlops("import", "dvc", "--attach", cwd=root, code=0)
    digest = md5(b"0123456789abcdef" * 12_500)
    place = root / f".dvc/cache/files/md5/{digest[:2]}/{digest[2:]}"
    found = place.stat()
    place.chmod(0o644)
    place.write_bytes(b"x" + place.read_bytes()[1:])
    os.utime(place, ns=(found.st_atime_ns, found.st_mtime_ns))

    result = mlops("checkout", "big.bin", cwd=root, code=40)

    assert "damaged" in result.stderr
    assert not (root / "big.bin").exists()


def test_what_is_missing_or_corrupt_is_named_and_left_out(
    dvc3: DvcWorld, mlops: Any, assert_valid: Any
) -> None:
    root = dvc3.root
    shutil.rmtree(dvc3.remote)
    cache = root / ".dvc/cache/files/md5"
    gone, bad = md5(b"x\n"), md5(bytes(range(256)) * 4)
    (cache / gone[:2] / gone[2:]).unlink()
    (cache / bad[:2] / bad[2:]).chmod(0o644)
    (cache / bad[:2] / bad[2:]).write_bytes(b"rot")

    result = mlops("import", "dvc", "--json", cwd=root, code=40)

    assert_valid(result.json)
    found = states(result)
    assert found["data/raw/sub/b.csv"] == "missing"
    assert found["model.bin"] == "corrupt"
    assert not (root / "data/raw.mlops").exists() and not (root / "model.bin.mlops").exists()
    assert found["big.bin"] == "imported"
    (cache / gone[:2] / gone[2:]).write_bytes(b"x\n")
    again = mlops("import", "dvc", "--json", cwd=root, code=40)
    assert states(again)["data/raw"] == "imported"
    assert again.data["hashed"] == 2  # the one that came back, and the corrupt one once more


def test_what_the_cache_lacks_comes_from_the_remote_of_dvc(dvc_world: DvcWorld, mlops: Any) -> None:
    root = dvc_world.root
    shutil.rmtree(root / ".dvc/cache")
    for name in ("text/crlf.txt", "text/lf.txt"):
        (root / name).unlink()

    result = mlops("import", "dvc", "--json", cwd=root, code=0)

    # DVC pushes no metrics that are kept in git, and they are in the workspace
    assert set(states(result).values()) == {"imported"}
    assert result.data["fetched"] >= 12
    mlops("checkout", cwd=root, code=0)
    wrong = dvc_world.wrong()
    assert wrong == [name for name in ("text/lf.txt",) if name in wrong]


def test_a_bad_object_of_the_remote_is_never_imported(dvc3: DvcWorld, mlops: Any) -> None:
    root = dvc3.root
    shutil.rmtree(root / ".dvc/cache")
    bad = md5(bytes(range(256)) * 4)
    place = dvc3.remote / f"files/md5/{bad[:2]}/{bad[2:]}"
    place.chmod(0o644)
    place.write_bytes(b"rot")

    result = mlops("import", "dvc", "--json", cwd=root, code=40)

    assert states(result)["model.bin"] == "corrupt"
    assert not (root / "model.bin.mlops").exists()


def test_texts_that_differ_in_their_line_ends_stay_different(dvc2: DvcWorld, mlops: Any) -> None:
    root = dvc2.root
    # as on two machines that added a text of one name each: DVC kept the first only
    (root / "text/lf.txt").unlink()
    (root / "text/lf.txt").write_bytes(b"one\ntwo\n")

    mlops("import", "dvc", cwd=root, code=0)

    for name in ("lf.txt", "crlf.txt"):
        (root / "text" / name).unlink()
    mlops("checkout", "text/lf.txt", "text/crlf.txt", cwd=root, code=0)
    assert (root / "text/lf.txt").read_bytes() == b"one\ntwo\n"
    assert (root / "text/crlf.txt").read_bytes() == b"one\r\ntwo\r\n"


def test_a_second_import_hashes_nothing_and_says_unchanged(dvc3: DvcWorld, mlops: Any) -> None:
    mlops("import", "dvc", cwd=dvc3.root, code=0)

    again = mlops("import", "dvc", "--json", cwd=dvc3.root, code=0)

    data = {name: state for name, state in states(again).items() if name in ("big.bin", "data/raw")}
    assert data == {"big.bin": "unchanged", "data/raw": "unchanged"}
    assert again.data["copied"] <= 12  # metrics, which are in no cache


def test_a_dry_run_changes_nothing(dvc3: DvcWorld, mlops: Any, git: Any, assert_valid: Any) -> None:
    result = mlops("import", "dvc", "--dry-run", "--json", cwd=dvc3.root, code=0)

    assert_valid(result.json)
    assert {"prep", "grid_x-2"} <= set(states(result, "step"))
    assert git("status", "--porcelain", cwd=dvc3.root) == ""
    assert not (dvc3.root / ".mlops").exists()


def test_a_version_added_here_is_not_taken_back_unasked(dvc3: DvcWorld, mlops: Any) -> None:
    root = dvc3.root
    mlops("import", "dvc", cwd=root, code=0)
    (root / "model.bin").write_bytes(b"newer")
    mlops("add", "model.bin", cwd=root, code=0)
    newer = (root / "model.bin.mlops").read_text()

    result = mlops("import", "dvc", "--json", cwd=root, code=0)

    assert states(result)["model.bin"] == "refused"
    assert (root / "model.bin.mlops").read_text() == newer
    mlops("import", "dvc", "--force", cwd=root, code=0)
    assert (root / "model.bin.mlops").read_text() != newer


def test_remotes_come_over_with_a_folder_of_their_own(dvc3: DvcWorld, mlops: Any) -> None:
    root = dvc3.root
    mlops("import", "dvc", cwd=root, code=0)

    (remote,) = mlops("remote", "list", "--json", cwd=root, code=0).data["remotes"]
    assert (remote["name"], remote["default"]) == ("store", True)
    mlops("push", cwd=root, code=0)
    assert (dvc3.remote / "mlops/format.json").exists()
    assert (dvc3.remote / "files/md5").is_dir()


def test_tags_of_gto_are_told_and_not_made_versions(dvc3: DvcWorld, mlops: Any, git: Any) -> None:
    for tag in ("churn@v1.2.3", "churn#prod#3", "churn@deprecated#4", "release-7"):
        git("tag", tag, cwd=dvc3.root)

    result = mlops("import", "dvc", "--json", cwd=dvc3.root, code=0)

    assert set(states(result, "artifact")) == {"churn@v1.2.3", "churn#prod#3", "churn@deprecated#4"}
    assert git("tag", "-l", "mlops/*", cwd=dvc3.root) == ""


def test_a_pipeline_of_our_own_keeps_its_words(dvc3: DvcWorld, mlops: Any) -> None:
    ours = "# ours\nversion: 1\nproject:\n  name: x\n  task: other\n"
    ours += "steps:\n  mine:  # kept\n    cmd: echo\n"
    (dvc3.root / "pipeline.yaml").write_text(ours)

    mlops("import", "dvc", cwd=dvc3.root, code=0)

    text = (dvc3.root / "pipeline.yaml").read_text()
    assert text.startswith(ours)
    assert "  prep:\n" in text


def test_without_a_dvc_repository_the_error_says_what_to_name(repo: Path, mlops: Any) -> None:
    error = mlops("import", "dvc", "--json", code=20).error
    assert error["code"] == "no-dvc-repository"
