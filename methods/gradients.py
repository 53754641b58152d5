"""The passes of gradient matching through one network whose weights change: how far the gradients of its weights on
synthetic images are from those on real ones, and its training on the synthetic images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch.nn.modules.batchnorm import _BatchNorm

from ddbench import steps
from ddbench.methods.embedder import Scaling
from ddbench.methods.matching import copy_weights

EPSILON = 1e-6
"""added to the product of norms"""

Tensors = Mapping[str, torch.Tensor]


class GradientPasses:
    """``use`` gives the network the weights of another. Real images are uint8, synthetic ones normalised floats; all
    are on the device. Each sort of pass is a step (``ddbench.steps``), which a card repeats as a graph."""

    def __init__(self, mode: steps.Mode, scaling: Scaling, lr: float) -> None:
        self.mode, self.scaling, self.lr = mode, scaling, lr
        self.network: Any = None
        self.optimiser: Any = None
        self.norms: list[torch.nn.Module] = []
        self.pixels = torch.empty(0, device=mode.device)
        self.targets = torch.empty(0, dtype=torch.int64, device=mode.device)
        self._observing, self._matching, self._training = (
            steps.Steps(step, mode) for step in (self._observe, self._match, self._train)
        )

    def use(self, network: torch.nn.Module) -> None:
        """From here on passes are those of ``network``. Where they are captured its values are copied into the network
        of the capture."""
        if self.network is not None and self.mode.apart:
            copy_weights(self.network, network)
            return
        self.network = network.train()
        self.norms = [module for module in network.modules() if isinstance(module, _BatchNorm)]
        # Without momentum it has no state that a new network would have to lose.
        self.optimiser = steps.sgd(network.parameters(), self.mode, lr=self.lr)

    def fix_norms(self, images: torch.Tensor) -> None:
        """Take the running statistics of batch norm from real ``images``, and keep to them until it is trained."""
        self.network.train()
        self._observing(steps.Batch({"images": images}))
        for norm in self.norms:
            norm.eval()

    def match(
        self, images: torch.Tensor, label: torch.Tensor, synthetic: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """The distance of the weights' gradients on ``synthetic`` images from those on ``images``, all of the class
        ``label`` (), and its gradient by ``synthetic``."""
        found = self._matching(steps.Batch({"images": images, "label": label, "synthetic": synthetic.detach()}))
        return found["distance"].clone(), found["gradient"].clone()

    def show(self, synthetic: Sequence[torch.Tensor]) -> None:
        """The images that ``train`` trains on, a tensor for each class in the order of outputs, as they are now."""
        images = torch.cat([one.detach() for one in synthetic])
        if self.pixels.shape != images.shape:
            self.pixels = torch.empty_like(images)
            self.targets = torch.arange(len(synthetic), device=images.device).repeat_interleave(len(synthetic[0]))
        self.pixels.copy_(images)
        self.network.train()

    def train(self, index: torch.Tensor) -> None:
        """A step on the images at ``index`` of those that were shown."""
        self._training(steps.Batch({"index": index}))

    def _observe(self, batch: Tensors) -> dict[str, torch.Tensor]:
        with torch.no_grad():
            self.network(self._scaled(batch))
        return {}

    def _match(self, batch: Tensors) -> dict[str, torch.Tensor]:
        leaf = batch["synthetic"].detach().requires_grad_(True)
        wanted = [g.detach() for g in self._gradients(self._scaled(batch), batch["label"])]
        found = self._gradients(leaf, batch["label"], again=True)
        distance = gradient_distance(found, wanted)
        return {"distance": distance.detach(), "gradient": torch.autograd.grad(distance, leaf)[0]}

    def _train(self, batch: Tensors) -> dict[str, torch.Tensor]:
        here = batch["index"]
        self.optimiser.zero_grad(set_to_none=True)
        F.cross_entropy(self.network(self.pixels[here]), self.targets[here]).backward()
        self.optimiser.step()
        return {}

    def _scaled(self, batch: Tensors) -> torch.Tensor:
        return self.scaling(batch["images"], str(self.mode.device))

    def _gradients(self, images: torch.Tensor, label: torch.Tensor, again: bool = False) -> Sequence[torch.Tensor]:
        """Of the mean cross-entropy of images of one class by the weights; ``again``: differentiable."""
        loss = F.cross_entropy(self.network(images), label.expand(len(images)))
        return torch.autograd.grad(loss, list(self.network.parameters()), create_graph=again)


def gradient_distance(found: Sequence[torch.Tensor], wanted: Sequence[torch.Tensor]) -> torch.Tensor:
    """Sum over weights of two dimensions or more, and over their output units, of 1 - cosine of the gradients of that
    unit's weights (eq. 9 of Zhao, Mopuri & Bilen 2021; ``distance_wb`` in utils.py of VICO-UoE/DatasetCondensation).
    Biases and norms do not count."""
    total = torch.zeros((), device=found[0].device)
    for one, other in zip(found, wanted, strict=True):
        if one.ndim > 1:
            a, b = one.flatten(1), other.flatten(1)
            total = total + (1 - (a * b).sum(1) / (a.norm(dim=1) * b.norm(dim=1) + EPSILON)).sum()
    return total
