"""Means of loss terms by bin of the timestep: an unweighted L1 term is mostly about noisy steps, and this shows it."""

from __future__ import annotations

from collections.abc import Mapping

import torch

BINS = 10


class TermBins:
    """Running means; terms without a value for each sample have a single one."""

    def __init__(self, num_timesteps: int) -> None:
        self.width = num_timesteps / BINS
        self.sums: dict[str, torch.Tensor] = {}
        self.counts: dict[str, torch.Tensor] = {}

    def add(self, t: torch.Tensor, terms: Mapping[str, torch.Tensor]) -> None:
        """Add terms of samples at timesteps ``t`` (B,), on the CPU: of shape (B,), or (n, 1) for n values that are not
        of single samples."""
        for name, value in terms.items():
            value = value.double()
            by_time = value.ndim == 1
            where = (t / self.width).long() if by_time else torch.zeros(value.numel(), dtype=torch.long)
            bins = BINS if by_time else 1
            sums = self.sums.setdefault(name, torch.zeros(bins, dtype=torch.float64))
            counts = self.counts.setdefault(name, torch.zeros(bins, dtype=torch.float64))
            sums.index_add_(0, where, value.reshape(-1))
            counts.index_add_(0, where, torch.ones_like(value.reshape(-1)))

    def means(self) -> dict[str, float]:
        """``{"l1/t900-999": mean, ...}``."""
        result = {}
        for name, sums in self.sums.items():
            for i, mean in enumerate((sums / self.counts[name].clamp(min=1)).tolist()):
                label = name if len(sums) == 1 else f"{name}/t{int(i * self.width)}-{int((i + 1) * self.width) - 1}"
                result[label] = mean
        return result

    def state_dict(self) -> dict[str, dict[str, torch.Tensor]]:
        return {"sums": self.sums, "counts": self.counts}

    def load_state_dict(self, state: dict[str, dict[str, torch.Tensor]]) -> None:
        self.sums = {name: value.cpu() for name, value in state["sums"].items()}
        self.counts = {name: value.cpu() for name, value in state["counts"].items()}
