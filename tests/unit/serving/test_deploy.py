"""Deployments: what is desired is in git, what is served is asked of the server."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from serving_world import World, deployment

from mlops_cli.errors import IntegrityError, NotFound, StateRefused
from mlops_cli.pipeline.model.serving import Challenger, ServingLimits
from mlops_cli.serving import deploy, environment
from mlops_cli.store.digest import Digest


def log(world: World) -> list[str]:
    words = ["git", "log", "--format=%s"]
    done = subprocess.run(words, cwd=world.root, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def served(world: World) -> object:
    answer = deploy.look(world.parts, "prod").answer
    return answer["version"] if answer else None


def test_a_deployment_switches_and_rolls_back_in_one_command_each(world: World) -> None:
    world.promote(world.register(0.0))
    first = deploy.apply(world.parts, "prod", deployment())
    assert (first.plan.action, served(world)) == ("start", 1)
    world.promote(world.register(1.0))
    second = deploy.apply(world.parts, "prod", deployment())
    assert (second.plan.action, served(world)) == ("switch", 2)
    assert second.running.pid == first.running.pid
    back = deploy.roll_back(world.parts, "prod", reason="it was late")
    assert served(world) == 1
    assert back.running.pid == first.running.pid
    assert log(world) == [
        "deploy: prod back to delay v1",
        "deploy: delay v2 to prod",
        "deploy: delay v1 to prod",
        "start",
    ]
    actions = {record["action"]: record for record in world.records("deployment")}
    assert set(actions) == {"deploy", "switch", "rollback"}
    assert actions["deploy"]["former"] is None
    assert actions["switch"]["former"] == actions["deploy"]["digest"]
    assert actions["rollback"]["reason"] == "it was late"
    written = environment.read(world.root, "prod")
    assert written is not None
    assert (written.champion.version, written.former) == (1, ())
    assert world.git.dirty() == []


def test_nothing_to_do_makes_no_commit_and_no_record(world: World) -> None:
    world.promote(world.register(0.0))
    deploy.apply(world.parts, "prod", deployment())
    again = deploy.apply(world.parts, "prod", deployment())
    assert (again.plan.action, again.record, again.commit) == ("none", None, None)
    assert len(log(world)) == 2
    assert len(world.records("deployment")) == 1


def test_a_version_that_was_rolled_back_does_not_sneak_in_again(world: World) -> None:
    world.promote(world.register(0.0))
    deploy.apply(world.parts, "prod", deployment())
    world.promote(world.register(1.0))
    deploy.apply(world.parts, "prod", deployment())
    deploy.roll_back(world.parts, "prod")
    with pytest.raises(StateRefused) as refused:
        deploy.apply(world.parts, "prod", deployment())
    assert refused.value.code == "rolled-back"
    with pytest.raises(StateRefused, match="no former version"):
        deploy.roll_back(world.parts, "prod")
    assert deploy.apply(world.parts, "prod", deployment(), force=True).plan.changes
    assert served(world) == 2


def test_a_plan_changes_nothing_and_gives_its_reasons(world: World) -> None:
    world.promote(world.register(0.0))
    shadowed = deployment(challengers=(Challenger("delay@staging"),))
    made = deploy.plan_for(world.parts, "prod", shadowed)
    assert [change.sentence for change in made.changes] == [
        "server: start it, it is stopped.",
        "champion: delay v1, the first.",
    ]
    assert made.notes == ("challenger delay@staging has no version yet and is left out.",)
    assert environment.read(world.root, "prod") is None
    assert log(world) == ["start"]


def test_another_name_for_the_same_version_is_a_change_of_git_alone(world: World) -> None:
    world.promote(world.register(0.0))
    first = deploy.apply(world.parts, "prod", deployment())
    second = deploy.apply(world.parts, "prod", deployment(model="delay@v1"))
    (change,) = second.plan.changes
    assert change.sentence == "champion: still delay v1, now called delay@v1."
    assert second.running.pid == first.running.pid
    assert world.git.dirty() == []


def test_limits_change_without_a_restart(world: World) -> None:
    world.promote(world.register(0.0))
    first = deploy.apply(world.parts, "prod", deployment())
    fewer = deployment(limits=ServingLimits(rows=1))
    second = deploy.apply(world.parts, "prod", fewer)
    assert [change.what for change in second.plan.changes] == ["limits"]
    assert second.running.pid == first.running.pid


def test_a_model_that_fails_its_golden_rows_is_never_switched_to(world: World) -> None:
    world.promote(world.register(0.0))
    deploy.apply(world.parts, "prod", deployment())

    def spoil(folder: Path) -> None:
        import pyarrow as pa

        with pa.ipc.open_file(folder / "golden.arrow") as reader:
            table = reader.read_all()
        wrong = pa.array([0.5] * table.num_rows, pa.float32())
        with pa.ipc.new_file(folder / "golden.arrow", table.schema) as writer:
            writer.write_table(table.set_column(4, "probability", wrong))

    world.promote(world.register(2.0, spoil=spoil))
    with pytest.raises(IntegrityError) as refused:
        deploy.apply(world.parts, "prod", deployment())
    assert refused.value.code == "golden-mismatch"
    assert served(world) == 1
    assert len(log(world)) == 2


def test_a_damaged_bundle_in_the_cache_is_refused_by_name(world: World) -> None:
    world.promote(world.register(0.0))
    version = world.registry.resolve("delay@v1")
    path = world.cache.objects.path(version.digest)
    path.chmod(0o644)
    path.write_bytes(b"\0" + path.read_bytes()[1:])
    with pytest.raises(IntegrityError) as refused:
        deploy.apply(world.parts, "prod", deployment())
    assert refused.value.code == "damaged-object"
    assert version.digest in str(refused.value)
    assert environment.read(world.root, "prod") is None


def test_a_bundle_that_somebody_changed_on_disk_is_taken_from_the_cache_again(
    world: World,
) -> None:
    world.promote(world.register(0.0))
    deploy.apply(world.parts, "prod", deployment())
    deploy.stop(world.parts, "prod")
    (model,) = (world.root / ".mlops/serving/bundles").glob("*/model.onnx")
    model.write_bytes(b"something else")
    deploy.apply(world.parts, "prod", deployment())
    assert served(world) == 1
    assert Digest.of(model.read_bytes()) == world.registry.resolve("delay@v1").digest


def test_a_killed_server_is_told_and_apply_starts_it_without_a_commit(world: World) -> None:
    world.promote(world.register(0.0))
    first = deploy.apply(world.parts, "prod", deployment()).running
    assert first.pid is not None
    os.kill(first.pid, signal.SIGKILL)
    while deploy.look(world.parts, "prod").state == "running":
        pass
    assert deploy.look(world.parts, "prod").state == "died"
    again = deploy.apply(world.parts, "prod", deployment())
    assert (again.plan.action, again.commit) == ("start", None)
    assert served(world) == 1


def test_a_challenger_that_needs_other_inputs_is_refused_and_the_champion_stays(
    world: World,
) -> None:
    world.promote(world.register(0.0))
    deploy.apply(world.parts, "prod", deployment())

    def spoil(folder: Path) -> None:
        schema = json.loads((folder / "schema.json").read_text())
        schema["inputs"][1]["nullable"] = False
        (folder / "schema.json").write_text(json.dumps(schema))
        import pyarrow as pa

        with pa.ipc.open_file(folder / "golden.arrow") as reader:
            table = reader.read_all()
        with pa.ipc.new_file(folder / "golden.arrow", table.schema) as writer:
            writer.write_table(table.filter(pa.compute.is_valid(table["wind"])))

    world.promote(world.register(1.0, spoil=spoil), "staging")
    with pytest.raises(StateRefused) as refused:
        deploy.apply(world.parts, "prod", deployment(challengers=(Challenger("delay@staging"),)))
    assert refused.value.code == "challenger-inputs"
    assert served(world) == 1


def test_an_environment_nobody_deployed_is_not_found(world: World) -> None:
    for act in (deploy.stop, deploy.roll_back, deploy.look):
        with pytest.raises(NotFound, match="nothing was ever deployed"):
            act(world.parts, "prod")


def test_a_clone_without_a_server_deploys_what_git_says(world: World) -> None:
    world.promote(world.register(0.0))
    made = deploy.apply(world.parts, "prod", deployment())
    deploy.stop(world.parts, "prod")
    written = environment.read(world.root, "prod")
    assert written is not None
    text = (world.root / environment.path("prod")).read_text()
    assert environment.parse(text, source="x") == written == made.plan.environment
    assert replace(written, since="") != written


def test_what_a_merge_left_undecided_is_not_deployed(world: World) -> None:
    world.promote(world.register(0.0))
    deploy.apply(world.parts, "prod", deployment())
    file = world.root / environment.path("prod")
    with file.open("a") as handle:
        handle.write("theirs:\n  version: 1\n")
    before = file.read_bytes()
    with pytest.raises(StateRefused) as refused:
        deploy.apply(world.parts, "prod", deployment())
    assert refused.value.code == "environment-undecided"
    assert file.read_bytes() == before
