"""Networks that RDED's judge trains: ConvNets with batch norm, and torchvision's classifiers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ddbench.evaluators.networks import ConvNetOfDepth, not_rgb, refuse
from ddbench.learning.zoo import check_torchvision
from ddbench.types import DataFacts, Network, Shape

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class BatchNormConvNet(ConvNetOfDepth):
    """``depth`` blocks of [3x3 convolution, batch norm, ReLU, 2x2 average pooling], then one linear layer (RDED:
    synthesize/models.py)."""

    def __call__(self, shape: Shape, num_classes: int) -> torch.nn.Module:
        from torch import nn

        from ddbench.evaluators.modules import ConvNetModule

        refuse(self, shape)
        return ConvNetModule(shape, num_classes, self.depth, self.width, nn.BatchNorm2d)


@dataclass(frozen=True)
class Torchvision(Network):
    """A classifier of torchvision, untrained, with the initial weights and dropout that it has there. ``small_stem``: a
    3x3 convolution of stride 1 in place of a ResNet's 7x7 one of stride 2, and no pooling behind it, for small images
    (RDED's "modified" ResNets)."""

    model: str
    small_stem: bool = False

    def __post_init__(self) -> None:
        check_torchvision(self.model)
        if self.small_stem and not self.model.startswith(("resnet", "resnext", "wide_resnet")):
            raise ValueError(f"small_stem is for ResNets, and {self.model} is none")

    def problems(self, data: DataFacts) -> Sequence[str]:
        return not_rgb(self.model, data)

    def __call__(self, shape: Shape, num_classes: int) -> torch.nn.Module:
        """Raises ValueError when the model cannot take images of ``shape``."""
        import torch

        from ddbench.evaluators.student_modules import TorchvisionModule

        refuse(self, shape)
        try:
            module = TorchvisionModule(self.model, shape, num_classes, self.small_stem)
            with torch.no_grad():
                module.eval()(torch.zeros(1, *shape))
        except (RuntimeError, ValueError, AssertionError, TypeError) as error:
            first = (str(error).strip() or type(error).__name__).splitlines()[0]
            raise ValueError(
                f"torchvision's {self.model} cannot take images of {shape[1]} x {shape[2]} px: {first}"
            ) from error
        return module.train()


convnet3_bn = BatchNormConvNet(depth=3)
"""ConvNet-3, width 128, batch norm"""

convnet4_bn = BatchNormConvNet(depth=4)
"""ConvNet-4, width 128, batch norm"""

convnet5_bn = BatchNormConvNet(depth=5)
"""ConvNet-5, width 128, batch norm"""

convnet6_bn = BatchNormConvNet(depth=6)
"""ConvNet-6, width 128, batch norm"""

resnet18_modified = Torchvision("resnet18", small_stem=True)
"""torchvision's ResNet-18 with a 3x3 stem and no pooling, for images up to 64 px"""

resnet50_bn = Torchvision("resnet50")
"""torchvision's ResNet-50 with batch norm"""

resnet101_bn = Torchvision("resnet101")
"""torchvision's ResNet-101 with batch norm"""

mobilenet_v2 = Torchvision("mobilenet_v2")
"""torchvision's MobileNet-V2"""

efficientnet_b0 = Torchvision("efficientnet_b0")
"""torchvision's EfficientNet-B0"""

swin_v2_t = Torchvision("swin_v2_t")
"""torchvision's Swin-V2-T"""

vit_b_16 = Torchvision("vit_b_16")
"""torchvision's ViT-B/16"""
