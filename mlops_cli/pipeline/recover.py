"""What a killed run left, put right: its processes ended, former outputs back, a record made."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from mlops_cli.pipeline import leftover, marker
from mlops_cli.pipeline.marker import Held, Marker
from mlops_cli.pipeline.settle import Settling
from mlops_cli.pipeline.tell import Teller
from mlops_cli.progress import Progress


def put_right(held: Held, settling: Settling, teller: Teller, progress: Progress) -> None:
    """Put right what the dead attempt in `held.left` left, and let go of the step."""
    left = held.left
    assert left is not None
    leftover.end(lambda attempt: attempt == left.attempt)
    settling.record(left.step, teller.killed(left))
    settling.flush()  # while the marker stands: told twice is better than never
    marker.put_back(held, left)
    progress.say(f"{left.step} was interrupted; its former outputs are back.")


def put_all_right(
    root: Path, dead: Iterable[Marker], settling: Settling, teller: Teller, progress: Progress
) -> None:
    """Put right all attempts in `dead` that no other run has taken up meanwhile."""
    for one in dead:
        held = marker.hold(root, one.step)
        if held is None:
            continue
        if held.left is None:
            marker.release(held)
        else:
            put_right(held, settling, teller, progress)
