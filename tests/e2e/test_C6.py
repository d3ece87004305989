"""C6, model registry: versions never change, an alias moves by an event in git with an author."""

from __future__ import annotations

from typing import Any


def test_a_promotion_is_an_annotated_tag_with_author_reason_and_evidence(
    trained_project: Any,
) -> None:
    made = trained_project.mlops("register", "storm")
    assert (made["version"], made["created"]) == (2, True)
    assert trained_project.mlops("register", "storm")["created"] is False, "the same is the same"
    moved = trained_project.mlops("promote", "storm@v2", "staging", "--reason", "it knows wind")
    assert moved["moved"] and all(rule["passed"] for rule in moved["rules"])
    tag = trained_project.git("cat-file", "-p", f"refs/tags/{moved['tag']}")
    assert "tagger Ada Lovelace" in tag and "it knows wind" in tag
    assert trained_project.git("tag", "--list", "mlops/storm/*").splitlines() == [
        "mlops/storm/@staging/1",
        "mlops/storm/v1",
        "mlops/storm/v2",
    ]


def test_a_gate_that_is_closed_moves_nothing(trained_project: Any) -> None:
    refused = trained_project.mlops("promote", "storm@v1", "staging", code=30)
    assert refused["code"] == "gate-refused"
    assert trained_project.git("tag", "--list", "mlops/storm/@*") == ""


def test_a_model_whose_bytes_changed_is_named_and_never_served(project: Any) -> None:
    version = project.mlops("models", "show", "delay@production")
    hex_ = version["digest"].removeprefix("sha256:")
    place = project.root / ".mlops/cache/objects" / hex_[:2] / hex_[2:]
    data = bytearray(place.read_bytes())
    data[len(data) // 2] ^= 1
    place.chmod(0o644)
    place.write_bytes(data)
    found = project.mlops("verify", "delay@production", code=40)
    assert {link["kind"] for link in found["links"] if link["wrong"]} >= {"model"}
    for unpacked in (project.root / ".mlops/serving").rglob("model.onnx"):
        unpacked.unlink()
    refused = project.mlops("deploy", "apply", "prod", code=40)
    assert version["digest"] in str(refused)
