"""Minimax: representativeness and diversity terms over memories of real latents and predictions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ddbench.methods.diffusion.objectives.objective import Objective, Prediction, Terms
from ddbench.types import Count, NonNegative

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Minimax(Objective):
    """Minimax criteria on x0_hat (Gu et al., CVPR 2024, equations 6 and 7), averaged over the classes of the batch.

    Of each class, with memories of its latest real latents and predictions:
    representativeness, weight * (1 - the lowest cosine to a remembered real latent), and
    diversity, weight * the highest cosine to a remembered prediction.
    The first batch of a class only fills its memories.
    """

    representativeness: NonNegative = 0.002
    diversity: NonNegative = 0.008
    memory: Count = 64
    """latents remembered for each class, first in first out"""

    def begin(self) -> Terms:
        return _MinimaxTerms(self)


class _MinimaxTerms:
    def __init__(self, options: Minimax) -> None:
        self.options = options
        self.real: dict[int, torch.Tensor] = {}
        self.predicted: dict[int, torch.Tensor] = {}

    def __call__(self, prediction: Prediction) -> Mapping[str, torch.Tensor]:
        import torch
        import torch.nn.functional as F

        def unit(x: torch.Tensor) -> torch.Tensor:
            return F.normalize(x.flatten(1).float(), dim=1)

        predicted, real = unit(prediction.x0_hat), unit(prediction.x0)
        representativeness = diversity = predicted.new_zeros(())
        present = prediction.labels.unique().tolist()
        for label in present:
            of_class = prediction.labels == label
            if label in self.real:
                far = (predicted[of_class] @ self.real[label].T).min()
                near = (predicted[of_class] @ self.predicted[label].T).max()
                representativeness = representativeness + (1 - far) / len(present)
                diversity = diversity + near / len(present)
            for store, new in ((self.real, real), (self.predicted, predicted)):
                kept = torch.cat([store[label], new[of_class]]) if label in store else new[of_class]
                store[label] = kept[-self.options.memory :].detach()
        return {
            "representativeness": self.options.representativeness * representativeness,
            "diversity": self.options.diversity * diversity,
        }

    def state_dict(self) -> dict[str, dict[int, torch.Tensor]]:
        return {"real": self.real, "predicted": self.predicted}

    def load_state_dict(self, state: dict[str, dict[int, torch.Tensor]]) -> None:
        self.real, self.predicted = dict(state["real"]), dict(state["predicted"])
