"""Seeds from coordinates: every random stream is named by where it stands, never by when it was drawn.

A stream is a function of its coordinates alone, so the order of stages, the executor and the batch size
cannot change it, and two methods that ask for the same coordinates start from the same noise.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ddbench.keys import canonical

if TYPE_CHECKING:
    import torch


def stream(*coordinates: str | int) -> int:
    """A 63-bit seed for the random stream at ``coordinates``, for example ``stream("noise", 0, "cat", 3)``."""
    return int.from_bytes(hashlib.sha256(canonical(list(coordinates)).encode()).digest()[:8], "big") >> 1


def generator(*coordinates: str | int) -> torch.Generator:
    """A CPU generator for the stream at ``coordinates``; draw on the CPU and move, so that devices agree."""
    import torch

    return torch.Generator().manual_seed(stream(*coordinates))


Restart = Callable[..., None]
"""``at(*further)``: from here on, the process-wide generators are the stream at the coordinates and further ones"""


@contextmanager
def seeded(*coordinates: str | int) -> Iterator[Restart]:
    """For code that draws from the process: initialisers, dropout, drop path, the order of a DataLoader.

    Inside, the process-wide generators of torch (of the CPU and of every CUDA device), numpy and Python are the stream
    at ``coordinates``; afterwards, also after an exception, they are as they were. A training loop starts each step
    with ``at(step)``, so that what a network draws there depends neither on what ran before, in the loop or in the
    process, nor on whether the training was interrupted in between::

        with seeding.seeded("my-training", self.seed) as at:
            for step in range(steps):
                at(step)
                loss = network(batch) ...
    """
    import random

    import numpy as np
    import torch

    devices = range(torch.cuda.device_count())

    def at(*further: str | int) -> None:
        seed = stream(*coordinates, *further)
        # torch.manual_seed would also keep a call, with its stack, for CUDA devices that are not there.
        torch.default_generator.manual_seed(seed)
        if devices:
            torch.cuda.manual_seed_all(seed)
        random.seed(seed)
        np.random.seed(seed % 2**32)

    python, arrays = random.getstate(), np.random.get_state()
    try:
        with torch.random.fork_rng(devices=devices):
            at()
            yield at
    finally:
        random.setstate(python)
        np.random.set_state(arrays)
