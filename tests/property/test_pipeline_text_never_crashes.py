"""Any text is a pipeline, or is refused with a place; the same text always gives the same graph."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlops_cli.encode import canonical_json
from mlops_cli.errors import ConfigError
from mlops_cli.pipeline.graph.opening import open_graph
from mlops_cli.pipeline.model.plain import to_plain
from mlops_cli.pipeline.words import document

WORDS = st.sampled_from(
    [
        "version",
        "steps",
        "cmd",
        "deps",
        "outs",
        "data",
        "path",
        "train",
        "a",
        "out/a",
        "1",
        "[",
        "{",
    ]
)
SCALARS = st.one_of(
    st.text(max_size=8), st.integers(), st.floats(), st.booleans(), st.none(), WORDS
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(WORDS | st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=12,
)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("project")


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(value=st.dictionaries(WORDS, VALUES, max_size=4))
def test_any_value_is_taken_or_refused_with_a_place(root: Path, value: object) -> None:
    import yaml

    (root / "pipeline.yaml").write_text(yaml.safe_dump(value, allow_unicode=True), encoding="utf-8")
    try:
        first = open_graph(root)
    except ConfigError as error:
        assert error.message.startswith("pipeline.yaml:"), error.message
        return
    plain = [to_plain(step) for step in first.steps.values()]
    assert canonical_json(plain) == canonical_json(
        [to_plain(step) for step in open_graph(root).steps.values()]
    )


@settings(max_examples=150, deadline=None)
@given(text=st.text(max_size=200))
def test_any_text_is_yaml_or_refused(text: str) -> None:
    try:
        data = text.encode()
    except UnicodeEncodeError:
        return
    try:
        document.plain(document.parse(data, name="pipeline.yaml"))
    except ConfigError as error:
        assert error.code in ("malformed-yaml", "duplicate-key", "wrong-type")
