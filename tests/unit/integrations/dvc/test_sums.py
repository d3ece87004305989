"""The md5 that DVC gave to text before 3.0, and the names by which it finds objects."""

from __future__ import annotations

from pathlib import Path

import pytest
from dvc_world import md5

from mlops_cli.integrations.dvc import repository, sums
from mlops_cli.integrations.dvc.outs import Sum


def test_text_is_summed_as_if_its_lines_ended_with_one_sign() -> None:
    assert sums.legacy_of_bytes(b"a\r\nb\r\n") == (md5(b"a\nb\n"),) * 2


def test_what_holds_a_zero_is_no_text() -> None:
    data = b"a\r\n\0"
    assert sums.legacy_of_bytes(data) == (md5(data),) * 2


def test_a_line_end_across_two_chunks_stays_as_it_is() -> None:
    data = b"x" * (sums.CHUNK - 1) + b"\r\n" + b"y\r\n"
    assert md5(b"x" * (sums.CHUNK - 1) + b"\r\n" + b"y\n") in sums.legacy_of_bytes(data)


def test_whether_it_is_text_was_once_judged_by_the_start_alone() -> None:
    data = b"x" * sums.CHUNK + b"\0\r\n"
    assert set(sums.legacy_of_bytes(data)) == {md5(data), md5(data.replace(b"\r\n", b"\n"))}


def test_large_files_are_summed_by_two_threads_alike(tmp_path: Path) -> None:
    data = bytes(range(256)) * (9 << 12)
    (tmp_path / "a").write_bytes(data)
    assert sums.of_file(tmp_path / "a") == sums.of_bytes(data)


def test_objects_stand_where_their_time_put_them() -> None:
    name = "0123456789abcdef0123456789abcdef"
    assert Sum(name).shelf == f"files/md5/01/{name[2:]}"
    assert Sum(name, legacy=True, folder=True).shelf == f"01/{name[2:]}.dir"


@pytest.mark.parametrize(
    ("config", "local", "cache", "remotes"),
    [
        ("", "", ".dvc/cache", {}),
        ("[cache]\n    dir = ../../shared\n", "", "../shared", {}),
        (
            "[core]\n    remote = a\n['remote \"a\"']\n    url = s3://b/k  # ours\n",
            "['remote \"a\"']\n    profile = me\n",
            ".dvc/cache",
            {"a": "s3://b/k"},
        ),
        (
            '[remote "a"]\nurl = ssh://h/x\n[\'remote "b"\']\nurl = remote://a/y\n',
            "",
            ".dvc/cache",
            {"a": "ssh://h/x", "b": "ssh://h/x/y"},
        ),
        ("['remote \"a\"']\nurl = remote://a/y\n", "", ".dvc/cache", {"a": "remote://a/y"}),
    ],
)
def test_settings_are_read_as_dvc_reads_them(
    config: str, local: str, cache: str, remotes: dict[str, str], tmp_path: Path
) -> None:
    root = tmp_path / "repo"
    (root / ".dvc").mkdir(parents=True)
    (root / ".dvc/config").write_text(config)
    (root / ".dvc/config.local").write_text(local)

    found = repository.open_repository(root, ".")

    assert found.cache == (root / cache).resolve()
    assert {name: one.url for name, one in found.remotes.items()} == remotes
    if local:
        assert found.remotes["a"].options == {"profile": "me"}
        assert found.default == "a"
