"""RSM: the L1 penalty on the predicted image that the first stage of RSM + CGS adds to fine-tuning."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from ddbench.methods.diffusion.objectives.objective import Objective, Prediction, Terms
from ddbench.types import NonNegative

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class RSM(Objective):
    """weight * |x0_hat|_1: pulls the predicted image towards few active pixels (RSM + CGS, CVPR 2026, first stage).

    The paper leaves open whether the norm is a sum or a mean and whether timesteps weigh alike; x0_hat carries
    1 / sqrt(abar), which is about 157 at the noisiest step, so the unweighted term is mostly about those steps.
    """

    replayable: ClassVar[bool] = True

    weight: NonNegative = 0.004
    """lambda; 0.002 to 0.006 in the paper"""
    reduction: Literal["mean", "sum"] = "mean"
    """over the elements of a sample; a sum over 4x32x32 latents is 4096 times the mean"""
    timesteps: Literal["equal", "sqrt_abar"] = "equal"
    """sqrt_abar multiplies the term by sqrt(abar), undoing the growth of x0_hat with noise"""

    def begin(self) -> Terms:
        return self._terms

    def _terms(self, prediction: Prediction) -> Mapping[str, torch.Tensor]:
        size = prediction.x0_hat.flatten(1).abs()
        norm = size.mean(1) if self.reduction == "mean" else size.sum(1)
        if self.timesteps == "sqrt_abar":
            norm = norm * prediction.abar.flatten().sqrt()
        return {"l1": self.weight * norm}
