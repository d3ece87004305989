"""Ledgers of writers who write no more, folded into segments of a month: few refs, few bytes.

The segments are replaced by compare-and-swap, and only then the refs go whose records they hold,
each only if it is still what was read. A crash in between leaves records twice, which is once; of
two who fold at the same time one is first, and the other looks again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from mlops_cli.errors import StateRefused
from mlops_cli.ledger.layout import Found, is_ours, lines, read, segments
from mlops_cli.ledger.record import timestamp
from mlops_cli.vcs import ledger_branch, ledger_refs, refs
from mlops_cli.vcs.ledger_refs import FOLDED
from mlops_cli.vcs.repo import Git

TRIES = 20
LARGE = 16 << 20  # a month of more bytes is cut in sixteen


@dataclass(frozen=True, slots=True)
class Place:
    """Where the ledger is that is folded: on a git remote (on a branch there), or only here."""

    remote: str | None = None
    branch: str | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """What a fold would do: writer → (commit, tree), and the files of the segments afterwards."""

    writers: Mapping[str, tuple[str, str]]
    records: int
    left: Mapping[str, str] = field(default_factory=dict)  # writer → why it stays
    files: Mapping[str, bytes] = field(default_factory=dict)
    former: str | None = None  # the commit of the segments now

    @property
    def empty(self) -> bool:
        """Whether there is nothing to do."""
        return not self.writers


def fold(git: Git, place: Place, *, before: datetime, now: datetime) -> Plan:
    """Fold all writers whose newest record is from before `before`; return what was done.

    Raises OutsideWorld ("refs-refused", "git-failed"), StateRefused ("git-busy").
    """
    for _ in range(TRIES):
        refresh(git, place)
        planned = plan(git, place, before=before)
        if planned.empty or _carry_out(git, place, planned, now):
            return planned
    raise StateRefused("others kept changing the ledger", code="git-busy", hint="try again")


def refresh(git: Git, place: Place) -> None:
    """Ask the remote how its ledger stands."""
    if place.remote and place.branch:
        ledger_branch.fetch(git, place.remote, place.branch)
    elif place.remote:
        ledger_refs.fetch(git, place.remote)


def plan(git: Git, place: Place, *, before: datetime) -> Plan:
    """Return what would be folded, as far as is known here; changes nothing."""
    writers, former = _standing(git, place)
    changes = refs.changes(git, {name: (None, tree) for name, (_, tree) in writers.items()})
    found: dict[str, list[tuple[str, bytes]]] = {}
    left: dict[str, str] = {}
    for name, rows in changes.items():
        files = {path: oid for _, path, oid in rows}
        if not all(map(is_ours, files)):
            left[name] = "it holds files that are no records"
            continue
        told = Found()
        read(refs.read_blobs(git, files), name, told)
        newest = max((str(one["time"]) for one in told.records.values()), default="")
        if told.damaged:
            left[name] = next(iter(told.damaged.values()))
        elif newest < timestamp(before):
            found[name] = [(digest, one.data) for digest, one in told.records.items()]
    if not found:
        return Plan({}, 0, left)
    old = {name: writers[name] for name in found}
    held = _held(git)
    for name, records in found.items():
        held |= {digest.removeprefix("sha256:"): (name, data) for digest, data in records}
    already = {(ref.removeprefix(refs.LEDGER), tree) for ref, tree in ledger_refs.folded(git)}
    done = sorted(already | {(name, tree) for name, (_, tree) in old.items()})
    finished = "".join(f"{tree} {name}\n" for name, tree in done).encode()
    count = sum(map(len, found.values()))
    return Plan(old, count, left, {FOLDED: finished, **_months(held)}, former)


def _standing(git: Git, place: Place) -> tuple[dict[str, tuple[str, str]], str | None]:
    """Return writer → (commit, tree) of the place, and where its segments stand."""
    if place.remote and place.branch:
        tip = refs.tip(git, ledger_branch.aside(place.remote))
        trees = ledger_branch.folders(git, tip)
        return {name: ("", tree) for name, tree in trees.items() if name != refs.SEGMENTS}, tip
    prefix = refs.seen(place.remote) if place.remote else refs.LEDGER
    found = {
        ref.removeprefix(prefix): head
        for ref, head in refs.heads(git).items()
        if ref.startswith(prefix)
    }
    former = found.pop(refs.SEGMENTS, None)
    return found, former[0] if former else None


def _held(git: Git) -> dict[str, tuple[str, bytes]]:
    """Return digits → (writer, bytes) of all that was folded before, wherever it is here."""
    held: dict[str, tuple[str, bytes]] = {}
    for data in segments(git):
        for digest, writer, body in lines(data):
            held.setdefault(digest.removeprefix("sha256:"), (writer, body))
    return held


def _months(held: Mapping[str, tuple[str, bytes]]) -> dict[str, bytes]:
    """Return path → bytes of the segments: the same records give the same bytes everywhere."""
    months: dict[str, list[tuple[str, str, str, bytes]]] = {}
    for name, (writer, body) in held.items():
        time = _time(body)
        months.setdefault(time[:7] or "undated", []).append((writer, time, name, body))
    files: dict[str, bytes] = {}
    for month, rows in months.items():
        if sum(len(row[3]) for row in rows) <= LARGE:
            files[f"months/{month}.jsonl"] = _segment(rows)
            continue
        for digit in "0123456789abcdef":
            some = [row for row in rows if row[2].startswith(digit)]
            files[f"months/{month}-{digit}.jsonl"] = _segment(some)
    return files


def _segment(rows: Iterable[tuple[str, str, str, bytes]]) -> bytes:
    # of one writer and time beside one another: what is alike packs well
    ordered = sorted(rows)
    return b"".join(b"%s %s %s\n" % (n.encode(), w.encode(), body) for w, _, n, body in ordered)


def _time(body: bytes) -> str:
    """Return the time in a record, "" where there is none; the record may be damaged."""
    _, _, rest = body.rpartition(b'"time":"')
    time = rest[:24].decode("ascii", "replace")
    return time if len(time) == 24 and time[:4].isdigit() and time[5:7].isdigit() else ""


def _carry_out(git: Git, place: Place, planned: Plan, now: datetime) -> bool:
    """Do it; False where somebody was quicker and it has to be planned again."""
    tree = _tree(git, planned.files)
    if place.remote and place.branch:
        trees = ledger_branch.folders(git, planned.former)
        kept = {name: one for name, one in trees.items() if name not in planned.writers}
        made = _commit(git, ledger_branch.root(git, kept | {refs.SEGMENTS: tree}), now)
        done = ledger_branch.replace(git, place.remote, place.branch, planned.former, made)
        if done:
            ledger_refs.drop_folded(git)
        return done
    gone = {refs.LEDGER + name: tip for name, (tip, _) in planned.writers.items()}
    same = planned.former and git.run("rev-parse", f"{planned.former}^{{tree}}") == tree
    made = str(planned.former) if same else _commit(git, tree, now)
    ref = refs.LEDGER + refs.SEGMENTS
    if place.remote is None:
        moves = [(ref, planned.former, made), *((one, tip, None) for one, tip in gone.items())]
        return refs.move(git, moves)
    if not same and not ledger_refs.swap(git, place.remote, {ref: (planned.former, made)}):
        return False
    if (mine := refs.tip(git, ref)) is not None:  # it is among what was sent
        refs.move(git, [(ref, mine, None)])
    ledger_refs.swap(git, place.remote, {one: (tip, None) for one, tip in gone.items()})
    ledger_refs.drop_folded(git)
    return True


def _tree(git: Git, files: Mapping[str, bytes]) -> str:
    """Return the tree of the segments."""
    folders: dict[str, list[str]] = {"": [], "months": []}
    for path, data in sorted(files.items()):
        folder, _, name = path.rpartition("/")
        oid = git.run("hash-object", "-w", "--stdin", input=data)
        folders[folder].append(f"100644 blob {oid}\t{name}\0")
    months = git.run("mktree", "-z", input="".join(folders["months"]))
    return git.run("mktree", "-z", input="".join([*folders[""], f"040000 tree {months}\tmonths\0"]))


def _commit(git: Git, tree: str, now: datetime) -> str:
    """Return a commit without parents: what it replaces may be forgotten."""
    stamp = f"@{int(now.astimezone(UTC).timestamp())} +0000"
    env = {"GIT_AUTHOR_DATE": stamp, "GIT_COMMITTER_DATE": stamp}
    return git.run("commit-tree", tree, "-m", "ledger: old writers folded [skip ci]", env=env)
