"""pipeline.yaml: what it may say, and what every refusal tells."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlops_cli.errors import ConfigError, NotFound
from mlops_cli.pipeline.model.data import Window
from mlops_cli.pipeline.reading.load import load

WHOLE = """\
version: 1
project:
  name: flight-delays
  goal: Tell passengers.
  kpi: {metric: roc_auc, at_least: 0.62}
  task: binary
  owners: {business: operations}
env: {lock: requirements.lock}
data:
  flights:
    path: data/flights
    key: flight_id
    time: scheduled_departure
    label: {column: late, known_at: landed_at}
    checks:
      distance: {type: float, min: 0, nulls: 0}
      carrier: {type: string, in: [AA, NO, 9E]}
      rows: {min: 1000}
      fresh_within: 40d
  weather: {path: data/weather.parquet, key: [origin, observed_at], time: observed_at}
features:
  weather_at_origin:
    entity: origin
    from: data.weather
    time: observed_at
    ttl: 3h
    transform: src/features.py:weather
    fields: {temperature: float}
    checks: {temperature: {min: -40, max: 50}, on_fail: quarantine}
    online: true
  carrier_history:
    entity: [carrier, origin]
    from: data.flights
    time: landed_at
    windows: {late_rate: {mean: late, over: [7d, 28d]}}
steps:
  clean:
    cmd: python src/clean.py
    deps: [data.flights, src/clean.py]
    params: [params.yaml:clean]
    outs: [data/clean.parquet]
train:
  delay:
    dataset:
      spine: data.flights
      features: [weather_at_origin, carrier_history]
      columns: [distance]
      split: {by: time, validate: 15%, test: 0.2, seed: 7}
    code: src/train.py:train
    params: params.yaml:train
    metrics: [roc_auc, log_loss]
models:
  delay:
    from: train.delay
    aliases:
      staging: {gates: [metrics.roc_auc >= 0.58, parity, golden]}
      production:
        gates: [staging, {better_than: production, on: roc_auc}, clean_tree]
deployments:
  prod:
    model: delay@production
    challengers: [{model: delay@staging, mode: shadow}]
    limits: {body: 8MiB, rows: 10000}
monitors:
  prod:
    deployment: prod
    window: {size: 7d}
    performance: {metric: roc_auc}
    retrain:
      when: [performance_drop, {drift: important, for: 2}, {schedule: "0 3 1 * *"}]
triggers:
  monitor: {cron: "17 * * * *", run: monitor.prod}
  fresh: {on: new_data, of: data.flights, run: train.delay}
