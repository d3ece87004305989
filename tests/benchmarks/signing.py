"""Signing and verifying a large model from the cache: what it takes besides reading it.

    python tests/benchmarks/signing.py [--mebibytes 2048] [--work DIR] [--repeat N] [--json]

The model is a safetensors file of random bytes in the cache, --mebibytes of them (4 GiB of disk
while it is made). Signed is as `mlops register` does it: statements of model and run by an ssh key,
model.sig by a key of ECDSA, bundle, signed tag, record. Verified is every link with the bytes of
the bundle, as `mlops deploy` asks for it, and by `mlops verify --level refs`, a whole process.
What reading takes is timed where it happens, and beside it a plain SHA-256 of the same file in the
same process. CPU of all processes; wall clock in brackets.
Exit codes: 0 all goals met, 1 one was missed, 2 there is no result because a tool failed.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from measure import check, median, run

from mlops_cli import config
from mlops_cli.encode import readable_json
from mlops_cli.ledger.index import open_index
from mlops_cli.ledger.record import Code, record
from mlops_cli.pipeline.traces.lock import Lock
from mlops_cli.project import Project, open_project
from mlops_cli.registry import protected, records, statement
from mlops_cli.registry.attestations import FILE as ATTESTATIONS
from mlops_cli.registry.chain.ground import Ground
from mlops_cli.registry.chain.link import Link, exit_code
from mlops_cli.registry.chain.walk import walk
from mlops_cli.registry.create import create
from mlops_cli.registry.modelsign import FILE as SIGNATURE
from mlops_cli.store.digest import Digest
from mlops_cli.store.tree import Entry
from mlops_cli.training import bundle as bundles
from mlops_cli.training import provenance, vouching
from mlops_cli.training.action import work

GOALS = {"sign": 0.2, "verify": 0.2}  # seconds besides reading
MODEL = "model.safetensors"
BLOCK = 32 << 20
WHEN = datetime(2013, 2, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Spent:
    """Seconds of CPU, of all processes, and by the clock."""

    cpu: float
    wall: float

    def __sub__(self, other: Spent) -> Spent:
        return Spent(self.cpu - other.cpu, self.wall - other.wall)

    def __add__(self, other: Spent) -> Spent:
        return Spent(self.cpu + other.cpu, self.wall + other.wall)


@dataclass(frozen=True)
class Timed(Ground):
    """A ground that knows what it took to read the bytes of the model."""

    model: str = ""
    took: list[Spent] = field(default_factory=list)

    def read(self, link: Link) -> str | None:
        """Read as any ground does, with a clock beside the one large file."""
        if link.digest != self.model:
            return Ground.read(self, link)
        self.took.append(spent(lambda: Ground.read(self, link)))
        return None


def spent(do: Callable[[], object]) -> Spent:
    """Return what `do` took."""
    before = _now()
    do()
    return _now() - before


def _now() -> Spent:
    both = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return Spent(sum(one.ru_utime + one.ru_stime for one in both), time.perf_counter())


def project_in(root: Path) -> Project:
    """Return a project that signs all, and whose protected branch lists both keys."""
    root.mkdir()
    keys = root.parent / "keys"
    keys.mkdir()
    for name, kind in (("ada", "ed25519"), ("model", "ecdsa")):
        words = ("ssh-keygen", "-q", "-N", "", "-C", "", "-t", kind, "-f", str(keys / name))
        subprocess.run(words, check=True)
    for words in (
        ("init", "-q", "-b", "main"),
        ("config", "user.name", "Ada"),
        ("config", "user.email", "ada@example.org"),
        ("config", "gpg.format", "ssh"),
        ("config", "user.signingkey", str(keys / "ada")),
        ("config", "tag.gpgsign", "true"),
    ):
        subprocess.run(["git", *words], cwd=root, check=True)
    (root / ".mlops").mkdir()
    (root / ".mlops/config.yaml").write_text(f"signing: {{model_key: {keys / 'model'}}}\n")
    listed = ((keys / f"{name}.pub").read_text() for name in ("ada", "model"))
    (root / ".mlops/allowed_signers").write_text("".join(f"ada@example.org {k}" for k in listed))
    (root / ".gitignore").write_text(".mlops/cache\n.mlops/spool\n.mlops/index*\n.mlops/stat*\n")
    subprocess.run(["git", "add", "-A"], cwd=root, check=True)
    subprocess.run(["git", "commit", "-q", "-m", "begin"], cwd=root, check=True)
    return open_project(root, config.load(root, environment={}, home=root.parent))


def kept(project: Project, size: int) -> Entry:
    """Return the model, a sound safetensors file of random bytes, as it is in the cache."""
    tensor = {"dtype": "U8", "shape": [size], "data_offsets": [0, size]}
    head = json.dumps({"w": tensor}).encode()
    path = project.root / MODEL
    with open(path, "wb") as file:
        file.write(len(head).to_bytes(8, "little") + head)
        for start in range(0, size, BLOCK):
            file.write(os.urandom(min(BLOCK, size - start)))
    digest, length = project.cache.put_file(path), path.stat().st_size
    path.unlink()
    return Entry(MODEL, "file", digest, length)


def signed(project: Project, name: str, model: Entry) -> None:
    """Make `model` a version of `name`, signed in every way, as `mlops register` does."""
    parts = work(project)
    made = bundles.Bundle(project.cache, {MODEL: model})
    out = {f"out/{name}/model": model.digest}
    (run_of,) = parts.ledger.append(
        record("run", time=WHEN, actor="Ada <ada@example.org>", code=Code(None), run=name,
               step=f"train.{name}", step_kind="train", key=str(Digest.of(name.encode())),
               status="done", started=WHEN, seconds=1.0, inputs={}, outputs=out)
    )  # fmt: skip
    commit = project.git.head().commit
    locks = {f"train.{name}": Lock(f"train.{name}", str(run_of), {}, {}, {}, {})}
    files = {MODEL: model.digest}
    said = provenance.statement(files, locks, train=name, commit=commit, run=str(run_of))
    more = {statement.FILE: readable_json(said).encode()}
    with open_index(project.git) as index:
        more |= vouching.vouched(parts, index, made, more, name=name, runs=(str(run_of),))
    payload = {
        "digest": model.digest,
        "bundle": bundles.stored(made, more),
        "format": "safetensors",
        "run": run_of,
        "created": WHEN.isoformat(),
        "actor": str(project.git.identity()),
        "attestation": Digest.of(more[ATTESTATIONS]),
        "signature": Digest.of(more[SIGNATURE]),
        "dirty": [f".mlops/lock/train.{name}.json"],  # no step ran: there is none to commit
    }
    create(parts.registry, name, payload)
    records.settle(parts.registry, parts.ledger, name)


def verified(project: Project, name: str, model: Entry) -> tuple[Spent, Spent]:
    """Walk the chain with the bytes of the bundle; return what it took besides reading the model,
    and what reading took."""
    allowed = protected.branch(project.git, project.settings).allowed()
    ground = Timed(project.git, project.cache, "bundle", allowed, model=str(model.digest))
    links: list[Link] = []
    whole = spent(lambda: links.extend(walk(ground, f"{name}@v1")))
    states = {link.kind: link.state for link in links}
    check(exit_code(links) == 0, f"the chain does not hold: {links}")
    wanted = ("version", "bundle", "model", "attestation", "signature", "run")
    check(all(states[kind] == "ok" for kind in wanted), f"not all was looked at: {states}")
    (reading,) = ground.took
    return whole - reading, reading


def hashed(path: Path) -> None:
    """Hash the file by hashlib alone."""
    sha, block = hashlib.sha256(), bytearray(1 << 20)
    with open(path, "rb", buffering=0) as file:
        while count := file.readinto(block):
            sha.update(memoryview(block)[:count])
    check(path.parent.name + path.name == sha.hexdigest(), "the cache has other bytes")


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--mebibytes", type=int, default=2048)
    parser.add_argument("--work", type=Path)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    found: dict[str, list[Spent]] = {what: [] for what in (*GOALS, "reading", "sha256 alone")}
    with tempfile.TemporaryDirectory(prefix="signing-", dir=args.work) as place:
        project = project_in(Path(place) / "project")
        model = kept(project, args.mebibytes << 20)
        for n in range(args.repeat):
            name = f"big{n}"
            found["sign"].append(spent(lambda name=name: signed(project, name, model)))
            rest, reading = verified(project, name, model)
            found["verify"].append(rest)
            found["reading"].append(reading)
            path = project.cache.objects.path(model.digest)
            found["sha256 alone"].append(spent(lambda path=path: hashed(path)))
        words = [str(Path(sys.executable).with_name("mlops")), "verify", "big0@v1"]
        whole = [run([*words, "--level", "refs"], project.root) for _ in range(args.repeat)]
    rows = {
        what: Spent(*(statistics.median(getattr(one, each) for one in taken)
                      for each in ("cpu", "wall")))
        for what, taken in found.items()
    }  # fmt: skip
    rows["verify --level refs, whole process"] = Spent(median(whole, "cpu"), median(whole, "wall"))
    missed = [what for what, goal in GOALS.items() if rows[what].cpu > goal]
    if args.json:
        shown: dict[str, Any] = {what: [one.cpu, one.wall] for what, one in rows.items()}
        print(json.dumps({"found": shown, "missed": missed}))
    else:
        for what, one in rows.items():
            text = f"{what:36} {one.cpu:8.3f} s of CPU ({one.wall:.3f} s)"
            print(text + ("  missed" if what in missed else ""))
    return 1 if missed else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except subprocess.SubprocessError as problem:
        print(f"no result: {problem}", file=sys.stderr)
        sys.exit(2)
