"""The networks that are trained on a distilled set and judged, as small dataclasses; ``modules`` holds the torch code.

"Instance norm" in this field is GroupNorm(C, C) with affine parameters, everywhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from ddbench.types import DataFacts, Network, Shape
from ddbench.wording import counted

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class ConvNetOfDepth(Network):
    """What the ConvNets of this field share: each of ``depth`` blocks halves the images."""

    depth: int
    width: int = 128

    def problems(self, data: DataFacts) -> Sequence[str]:
        smallest, least = min(data.shape[1:]), 2**self.depth
        wrong = f"a ConvNet of depth {self.depth} needs images of {least} px or more, not {smallest}"
        return [wrong] if smallest < least else []


def refuse(network: Network, shape: Shape) -> None:
    """Raises ValueError with what ``network.problems`` says of images of ``shape``."""
    for problem in network.problems(DataFacts("", (), shape)):
        raise ValueError(problem)


def not_rgb(model: str, data: DataFacts) -> list[str]:
    """Why torchvision's ``model`` cannot take the images of ``data``; empty for RGB ones."""
    channels = data.shape[0]
    return [f"torchvision's {model} needs RGB images, not {counted(channels, 'channel')}"] if channels != 3 else []


@dataclass(frozen=True)
class ConvNet(ConvNetOfDepth):
    """``depth`` blocks of [3x3 convolution, instance norm, ReLU, 2x2 average pooling], then one linear layer."""

    def __call__(self, shape: Shape, num_classes: int) -> torch.nn.Module:
        from ddbench.evaluators.modules import ConvNetModule

        refuse(self, shape)
        return ConvNetModule(shape, num_classes, self.depth, self.width)


@dataclass(frozen=True)
class ResNet18(Network):
    """BasicBlocks [2, 2, 2, 2] with instance norm (IDC, Minimax: train_models/resnet.py).

    Stem above 128 px: 7x7 convolution of stride 2, then 3x3 max pooling of stride 2; from 65 to 128 px: 3x3
    convolution of stride 1, then the same pooling; up to 64 px: 3x3 convolution without pooling. Version 2 added the
    middle stem and He's initial weights.
    """

    version: ClassVar[int] = 2

    init: Literal["he", "torch"] = "he"
    """initial weights of convolutions. he: normal with standard deviation sqrt(2 / (k * k * out)), as IDC and Minimax;
    torch: torch's default, as VICO-UoE/DatasetCondensation"""

    def __call__(self, shape: Shape, num_classes: int) -> torch.nn.Module:
        from ddbench.evaluators.modules import ResNet18Module

        return ResNet18Module(shape, num_classes, he=self.init == "he")


@dataclass(frozen=True)
class ResNetAP10(Network):
    """BasicBlocks [1, 1, 1, 1] with instance norm and 2x2 average pooling in place of every stride (IDC, Minimax:
    train_models/resnet_ap.py).

    Stem above 128 px: 7x7 convolution, then 4x4 average pooling; from 65 to 128 px: 3x3 convolution, then 2x2 average
    pooling; up to 64 px: 3x3 convolution without pooling. All of stride 1. Version 2 added the middle stem.
    """

    version: ClassVar[int] = 2

    def __call__(self, shape: Shape, num_classes: int) -> torch.nn.Module:
        from ddbench.evaluators.modules import ResNetAP10Module

        return ResNetAP10Module(shape, num_classes)


@dataclass(frozen=True)
class BatchNormResNet18(Network):
    """torchvision's ResNet-18 with batch norm, for RGB images."""

    def problems(self, data: DataFacts) -> Sequence[str]:
        return not_rgb("resnet18", data)

    def __call__(self, shape: Shape, num_classes: int) -> torch.nn.Module:
        from ddbench.evaluators.modules import BatchNormResNet18Module

        refuse(self, shape)
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
