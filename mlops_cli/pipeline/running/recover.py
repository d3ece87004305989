"""What a killed run left, put right: its processes ended, former outputs back, a record made."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from mlops_cli.pipeline.running.settle import Settling
from mlops_cli.pipeline.running.tell import Teller
from mlops_cli.pipeline.traces import leftover, marker
from mlops_cli.pipeline.traces.holding import Held, Holder
from mlops_cli.pipeline.traces.lock import Lock
from mlops_cli.pipeline.traces.marker import Marker
from mlops_cli.progress import Progress


def put_right(
    held: Held, left: Marker, settling: Settling, teller: Teller, progress: Progress
) -> None:
    """Put right what the dead attempt `left` of the step left, and let go of the step.

    One that had ended well is written down now; what any other wrote is taken back.
    """
    leftover.end(lambda attempt: attempt == left.attempt)
    if left.finished is not None and _as_left(held.root, left.outs, left.finished.moment):
        done = left.finished
        outputs = {out: settling.output(out, left.keeping) for out in left.outs}
        lock = Lock(left.step, left.key, done.parts, outputs, done.metrics, done.facts)
        settling.result(lock, teller.finished(left, lock), held)
        settling.flush()
        progress.say(f"{left.step} had ended well when mlops was killed; it is written down now.")
        return
    settling.record(left.step, teller.killed(left))
    settling.flush()  # while the marker stands: told twice is better than never
    marker.put_back(held, left)
    progress.say(f"{left.step} was interrupted; its former outputs are back.")


def _as_left(root: Path, paths: Iterable[str], moment: int) -> bool:
    """Return whether nothing in `paths` was written after `moment` and all of them are there."""
    for out in paths:
        try:
            if (root / out).lstat().st_mtime_ns > moment:
                return False
            for folder, _, names in os.walk(root / out):
                for path in (folder, *(os.path.join(folder, name) for name in names)):
                    if os.lstat(path).st_mtime_ns > moment:
                        return False
        except OSError:
            return False
    return True


def put_all_right(
    holder: Holder,
    dead: Iterable[Marker],
    settling: Settling,
    teller: Teller,
    progress: Progress,
) -> None:
    """Put right all attempts in `dead` that no other run has taken up meanwhile."""
    for one in dead:
        held = holder.hold(one.step)
        if held is None:
            continue
        left = marker.left_in(held)
        if left is None:
            holder.release(held)
        else:
            put_right(held, left, settling, teller, progress)
