"""January of the template flights: what the online store says at T is what was known at T."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pytest

from mlops_cli.features import instant, materialize, offline, publish, view
from mlops_cli.features.sqlite import SqliteStore
from mlops_cli.pipeline.model.amounts import duration
from mlops_cli.pipeline.model.pipeline import Pipeline
from mlops_cli.pipeline.reading.load import load

TEMPLATE = Path(__file__).parents[3] / "templates" / "flights"
INSTANTS = [datetime(2013, 1, 10, 12, 34, tzinfo=UTC), datetime(2013, 2, 1, 5, tzinfo=UTC)]


@pytest.fixture(scope="module")
def january(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Pipeline]:
    root = tmp_path_factory.mktemp("flights")
    for name in ("pipeline.yaml", "params.yaml"):
        shutil.copy(TEMPLATE / name, root)
    shutil.copytree(TEMPLATE / "src", root / "src")
    for name in ("flights", "weather"):
        (root / "data" / name).mkdir(parents=True)
        shutil.copy(TEMPLATE / "data" / name / "2013-01.parquet", root / "data" / name)
    return root, load(root)


@pytest.mark.parametrize(
    "name", ["weather_at_origin", "carrier_history", "route_history", "airport_now"]
)
def test_every_entity_of_january_is_served_as_it_was_known(
    january: tuple[Path, Pipeline], name: str, tmp_path: Path
) -> None:
    root, pipeline = january
    spec = pipeline.features[name]
    source = pipeline.data[spec.source.removeprefix("data.")]
    values = materialize.build(name, spec, source, root=root).values
    keys = values.select(list(spec.entity)).group_by(list(spec.entity)).aggregate([])
    strangers = pa.table({column: ["ZZZ"] for column in spec.entity})
    keys = pa.concat_tables([keys, strangers])
    entities = list(zip(*(keys.column(one).to_pylist() for one in spec.entity), strict=True))
    ttl = None if spec.ttl is None else instant.span(duration(spec.ttl))
    store = SqliteStore(tmp_path)
    for when in INSTANTS:
        moment = instant.of(when)
        store.publish(publish.snapshot(name, spec, values, at=moment, source="january"))
        read = store.read(name, entities, at=[moment] * len(entities), ttl=ttl)
        spine = keys.append_column("when", pa.array([when] * len(entities)))
        joined = offline.join(spine, time="when", views=[(name, spec, values)])
        columns = [joined.column(one).to_pylist() for one in view.columns(name, spec)]
        assert [found.values for found in read] == list(zip(*columns, strict=True))
        assert read[-1].missing == "unknown"
    assert sum(found.missing is None for found in read) >= 3
    store.close()
