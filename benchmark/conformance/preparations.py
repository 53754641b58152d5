"""Whether the preparations of a method write the same files again."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator
from contextlib import contextmanager

from ddbench.conformance.under_test import MethodUnderTest, deterministic


def preparations_repeat(subject: MethodUnderTest) -> str:
    """What differs between two runs of the preparations after other draws of the process; empty for nothing."""
    written = []
    for seed in (1, 2):
        subject.prepared.clear()
        with process_seeded(seed), deterministic():
            subject.state(0)
        written.append(
            {
                (n, str(path.relative_to(folder))): hashlib.sha256(path.read_bytes()).digest()
                for n, folder in enumerate(subject.prepared.values(), 1)
                for path in sorted(folder.rglob("*"))
                if path.is_file()
            }
        )
    first, again = written
    for n, name in sorted(first | again):
        if first.get((n, name)) != again.get((n, name)):
            return f"preparation {n} of {len(subject.prepared)}, run again after other draws, writes another {name}"
    return ""


@contextmanager
def process_seeded(seed: int) -> Iterator[None]:
    """Inside, the process-wide generators of Python, numpy and torch start at ``seed``; put back afterwards."""
    import numpy as np
    import torch

    kept = random.getstate(), np.random.get_state(), torch.get_rng_state()
    try:
        random.seed(seed)
        np.random.seed(seed)
        torch.manual_seed(seed)
        yield
    finally:
        random.setstate(kept[0])
        np.random.set_state(kept[1])
        torch.set_rng_state(kept[2])
