"""Which images each step of a training takes."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import torch

from ddbench import seeding
from ddbench.methods.diffusion.training.options import Training


def batches(index: torch.Tensor, options: Training, random: torch.Generator) -> Callable[[int], torch.Tensor]:
    """The function from a step to its images, ``options.batch`` entries of ``index``.

    with_replacement: drawn from ``random`` at each call. shuffled: those of an epoch in an order that depends on the
    epoch and on one draw from ``random``, made here, so that a run that was interrupted goes on with the same images.
    The last images of an epoch that fill no batch are left out, as Minimax's loader does (``drop_last`` in
    train_dit.py); with fewer images than a batch holds, a batch takes all of them as often as it needs.
    """
    if options.order == "with_replacement":
        return lambda step: index[torch.randint(len(index), (options.batch,), generator=random)]

    seed = int(torch.randint(2**62, (), generator=random))
    per_epoch = max(1, len(index) // options.batch)
    rounds = -(-options.batch // len(index))

    @lru_cache(maxsize=1)
    def order(epoch: int) -> torch.Tensor:
        stream = seeding.generator("order", seed, epoch)
        return torch.cat([torch.randperm(len(index), generator=stream) for _ in range(rounds)])

    def shuffled(step: int) -> torch.Tensor:
        epoch, place = divmod(step, per_epoch)
        return index[order(epoch)[place * options.batch : (place + 1) * options.batch]]

    return shuffled
