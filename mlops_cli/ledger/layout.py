"""Where records lie: one file each on the ref of a writer, or folded, a line each in a segment.

    records/<2 digits>/<64 digits>.json      the record
    months/<yyyy-mm>.jsonl                   <64 digits> <writer> <record>, a line each
    folded                                   <tree> <writer>: the refs that all stand in months

On a branch that stands for the refs, each of these lies in a folder named as its ref is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from mlops_cli.errors import IntegrityError
from mlops_cli.ledger.record import Record, parse
from mlops_cli.vcs import refs
from mlops_cli.vcs.repo import Git

_RECORD = re.compile(r"(?:([^/]+)/)?records/([0-9a-f]{2})/(\2[0-9a-f]{62})\.json")
_SEGMENT = re.compile(rf"(?:{refs.SEGMENTS}/)?months/[^/]+\.jsonl")


@dataclass(slots=True)
class Found:
    """Records that were read, by digest, and what is wrong with those that are left out."""

    records: dict[str, Record] = field(default_factory=dict)
    damaged: dict[str, str] = field(default_factory=dict)
    count: int = 0

    def take(self, name: str, data: bytes | None, source: str) -> None:
        """Read the record `name` ("sha256:…") from its bytes; None: git lost them."""
        self.count += 1
        if data is None:
            self.damaged[name] = f"git has lost the bytes of the record {name} in {source}"
            return
        try:
            self.records[name] = parse(data, name=name, source=source)
        except IntegrityError as exc:
            self.damaged[name] = exc.message


def read(blobs: Iterable[tuple[str, bytes | None]], source: str, found: Found) -> None:
    """Read what the files (path, bytes) of the ref `source` hold; others than ours are let be."""
    for path, data in blobs:
        if one := _RECORD.fullmatch(path):
            found.take(f"sha256:{one[3]}", data, source)
        elif not is_segment(path):
            continue
        elif data is None:
            found.damaged[f"{source}:{path}"] = f"git has lost the bytes of {path} in {source}"
        else:
            for name, _, line in lines(data):
                found.take(name, line, f"{path} of {source}")


def is_ours(path: str) -> bool:
    """Tell whether records lie in the file `path` of a ref of the ledger."""
    return is_segment(path) or _RECORD.fullmatch(path) is not None


def is_segment(path: str) -> bool:
    """Tell whether many records lie in the file `path`."""
    return _SEGMENT.fullmatch(path) is not None


def lines(data: bytes) -> Iterator[tuple[str, str, bytes]]:
    """Yield digest, writer and bytes of the records in a segment, as it says they are."""
    for line in data.split(b"\n"):
        if line:
            name, _, rest = line.partition(b" ")
            writer, _, body = rest.partition(b" ")
            yield (
                f"sha256:{name.decode('ascii', 'replace')}",
                writer.decode("utf-8", "replace"),
                body,
            )


def record_path(digest: str) -> str:
    """Return where the record lies on the ref of its writer."""
    name = digest.removeprefix("sha256:")
    return f"records/{name[:2]}/{name}.json"


def look_up(git: Git, digests: Iterable[str]) -> Mapping[str, list[tuple[str, bytes]]]:
    """Return digest → (writer, bytes) wherever the ledger says to have the record; not hashed."""
    from mlops_cli.vcs import objects

    wanted = list(dict.fromkeys(digests))
    found: dict[str, list[tuple[str, bytes]]] = {name: [] for name in wanted}
    places = list(_places(git)) if wanted else []
    asked = [
        (name, writer, f"{place}{record_path(name)}") for name in wanted for writer, place in places
    ]
    for (name, writer, _), blob in zip(
        asked, objects.read(git, [where for _, _, where in asked]), strict=True
    ):
        if blob is not None:
            found[name].append((writer, blob.data))
    for data in segments(git) if not all(found.values()) else ():
        for name in wanted:
            if name.removeprefix("sha256:").encode() + b" " in data:
                found[name] += [(who, body) for one, who, body in lines(data) if one == name]
    return found


def segments(git: Git) -> Iterator[bytes]:
    """Yield the bytes of every segment that is here."""
    seen: set[str] = set()
    for ref, (_, tree) in refs.heads(git).items():
        if ref.endswith((f"/{refs.SEGMENTS}", f"/{refs.BRANCH}")) and tree not in seen:
            seen.add(tree)
            blobs = {
                path: oid for path, oid in refs.log_new(git, ref, None).items() if is_segment(path)
            }
            for _, data in refs.read_blobs(git, blobs):
                if data is not None:
                    yield data


def _places(git: Git) -> Iterator[tuple[str, str]]:
    """Yield each writer, and what precedes the path of a record of theirs for git."""
    for ref in refs.heads(git):
        writer = ref.rpartition("/")[2]
        if writer == refs.BRANCH:
            for name in git.run("ls-tree", "--name-only", ref).splitlines():
                yield name, f"{ref}:{name}/"
        elif writer != refs.SEGMENTS:
            yield writer, f"{ref}:"
