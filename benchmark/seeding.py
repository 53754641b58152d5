"""Seeds from coordinates: every random stream is named by where it stands, never by when it was drawn.

A stream is a function of its coordinates alone, so the order of stages, the executor and the batch size
cannot change it, and two methods that ask for the same coordinates start from the same noise.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
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


@contextmanager
def seeded(*coordinates: str | int) -> Iterator[None]:
    """For code that can only use torch's global generator (module initialisers): seeded inside, restored afterwards."""
    import torch

    with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
        torch.manual_seed(stream(*coordinates))
        yield
