"""The whole of pipeline.yaml, as frozen values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from mlops_cli.pipeline.model.data import FeatureView, Source
from mlops_cli.pipeline.model.monitoring import Monitor
from mlops_cli.pipeline.model.project import Env, ProjectInfo
from mlops_cli.pipeline.model.serving import Deployment
from mlops_cli.pipeline.model.steps import Include, StepDef
from mlops_cli.pipeline.model.training import Model, Train
from mlops_cli.pipeline.model.triggers import Limits, Trigger

# field of the model → the word in pipeline.yaml, where that word is taken in Python
SPELLED = {
    "source": "from",
    "one_of": "in",
    "for_": "for",
    "map_": "map",
    "with_": "with",
    "as_": "as",
}


@dataclass(frozen=True, slots=True)
class Pipeline:
    """The whole of pipeline.yaml, version 1."""

    version: int
    project: ProjectInfo
    env: Env = field(default_factory=Env)
    data: Mapping[str, Source] = field(default_factory=dict)
    features: Mapping[str, FeatureView] = field(default_factory=dict)
    steps: Mapping[str, StepDef] = field(default_factory=dict)
    train: Mapping[str, Train] = field(default_factory=dict)
    models: Mapping[str, Model] = field(default_factory=dict)
    deployments: Mapping[str, Deployment] = field(default_factory=dict)
    monitors: Mapping[str, Monitor] = field(default_factory=dict)
    triggers: Mapping[str, Trigger] = field(default_factory=dict)
    include: tuple[Include, ...] = ()
    limits: Limits = field(default_factory=Limits)
