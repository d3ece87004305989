"""`mlops verify`: every byte is looked at; what is wrong is named and mended."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def project(repo: Path, mlops: Any) -> Path:
    """A folder of small files (one pack) and a large file (a whole object)."""
    (repo / "data").mkdir()
    for number in range(40):
        (repo / "data" / f"{number}.csv").write_text(f"{number}\n" * 100)
    (repo / "big.bin").write_bytes(os.urandom(1 << 20))
    mlops("add", "data", "big.bin", code=0)
    return repo


def flip(path: Path, at: int) -> None:
    path.chmod(0o644)
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


def whole_object(project: Path) -> Path:
    (path,) = [
        path
        for path in (project / ".mlops/cache/objects").rglob("*")
        if path.is_file() and path.stat().st_size > 1 << 19
    ]
    return path


def test_a_sound_cache_is_said_to_be_so(project: Path, mlops: Any, assert_valid: Any) -> None:
    result = mlops("verify", "--json", code=0)

    assert_valid(result.json)
    assert result.data["clean"] and result.data["checked"] == 42


def test_a_flipped_byte_is_named_by_digest_and_path(
    project: Path, mlops: Any, assert_valid: Any
) -> None:
    place = whole_object(project)
    flip(place, 500)

    result = mlops("verify", "--json", code=40)

    assert_valid(result.json)
    (damaged,) = result.data["damaged"]
    assert damaged["digest"] == f"sha256:{place.parent.name}{place.name}"
    assert damaged["paths"] == ["big.bin"]
    assert not place.exists()  # set aside, never served again
    (still,) = mlops("verify", "--json", code=40).data["damaged"]
    assert still == damaged


def test_a_flipped_byte_in_a_pack_is_named_too(project: Path, mlops: Any) -> None:
    (pack,) = (project / ".mlops/cache/packs").glob("*.pack")
    flip(pack, pack.read_bytes().index(b"17\n17\n") + 7)

    (damaged,) = mlops("verify", "--json", code=40).data["damaged"]

    assert damaged["paths"] == ["data/17.csv"]


def test_the_workspace_mends_what_it_has(project: Path, mlops: Any) -> None:
    (pack,) = (project / ".mlops/cache/packs").glob("*.pack")
    flip(pack, pack.read_bytes().index(b"17\n17\n") + 7)
    flip(whole_object(project), 500)

    repaired = mlops("verify", "--repair", "--json", code=0).data

    assert sorted(path for one in repaired["repaired"] for path in one["paths"]) == [
        "big.bin",
        "data/17.csv",
    ]
    assert mlops("verify", "--json", code=0).data["clean"]
    (project / "big.bin").unlink()
    mlops("checkout", code=0)


def test_a_workspace_with_other_bytes_mends_nothing(project: Path, mlops: Any) -> None:
    flip(whole_object(project), 500)
    (project / "big.bin").write_bytes(b"other")

    left = mlops("verify", "--repair", "--json", code=40).data

    assert [one["paths"] for one in left["damaged"]] == [["big.bin"]]


def test_the_remote_mends_what_the_workspace_lacks(project: Path, mlops: Any) -> None:
    mlops("remote", "add", "origin", "../remote", code=0)
    mlops("push", code=0)
    shutil.rmtree(project / "data")
    (project / "big.bin").unlink()
    shutil.rmtree(project / ".mlops/cache/packs")
    flip(whole_object(project), 500)

    broken = mlops("verify", "--json", code=40).data
    assert [one["paths"] for one in broken["missing"]] == [["data"]]
    repaired = mlops("verify", "--repair", "--json", code=0).data

    assert len(repaired["repaired"]) == 42
    mlops("checkout", code=0)
    assert len(list((project / "data").iterdir())) == 40


def test_without_any_good_copy_the_answer_stays_no(project: Path, mlops: Any) -> None:
    flip(whole_object(project), 500)
    (project / "big.bin").unlink()

    result = mlops("verify", "--repair", code=40)

    assert "No good copy was found" in result.stdout


def test_a_name_is_confirmed_wherever_its_bytes_are(
    trained: Path, mlops: Any, git: Any, assert_valid: Any
) -> None:
    result = mlops("verify", "storm@v1", "--json", cwd=trained, code=0)

    assert_valid(result.json)
    places = {link["place"] for link in result.data["links"]}
    assert places >= {"cache", "ledger", "tags"}
    tag = git("rev-parse", "mlops/storm/v1", cwd=trained).strip()
    (one,) = mlops("verify", f"git:{tag}", "--json", cwd=trained, code=0).data["links"]
    assert (one["place"], one["wrong"]) == ("tags", None)


def test_refs_are_verified_in_a_clone_without_a_cache(
    trained: Path, mlops: Any, git: Any, assert_valid: Any, tmp_path: Path
) -> None:
    clone = tmp_path / "clone"
    git("clone", "-q", str(trained), str(clone), cwd=tmp_path)
    lacking = mlops("verify", "storm@v1", "--level", "refs", "--json", cwd=clone, code=20)
    assert_valid(lacking.json)
    assert "unknown-record" in {link["code"] for link in lacking.data["links"]}
    git("fetch", "-q", "origin", "refs/mlops/*:refs/mlops/*", cwd=clone)
    links = mlops("verify", "storm@v1", "--level", "refs", "--json", cwd=clone, code=0).data[
        "links"
    ]
    assert {link["kind"] for link in links if link["state"] == "absent"} == {"bundle"}
    assert {link["kind"] for link in links if link["state"] == "ok"} >= {"version", "run", "source"}
    result = mlops("verify", "storm@v1", cwd=clone, code=20)
    assert "missing" in result.stdout and "mlops pull" in result.stdout


def test_levels_are_of_what_is_named(trained: Path, mlops: Any) -> None:
    wrong = mlops("verify", "storm@v1", "--level", "sizes", "--json", cwd=trained, code=2)
    assert wrong.error["code"] == "bad-value"
    (trained / "notes").write_text("x")
    refused = mlops("verify", "notes", "--level", "refs", "--json", cwd=trained, code=2)
    assert refused.error["code"] == "bad-options"


def test_damaged_links_of_a_lineage_are_named(trained: Path, mlops: Any) -> None:
    for path in (trained / ".mlops/cache/objects").rglob("*"):
        if path.is_file():
            flip(path, path.stat().st_size // 2)

    result = mlops("verify", "storm@v1", "--json", cwd=trained, code=40)

    wrong = [link for link in result.data["links"] if link["wrong"]]
    assert wrong and all(link["place"] in ("cache", None) for link in wrong)


def test_what_nobody_knows_is_refused_and_mending_needs_no_name(project: Path, mlops: Any) -> None:
    assert mlops("verify", f"sha256:{'0' * 64}", "--json", code=20).error["code"] == "unknown-thing"
    assert mlops("verify", "data", "--repair", "--json", code=2).error["code"] == "bad-options"


def pushed(project: Path, mlops: Any) -> Path:
    mlops("remote", "add", "origin", "../remote", code=0)
    mlops("push", code=0)
    files = [path for path in (project.parent / "remote").rglob("*") if path.is_file()]
    return max(files, key=lambda path: path.stat().st_size)


def test_a_remote_is_verified_where_it_lies_and_mended_from_here(
    project: Path, mlops: Any, assert_valid: Any
) -> None:
    place = pushed(project, mlops)
    assert mlops("verify", "--on", "origin", "--level", "metadata", "--json", code=0).data["clean"]
    flip(place, place.stat().st_size // 2)

    found = mlops("verify", "--on", "origin", "--json", code=40)

    assert_valid(found.json)
    assert found.data["on"] == "origin" and found.data["damaged"][0]["paths"]
    assert "--on origin --repair" in mlops("verify", "--on", "origin", code=40).stdout
    assert mlops("verify", "--on", "origin", "--repair", "--json", code=0).data["repaired"]
    assert mlops("verify", "--on", "origin", "--json", code=0).data["clean"]


def test_a_remote_that_is_silent_does_not_keep_another_from_mending(
    project: Path, mlops: Any
) -> None:
    pushed(project, mlops)
    mlops("remote", "add", "another", "../nowhere/at/all", code=0)
    flip(whole_object(project), 500)
    (project / "big.bin").unlink()

    result = mlops("verify", "--repair", "--json", code=0)

    assert [one["paths"] for one in result.data["repaired"]] == [["big.bin"]]
    assert any("another" in warning for warning in result.json["warnings"])


def test_what_was_set_aside_is_listed_with_its_age(
    project: Path, mlops: Any, assert_valid: Any
) -> None:
    flip(whole_object(project), 500)
    mlops("verify", code=40)

    result = mlops("verify", "--level", "sizes", "--json", code=40)

    assert_valid(result.json)
    (aside,) = result.data["quarantine"]
    assert aside["bytes"] == 1 << 20 and not aside["replaced"]
    assert "In quarantine: 1 object, 1.0 MiB, the oldest for 0 days" in mlops("verify").stdout
    told = mlops("doctor", "--offline", "--json").data["findings"]
    (finding,) = [one for one in told if one["name"] == "quarantine"]
    assert finding["state"] == "note" and finding["mend"] == "mlops verify --repair"


def test_a_round_that_ran_out_of_time_says_so_and_is_taken_up(project: Path, mlops: Any) -> None:
    first = mlops("verify", "--for", "0s", "--json", code=0).data
    assert not first["complete"] and first["checked"] < 42
    assert "--resume goes on" in mlops("verify", "--for", "0s", code=0).stdout
    rest = mlops("verify", "--resume", "--json", code=0).data
    assert rest["complete"] and rest["checked"] == 42
    assert mlops("verify", "--sample", "1%", "--json", code=0).data["checked"] in (1, 41)


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("--level", "all"), "bad-value"),
        (("--sample", "5"), "bad-value"),
        (("--sample", "0%"), "bad-value"),
        (("--for", "soon"), "bad-value"),
        (("--sample", "5%", "--resume"), "bad-options"),
        (("--from", "origin"), "bad-options"),
        (("--on", "origin", "--repair", "--from", "origin"), "bad-options"),
        (("data", "--level", "sizes"), "bad-options"),
    ],
)
def test_options_that_make_no_sense_are_refused(
    project: Path, mlops: Any, words: tuple[str, ...], code: str
) -> None:
    assert mlops("verify", *words, "--json", code=2).error["code"] == code
