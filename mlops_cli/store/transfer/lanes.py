"""Several transfers under way at once, and no more than that."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Any


def in_parallel(jobs: Iterable[Callable[[], Any]], *, lanes: int) -> None:
    """Run `jobs` in `lanes` threads; the next one is only taken when a lane is free for it.

    The first error ends it.
    """
    with ThreadPoolExecutor(lanes, thread_name_prefix="mlops-transfer") as pool:
        running: set[Future[Any]] = set()
        try:
            for job in jobs:
                running.add(pool.submit(job))
                if len(running) >= lanes:
                    done, running = wait(running, return_when=FIRST_COMPLETED)
                    for future in done:
                        future.result()
            for future in running:
                future.result()
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise
