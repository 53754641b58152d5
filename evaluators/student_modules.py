"""torch modules of RDED's students. Each has ``features(x)``, the input to its last linear layer."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from ddbench.types import Shape


class TorchvisionModule(nn.Module):
    """A classifier of torchvision: (N, 3, H, W) -> what enters its last linear layer, (N, D) -> (N, classes)."""

    def __init__(self, model: str, shape: Shape, num_classes: int, small_stem: bool) -> None:
        super().__init__()
        from torchvision import models

        options: dict[str, Any] = {"weights": None, "num_classes": num_classes}
        if model.startswith("vit_"):  # its position embedding has the size of the images
            options["image_size"] = min(shape[1:])
        self.net = models.get_model(model, **options)
        if small_stem:
            self.net.conv1 = nn.Conv2d(3, self.net.conv1.out_channels, 3, 1, 1, bias=False)
            self.net.maxpool = nn.Identity()

    def features(self, x: torch.Tensor) -> torch.Tensor:
        entering: list[torch.Tensor] = []
        last = [module for module in self.net.modules() if isinstance(module, nn.Linear)][-1]
        hook = last.register_forward_pre_hook(lambda module, inputs: entering.append(inputs[0]))
        try:
            self.net(x)
        finally:
            hook.remove()
        return entering[0].flatten(1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.net(x)
