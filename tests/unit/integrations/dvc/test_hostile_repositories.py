"""What a repository of DVC from a stranger may say, and what is done about it: nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from dvc_world import DvcWorld, md5

from mlops_cli.integrations.dvc import parcels, repository, survey
from mlops_cli.integrations.dvc.row import Row
from mlops_cli.vcs.repo import Git


def rows(root: Path) -> dict[str, Row]:
    """Return what a plan refuses, by name."""
    found = survey.survey(root, Git(root), repository.open_repository(root, "."))
    plan = parcels.plan(root, found, tracked=[])
    assert "evil" not in {parcel.out.path for parcel in plan.parcels}
    assert "big.bin" in {parcel.out.path for parcel in plan.parcels}
    return {row.name: row for row in [*found.rows, *plan.rows]}


def listed(root: Path, listing: object) -> None:
    """Make `evil.dvc` a folder with that list."""
    data = json.dumps(listing).encode()
    place = root / f".dvc/cache/files/md5/{md5(data)[:2]}/{md5(data)[2:]}.dir"
    place.parent.mkdir(exist_ok=True)
    place.write_bytes(data)
    (root / "evil.dvc").write_text(f"outs:\n- md5: {md5(data)}.dir\n  hash: md5\n  path: evil\n")


@pytest.mark.parametrize(
    "relpath", ["../../../etc/x", "/etc/x", "a/../../x", ".git/hooks/post-checkout", "a//b", "", 7]
)
def test_a_folder_that_lists_a_way_out_is_refused(relpath: object, dvc3: DvcWorld) -> None:
    listed(dvc3.root, [{"md5": md5(b"x\n"), "relpath": relpath}])
    assert rows(dvc3.root)["evil"].state == "refused"


@pytest.mark.parametrize(
    "listing",
    [
        {"a": 1},
        ["a"],
        [{"relpath": "a"}],
        [{"md5": "../../../../etc/passwd", "relpath": "a"}],
        [{"md5": md5(b"x\n") + ".dir", "relpath": "a"}],
        [{"md5": md5(b"x\n"), "relpath": "a"}] * 2,
        [{"md5": md5(b"x\n"), "relpath": "a"}, {"md5": md5(b"x\n"), "relpath": "a/b"}],
    ],
)
def test_a_list_that_is_none_is_refused(listing: object, dvc3: DvcWorld) -> None:
    listed(dvc3.root, listing)
    assert rows(dvc3.root)["evil"].state == "refused"


def test_a_list_with_other_bytes_than_its_name_says_is_corrupt(dvc3: DvcWorld) -> None:
    listed(dvc3.root, [{"md5": md5(b"x\n"), "relpath": "a"}])
    (place,) = [
        path for path in (dvc3.root / ".dvc/cache").rglob("*.dir") if b'"a"' in path.read_bytes()
    ]
    place.write_bytes(place.read_bytes().replace(b'"a"', b'"b"'))
    assert rows(dvc3.root)["evil"].state == "corrupt"


@pytest.mark.parametrize("path", ["../out", "/tmp/out", "s3://bucket/out", ".git/config", "."])
def test_an_output_outside_of_the_project_is_named_and_refused(path: str, dvc3: DvcWorld) -> None:
    text = f"outs:\n- md5: {md5(b'x')}\n  hash: md5\n  path: {path}\n"
    (dvc3.root / "evil.dvc").write_text(text)
    assert rows(dvc3.root)[path].state == "refused"


def test_outputs_that_overlap_are_taken_once(dvc3: DvcWorld) -> None:
    text = f"outs:\n- md5: {md5(b'x')}\n  hash: md5\n  path: data/raw/a.csv\n"
    (dvc3.root / "evil.dvc").write_text(text)
    row = rows(dvc3.root)["data/raw/a.csv"]
    assert (row.state, row.reason) == ("refused", "data/raw.dvc holds data/raw already")


def test_a_bomb_of_aliases_is_refused_before_it_goes_off(dvc3: DvcWorld) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [" + ", ".join([f"*a{n - 1}"] * 10) + "]" for n in range(1, 12)]
    (dvc3.root / "bomb.dvc").write_text("\n".join(lines) + "\n")
    assert "stand for far more" in rows(dvc3.root)["bomb.dvc"].reason


@pytest.mark.parametrize(
    "text", ["[1", "outs: 3", "outs: [a]", "&a [*a]", "\x00", "{" * 5000, "outs:\n- {? [a] : b}"]
)
def test_a_file_that_cannot_be_read_is_named_and_the_rest_goes_on(
    text: str, dvc3: DvcWorld
) -> None:
    (dvc3.root / "bad.dvc").write_text(text)
    assert rows(dvc3.root)["bad.dvc"].state == "refused"


def test_a_matrix_of_millions_is_refused(dvc3: DvcWorld) -> None:
    axes = ", ".join(f"a{n}: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]" for n in range(7))
    (dvc3.root / "below/dvc.yaml").write_text(
        f"stages:\n  boom:\n    matrix: {{{axes}}}\n    cmd: echo\n"
    )
    assert "more than" in rows(dvc3.root)["below/dvc.yaml:boom"].reason
