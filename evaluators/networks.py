"""The networks that judge a distilled set, as small values; the torch modules are in ``modules``.

"Instance norm" in this field is GroupNorm(C, C) with affine parameters, everywhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ddbench.types import Network, Shape

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class ConvNet(Network):
    """``depth`` blocks of [3x3 convolution, instance norm, ReLU, 2x2 average pooling], then one linear layer."""

    depth: int
    width: int = 128

    def __call__(self, shape: Shape, num_classes: int) -> torch.nn.Module:
        from ddbench.evaluators.modules import ConvNetModule

        smallest = min(shape[1:])
        if smallest < 2**self.depth:
            raise ValueError(
                f"a ConvNet of depth {self.depth} needs images of {2**self.depth} px or more, not {smallest}"
            )
        return ConvNetModule(shape, num_classes, self.depth, self.width)


@dataclass(frozen=True)
class ResNet18(Network):
    """BasicBlocks [2, 2, 2, 2] with instance norm; 7x7 stride-2 stem and max pooling, up to 64 px a 3x3 one."""

    def __call__(self, shape: Shape, num_classes: int) -> torch.nn.Module:
        from ddbench.evaluators.modules import ResNet18Module

        return ResNet18Module(shape, num_classes)


@dataclass(frozen=True)
class ResNetAP10(Network):
    """BasicBlocks [1, 1, 1, 1] with instance norm, in which average pooling stands for every stride.

    The stem is a 7x7 convolution of stride 1 and 4x4 average pooling. The field uses the network above 128 px only; up
    to there the 3x3 stem without pooling is our own choice.
    """

    def __call__(self, shape: Shape, num_classes: int) -> torch.nn.Module:
        from ddbench.evaluators.modules import ResNetAP10Module

        return ResNetAP10Module(shape, num_classes)


@dataclass(frozen=True)
class BatchNormResNet18(Network):
    """torchvision's ResNet-18 with batch norm, for RGB images."""

    def __call__(self, shape: Shape, num_classes: int) -> torch.nn.Module:
        from ddbench.evaluators.modules import BatchNormResNet18Module

        if shape[0] != 3:
            raise ValueError(f"torchvision's ResNet-18 needs RGB images, not {shape[0]} channels")
        return BatchNormResNet18Module(num_classes)


convnet3 = ConvNet(depth=3)
"""ConvNet-3, width 128, instance norm"""

convnet3_w32 = ConvNet(depth=3, width=32)
"""ConvNet-3, width 32: for quick studies on a CPU"""

convnet4 = ConvNet(depth=4)
"""ConvNet-4, width 128, instance norm"""

convnet6 = ConvNet(depth=6)
"""ConvNet-6, width 128, instance norm (ImageNet subsets)"""

resnet18 = ResNet18()
"""ResNet-18 with instance norm"""

resnetap10 = ResNetAP10()
"""ResNetAP-10 with instance norm (ImageNet subsets)"""

resnet18_bn = BatchNormResNet18()
"""torchvision's ResNet-18 with batch norm (ImageNet-1K)"""
