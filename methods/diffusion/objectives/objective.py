"""Fine-tuning objectives: what is added to the denoising loss. An objective sees predictions, never the network."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Prediction:
    """One training batch as an objective sees it.

    x0: the real latents (B, C, H, W); x_t: the noised ones; eps_hat: the predicted noise, with gradient;
    abar: alphas_cumprod at each sample's timestep (B, 1, 1, 1); labels: int64 (B,), the true classes.
    """

    x0: torch.Tensor
    x_t: torch.Tensor
    eps_hat: torch.Tensor
    abar: torch.Tensor
    labels: torch.Tensor

    @property
    def x0_hat(self) -> torch.Tensor:
        """(x_t - sqrt(1 - abar) eps_hat) / sqrt(abar): equation 15 of DDPM (Ho et al. 2020) solved for x_0."""
        return (self.x_t - (1 - self.abar).sqrt() * self.eps_hat) / self.abar.sqrt()


Terms = Callable[[Prediction], Mapping[str, "torch.Tensor"]]
"""prediction -> already weighted terms by name, each a scalar or one value a sample (B,); the mean of each is added."""


@dataclass(frozen=True)
class Objective(ABC):
    """An addition to the denoising loss."""

    registered_as: ClassVar[str] = "objective"
    replayable: ClassVar[bool] = False
    """whether the terms are a function of one prediction, without memory, and read no value from the device: a card
    then repeats the training step as a graph, several times as fast for a small network"""

    @abstractmethod
    def begin(self) -> Terms:
        """The terms of one fine-tuning run; whatever memory they keep starts empty here."""


@dataclass(frozen=True)
class Plain(Objective):
    """Nothing added: the denoising loss alone, so that the budget of fine-tuning has a control."""

    replayable: ClassVar[bool] = True

    def begin(self) -> Terms:
        return lambda prediction: {}
