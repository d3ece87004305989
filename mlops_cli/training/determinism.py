"""The same rows, parameters and seed train the same weights."""

from __future__ import annotations

THREADS = 1  # sums over several threads differ in the last bit from one run to the next


def settle(seed: int, *, torch: bool = True) -> None:
    """Seed random, numpy and, unless `torch` is false, torch, which is asked for deterministic
    algorithms on one thread.

    https://docs.pytorch.org/docs/stable/notes/randomness.html
    """
    import random

    import numpy as np

    random.seed(seed)
    np.random.seed(seed % 2**32)
    if torch:
        _settle_torch(seed)


def _settle_torch(seed: int) -> None:
    import torch

    torch.manual_seed(seed)
    # the same as use_deterministic_algorithms(True) for all but the compiler, which it would load
    torch.set_deterministic_debug_mode("error")
    torch.set_num_threads(THREADS)
