"""Make the fixtures in tests/formats/dvc with the real DVC: how they came about, and how again.

    python tests/formats/make_dvc.py path/to/dvc-3.67/bin/dvc tests/formats/dvc/v3.tar.gz
    python tests/formats/make_dvc.py path/to/dvc-2.58/bin/dvc tests/formats/dvc/v2.tar.gz

An archive holds the repository as git would (without .git), the cache and the remote of DVC, and
`manifest.json`: the SHA-256 of every file that DVC tracks. Of the data itself only `text/` lies in
it, where before DVC 3 the cache kept one of two files that differ in their line ends.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

PIPELINE = """\
vars:
  - sizes: [1, 2]
  - models: {tree: {depth: 3}, line: {depth: 1}}
stages:
  prep:
    desc: the first one
    cmd:
      - python3 src/prep.py data/raw/a.csv ${prep.rows}
      - 'echo "{\\"rows\\": ${prep.rows}}" > metrics.json'
    deps: [data/raw, src/prep.py]
    params: [prep]
    outs: [prepared.csv]
    metrics:
      - metrics.json: {cache: false}
  head:
    foreach: ${sizes}
    do:
      cmd: head -n ${item} prepared.csv > heads/${item}.csv
      deps: [prepared.csv]
      outs: ["heads/${item}.csv"]
  fit:
    foreach: ${models}
    do:
      cmd: mkdir -p models/${key} && echo ${item.depth} > models/${key}/depth
      deps: [prepared.csv]
      outs: ["models/${key}"]
"""
MATRIX = """\
  grid:
    matrix: {a: [x, y], b: ["${prep.rows}"]}
    cmd: echo ${item.a}-${item.b} > grid-${item.a}.txt
    outs: ["grid-${item.a}.txt"]
"""
BELOW = """\
stages:
  count:
    wdir: work
    cmd: wc -c < ../../prepared.csv > size
    deps: [../../prepared.csv]
    outs: [size]
"""
PREP = """\
import sys
lines = open(sys.argv[1], newline="").read().splitlines(True)
open("prepared.csv", "w", newline="").writelines(lines[: int(sys.argv[2])])
"""


def main(dvc: str, archive: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        top = Path(folder)
        root = top / "repo"
        root.mkdir()
        version = subprocess.run([dvc, "--version"], capture_output=True, text=True, check=True)
        two = version.stdout.startswith("2.")
        home = {"HOME": folder, "DVC_NO_ANALYTICS": "1", "PATH": os.environ["PATH"]}

        def run(*words: str) -> None:
            subprocess.run(words, cwd=root, env=home, check=True)

        run("git", "init", "-q", "-b", "main")
        run("git", "config", "user.name", "Ada")
        run("git", "config", "user.email", "ada@example.org")
        run(dvc, "init", "-q")
        run(dvc, "remote", "add", "-q", "-d", "store", "../remote")
        for name, data in files().items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        (root / "model.bin").chmod(0o755)
        (root / ".dvcignore").write_text("*.tmp\n")
        (root / "params.yaml").write_text("prep: {rows: 2}\nlr: 1e-3\n")
        (root / "dvc.yaml").write_text(PIPELINE + ("" if two else MATRIX))
        (root / "below/work").mkdir(parents=True)
        (root / "below/dvc.yaml").write_text(BELOW)
        (root / "heads").mkdir()
        for name in ("data/raw", "model.bin", "big.bin", "text/crlf.txt", "text/lf.txt"):
            run(dvc, "add", "-q", name)
        run(dvc, "repro", "-q", "-P")
        run(dvc, "push", "-q")
        run("git", "add", "-A")
        listing = subprocess.run(
            ["git", "ls-files", "-z"], cwd=root, capture_output=True, check=True
        ).stdout.decode()
        in_git = [name for name in listing.split("\0") if name]
        outs = sorted(
            path.relative_to(root).as_posix()
            for path in root.rglob("*")
            if path.is_file() and ".git" not in path.parts and ".dvc" not in path.parts
        )
        manifest = {
            name: hashlib.sha256((root / name).read_bytes()).hexdigest()
            for name in outs
            if name not in in_git
        }
        (top / "manifest.json").write_text(json.dumps(manifest, indent=1, sort_keys=True))
        cache = [path.relative_to(top).as_posix() for path in (root / ".dvc/cache").rglob("*")]
        text = [name for name in manifest if name.startswith("text/")]
        with tarfile.open(archive, "w:gz") as tar:
            tar.add(top / "manifest.json", "manifest.json")
            tar.add(top / "remote", "remote")
            for name in sorted({*in_git, *text}):
                tar.add(root / name, f"repo/{name}")
            for name in cache:
                if "/runs" not in name:
                    tar.add(top / name, name, recursive=False)
        sys.stdout.write(f"{len(manifest)} files, {archive.stat().st_size} bytes\n")


def files() -> dict[str, bytes]:
    return {
        "data/raw/a.csv": b"1,2\r\n3,4\r\n5,6\r\n",
        "data/raw/sub/b.csv": b"x\n",
        "data/raw/empty": b"",
        "data/raw/\u00e4 \u00f6.txt": b"umlaut\n",
        "data/raw/-n": b"dash\n",
        "model.bin": bytes(range(256)) * 4,
        "big.bin": b"0123456789abcdef" * 12_500,
        "text/crlf.txt": b"one\r\ntwo\r\n",
        "text/lf.txt": b"one\ntwo\n",
        "src/prep.py": PREP.encode(),
    }


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]).absolute())
