"""What lock files pin, what kinds of steps and docstrings have to do with keys."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlops_cli import plugins
from mlops_cli.errors import ConfigError
from mlops_cli.pipeline.keys.code import changed, closure
from mlops_cli.pipeline.keys.key import key
from mlops_cli.pipeline.keys.lockfile import digest, form, pinned
from mlops_cli.pipeline.planning.differences import differences
from mlops_cli.pipeline.step import Step

UV = """\
version = 1
revision = 2
requires-python = ">=3.11"

[[package]]
name = "tiny"
version = "1.0"
source = { registry = "https://pypi.org/simple" }
sdist = { url = "https://a/tiny.tar.gz", hash = "sha256:aa", size = 9, upload-time = "2023-01-07" }
wheels = [
    { url = "https://a/tiny.whl", hash = "sha256:bb", size = 9 },
]

[[package]]
name = "p"
version = "0"
source = { virtual = "." }
dependencies = [{ name = "tiny" }]

[package.dev-dependencies]
dev = [{ name = "other", marker = "sys_platform == 'win32'" }]
"""
PYLOCK = """\
lock-version = "1.0"
created-by = "uv"

[[packages]]
name = "tiny"
version = "1.0"
marker = "python_version >= '3.11'"
index = "https://pypi.org/simple"
wheels = [{ url = "https://a/t.whl", upload-time = 2023-01-07, hashes = { sha256 = "bb" } }]

[[packages]]
name = "git"
vcs = { type = "git", url = "https://a/git", requested-revision = "main", commit-id = "c0ffee" }
"""
CONDA = """\
version: 1
metadata: {time_metadata: {created_at: 2023-01-07}}
package:
- {name: tiny, version: '1.0', manager: conda, platform: linux-64, url: https://a/tiny.conda,
   hash: {md5: aa, sha256: bb}, category: main, optional: false}
- {name: python, version: 3.11.7, manager: conda, platform: linux-64, hash: {md5: cc}}
"""
LOCKS = {"uv.lock": UV, "pylock.gpu.toml": PYLOCK, "env/conda-lock.yml": CONDA}


@pytest.mark.parametrize("name", LOCKS)
def test_where_and_when_a_package_was_fetched_is_not_in_the_key(name: str, tmp_path: Path) -> None:
    text = LOCKS[name]
    other = text.replace("https://a/", "https://mirror/").replace("2023-01-07", "2024-02-29")
    other = other.replace("pypi.org", "mirror").replace("created-by = ", "# by hand\ncreated-by = ")
    other = other.replace("size = 9", "size = 10").replace("revision = 2", "revision = 3")
    assert other != text
    one = digest(text.encode(), name, cache=tmp_path)
    assert digest(other.encode(), name, cache=tmp_path) == one
    assert digest(text.encode(), name, cache=tmp_path) == one, "as it was remembered"


@pytest.mark.parametrize("name", LOCKS)
@pytest.mark.parametrize("change", [("1.0", "1.1"), ("bb", "bc"), ("tiny", "tinier")])
def test_another_package_version_or_hash_is_another_environment(
    name: str, change: tuple[str, str]
) -> None:
    text = LOCKS[name]
    assert digest(text.encode(), name) != digest(text.replace(*change).encode(), name)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("uv.lock", ("sys_platform == 'win32'", "sys_platform == 'linux'")),
        ("uv.lock", ('{ name = "tiny" }', "")),
        ("pylock.gpu.toml", ("c0ffee", "decade")),
        ("pylock.gpu.toml", (">= '3.11'", ">= '3.12'")),
        ("env/conda-lock.yml", ("linux-64", "osx-arm64")),
    ],
)
def test_what_decides_which_packages_are_installed_counts(
    name: str, change: tuple[str, str]
) -> None:
    assert pinned(LOCKS[name].encode(), name) != pinned(LOCKS[name].replace(*change).encode(), name)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("uv.lock", "<<<<<<< HEAD\n"),
        ("pylock.toml", "a = 1\n"),
        ("conda-lock.yml", "{"),
        ("conda-lock.yml", "[" * 100_000),
    ],
)
def test_a_lock_file_that_cannot_be_read_is_named(name: str, text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        digest(text.encode(), name)
    assert caught.value.code == "malformed-lock-file"
    assert name in caught.value.message


def test_files_are_told_apart_by_their_names() -> None:
    assert [form(name) for name in ("a/uv.lock", "pylock.toml", "x-conda-lock.yaml")] == [
        "uv",
        "pylock",
        "conda",
    ]
    assert (form("requirements.txt"), form("requirements.lock")) == ("requirements", "text")


def test_every_built_in_kind_states_the_revision_of_the_table() -> None:
    for kind in plugins.STEPS:
        assert plugins.load("mlops.steps", kind).revision == plugins.revision(kind), kind
    assert set(plugins.REVISIONS) <= set(plugins.STEPS)


def test_a_kind_that_makes_other_outputs_than_before_makes_old_ones_stale(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def made() -> dict[str, object]:
        nothing: dict[str, str] = {}
        step = Step("dataset.a", "dataset", outs=("out/a",))
        parts = key(
            step, inputs={}, params={}, code={}, environment={"python": "3.11"}, variables=nothing
        ).parts
        return dict(parts)

    before = made()
    assert "revision" not in before, "keys of before there were revisions stay valid"
    monkeypatch.setitem(plugins.REVISIONS, "dataset", 2)
    (reason,) = differences(before, made())
    assert reason.sentence() == "the way mlops makes a dataset step 1 → 2"


def test_a_docstring_is_code_as_programs_can_read_it(tmp_path: Path) -> None:
    (tmp_path / "f.py").write_text('def judge(text):\n    """Say yes or no."""\n')
    before = closure(tmp_path, ["f.py"])["f.py"]
    (tmp_path / "f.py").write_text('def judge(text):\n    """Say yes, no or maybe."""\n')
    assert changed(before, closure(tmp_path, ["f.py"])["f.py"]) == "function judge"
