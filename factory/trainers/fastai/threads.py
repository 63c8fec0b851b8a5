"""Make torch repeat itself, and keep to its share of the processors."""

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch  # noqa: TID253 - whoever imports this module wants torch


def device() -> torch.device:
    """Where networks run: on a GPU of CUDA's where there is one."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


@contextmanager
def limited(threads: int | None) -> Iterator[None]:
    """Let torch take so many processors; None leaves it to the process."""
    before = torch.get_num_threads()
    if threads is not None and threads != before:
        torch.set_num_threads(threads)
    try:
        yield
    finally:
        if torch.get_num_threads() != before:
            torch.set_num_threads(before)


@contextmanager
def repeatable(seed: int) -> Iterator[None]:
    """Draw everything at random from a seed, and leave the process's own generators as they were.

    On the CPU, the same seed and the same number of threads give the same numbers to the last bit.
    """
    of_python, of_numpy = random.getstate(), np.random.get_state()
    strict = torch.are_deterministic_algorithms_enabled()
    with torch.random.fork_rng():
        random.seed(seed)
        np.random.seed(seed)
        torch.manual_seed(seed)
        # On a GPU some layers have no deterministic form: they warn, and are used all the same.
        torch.use_deterministic_algorithms(True, warn_only=True)  # noqa: FBT003
        try:
            yield
        finally:
            torch.use_deterministic_algorithms(strict)
            random.setstate(of_python)
            np.random.set_state(of_numpy)