limits: {concurrency: 1}
"""


def write(root: Path, text: str) -> Path:
    (root / "pipeline.yaml").write_text(text)
    return root


def refusal(root: Path, text: str) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        load(write(root, text))
    return caught.value


def test_a_whole_pipeline_becomes_the_model(tmp_path: Path) -> None:
    pipeline = load(write(tmp_path, WHOLE))
    flights = pipeline.data["flights"]
    assert flights.key == ("flight_id",)
    assert flights.rows == {"min": 1000}
    assert flights.fresh_within == "40d"
    assert list(flights.checks) == ["distance", "carrier"]
    assert pipeline.features["weather_at_origin"].source == "data.weather"
    assert pipeline.features["weather_at_origin"].on_fail == "quarantine"
    assert pipeline.features["carrier_history"].windows == {
        "late_rate": Window(over=("7d", "28d"), mean="late")
    }
    split = pipeline.train["delay"].dataset.split
    assert (split.validate, split.test, split.seed) == (0.15, 0.2, 7)
    assert pipeline.models["delay"].aliases["production"].gates[1] == {
        "better_than": "production",
        "on": "roc_auc",
    }
    assert pipeline.triggers["fresh"].on == "new_data"


def test_plain_words_stay_words(tmp_path: Path) -> None:
    """YAML 1.1 reads NO as false, 12:30 as 750 and 1e-3 as text; we do not."""
    pipeline = load(write(tmp_path, WHOLE))
    assert pipeline.data["flights"].checks["carrier"].one_of == ("AA", "NO", "9E")


def test_a_command_may_look_like_a_boolean(tmp_path: Path) -> None:
    text = "version: 1\nproject: {name: p}\nsteps:\n  a: {cmd: true, outs: [out/a]}\n"
    assert load(write(tmp_path, text)).steps["a"].cmd == "true"


@pytest.mark.parametrize(
    ("old", "new", "code", "hint"),
    [
        ("  kpi: {", "  kpis: {", "unknown-key", "'kpi'"),
        ("    key: flight_id", "    keys: flight_id", "unknown-key", "'key'"),
        ("ttl: 3h", "ttl: soon", "wrong-value", None),
        ("min: 0, nulls", "min: low, nulls", "wrong-type", None),
        ("    path: data/flights\n", "    path: [a, b]\n", "wrong-type", None),
        ("path: data/flights", "path: ../flights", "path-outside-project", "without '..'"),
        ("path: data/flights", "path: /etc/passwd", "path-outside-project", "without '..'"),
        ("path: data/flights", "path: s3://b/flights", "path-outside-project", "mlops add"),
        ("outs: [data/clean", "outs: [.mlops/clean", "reserved-path", "out/"),
        (
            "clean.py\n    deps",
            "clean.py ${params.yaml:lr}\n    deps",
            "unknown-reference",
            "${params.lr}",
        ),
        ("from: data.weather", "from: data.wether", "unknown-reference", "data.weather"),
        ("spine: data.flights", "spine: data.fligths", "unknown-reference", "data.flights"),
        ("carrier_history]", "carrier_histroy]", "unknown-reference", "carrier_history"),
        ("from: train.delay", "from: train.dely", "unknown-reference", "train.delay"),
        ("delay@production", "delay@produktion", "unknown-reference", "production"),
        ("delay@production", "dely@production", "unknown-reference", "delay"),
        ("deployment: prod", "deployment: prd", "unknown-reference", "prod"),
        ("run: monitor.prod", "run: monitor.pod", "unknown-reference", "monitor.prod"),
        ("[staging, {", "[stagging, {", "unknown-reference", "staging"),
        ("[roc_auc, log_loss]", "[roc_auc, rmse]", "metric-does-not-fit-task", "roc_auc"),
        ("on: roc_auc}", "on: mae}", "metric-does-not-fit-task", None),
        ("metric: roc_auc, at", "metric: rmse, at", "metric-does-not-fit-task", None),
        ("validate: 15%", "validate: 95%", "wrong-value", "leave rows"),
        ("src/train.py:train", "src/train.py", "wrong-value", ":name"),
        ("task: binary", "task: binray", "wrong-value", "'binary'"),
        ("version: 1", "version: 2", "wrong-value", "newer mlops"),
        ("  weather: {path", "  flights: {path", "duplicate-key", "line 10"),
        ("task: binary", "task: !!python/name:os.system", "malformed-yaml", "remove it"),
        ("  weather: {path", "  we ather: {path", "wrong-value", "letters"),
        ("when: [performance_drop", "when: [performance_dorp", "unknown-reference", "drop"),
    ],
)
def test_every_refusal_names_file_line_and_what_was_meant(
    tmp_path: Path, old: str, new: str, code: str, hint: str | None
) -> None:
    assert old in WHOLE
    error = refusal(tmp_path, WHOLE.replace(old, new, 1))
    assert error.code == code, error.message
    line = 1 + WHOLE[: WHOLE.index(old)].count("\n")
    place = f"pipeline.yaml:{line}:{error.details['column']}"
    assert error.message.startswith(place + ": ")
    assert (error.details["file"], error.details["line"]) == ("pipeline.yaml", line)
    if hint is not None:
        assert hint in (error.hint or "") + error.message


@pytest.mark.parametrize(
    ("old", "new", "code", "place"),
    [
        ("    label: {column: late, known_at: landed_at}\n", "", "label-missing", "44:14"),
        ("  name: flight-delays\n", "", "missing-key", "3:3"),
        ("project:\n", "project: {\n", "malformed-yaml", "4:"),
        ("    cmd: python src/clean.py\n", "", "missing-key", "38:5"),
    ],
)
def test_what_is_not_there_is_told_where_it_would_stand(
    tmp_path: Path, old: str, new: str, code: str, place: str
) -> None:
    error = refusal(tmp_path, WHOLE.replace(old, new, 1))
    assert error.code == code
    assert error.message.startswith("pipeline.yaml:" + place), error.message


def test_a_missing_pipeline_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(NotFound) as caught:
        load(tmp_path)
    assert caught.value.hint == "mlops init"


def test_a_link_that_leads_out_of_the_project_is_refused(tmp_path: Path) -> None:
    root = tmp_path / "project"
    root.mkdir()
    (root / "data").symlink_to(tmp_path)
    assert refusal(root, WHOLE).code == "path-outside-project"


@pytest.mark.parametrize(
    "text",
    ["[" * 2000, "a: &x [*x]", "\xff", "a: b: c", "- 1\n- 2\n", "42", "\t- x", "? [a]\n: b"],
)
def test_hostile_text_is_refused_and_never_crashes(tmp_path: Path, text: str) -> None:
    (tmp_path / "pipeline.yaml").write_bytes(text.encode("latin-1"))
    with pytest.raises(ConfigError) as caught:
        load(tmp_path)
    assert caught.value.code in ("malformed-yaml", "wrong-type", "unknown-key")
