"""torch modules of the judged networks. Each has ``features(x)``, the input to its head."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

from ddbench.evaluators.pooling import HalvingPool
from ddbench.types import Shape

SMALL_INPUT, MIDDLE_INPUT = 64, 128
"""largest sides, in pixels, at which the stem of ResNet-18 and ResNetAP-10 is a 3x3 convolution: without pooling up to
the first, with pooling up to the second (``net_size`` in Minimax's resnet.py and resnet_ap.py)"""


def he_normal(module: nn.Module) -> None:
    """Draw the weights of every convolution in ``module`` from N(0, 2 / (k * k * out)): He's, with fan_out. Weights and
    biases of torch's norms are 1 and 0 already."""
    for part in module.modules():
        if isinstance(part, nn.Conv2d):
            nn.init.kaiming_normal_(part.weight, mode="fan_out", nonlinearity="relu")


def instance_norm(channels: int) -> nn.Module:
    """A group a channel, with weights: the norm of DC's ConvNets."""
    return nn.GroupNorm(channels, channels)


class ConvNetModule(nn.Module):
    """(N, C, H, W) -> depth x [conv, norm, relu, pool] -> (N, width * H/2^d * W/2^d) -> (N, classes).

    norm: makes the norm of so many channels.
    """

    def __init__(
        self,
        shape: Shape,
        num_classes: int,
        depth: int,
        width: int,
        norm: Callable[[int], nn.Module] = instance_norm,
    ) -> None:
        super().__init__()
        channels, height, pixels = shape
        layers: list[nn.Module] = []
        for _ in range(depth):
            layers += [nn.Conv2d(channels, width, 3, padding=1), norm(width), nn.ReLU(inplace=True), HalvingPool()]
            channels = width
        self.body = nn.Sequential(*layers, nn.Flatten())
        self.head = nn.Linear(width * (height >> depth) * (pixels >> depth), num_classes)

    def features(self, x: torch.Tensor) -> torch.Tensor:
        return self.body(x)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.features(x))


class BasicBlock(nn.Module):
    """(N, in, H, W) -> (N, out, H/stride, W/stride)."""

    def __init__(self, channels: int, out: int, stride: int) -> None:
        super().__init__()
        self.residual = nn.Sequential(
            nn.Conv2d(channels, out, 3, stride, 1, bias=False),
            nn.GroupNorm(out, out),
            nn.ReLU(),
            nn.Conv2d(out, out, 3, 1, 1, bias=False),
            nn.GroupNorm(out, out),
        )
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or channels != out:
            self.shortcut = nn.Sequential(nn.Conv2d(channels, out, 1, stride, bias=False), nn.GroupNorm(out, out))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.relu(self.residual(x) + self.shortcut(x))


class ResNet18Module(nn.Module):
    """(N, C, H, W) -> stem -> 4 stages of 2 BasicBlocks, widths 64..512 -> mean over space (N, 512) -> (N, classes)."""

    def __init__(self, shape: Shape, num_classes: int, he: bool = True) -> None:
        super().__init__()
        channels, height, width = shape
        side = min(height, width)
        kernel, stride = (7, 2) if side > MIDDLE_INPUT else (3, 1)
        stem: list[nn.Module] = [
            nn.Conv2d(channels, 64, kernel, stride, kernel // 2, bias=False),
            nn.GroupNorm(64, 64),
            nn.ReLU(),
        ]
        if side > SMALL_INPUT:
            stem.append(nn.MaxPool2d(3, 2, 1))
        blocks: list[nn.Module] = []
        channels = 64
        for out in (64, 128, 256, 512):
            blocks += [BasicBlock(channels, out, 1 if out == 64 else 2), BasicBlock(out, out, 1)]
            channels = out
        self.body = nn.Sequential(*stem, *blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.head = nn.Linear(512, num_classes)
        if he:
            he_normal(self)

    def features(self, x: torch.Tensor) -> torch.Tensor:
        return self.body(x)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.features(x))


class PooledBlock(nn.Module):
    """(N, in, H, W) -> (N, out, H, W), or half the sides by 2x2 average pooling in place of a stride."""

    def __init__(self, channels: int, out: int, halve: bool) -> None:
        super().__init__()
        pool = [HalvingPool()] if halve else []
        self.residual = nn.Sequential(
            nn.Conv2d(channels, out, 3, 1, 1, bias=False),
            nn.GroupNorm(out, out),
            nn.ReLU(),
            *pool,
            nn.Conv2d(out, out, 3, 1, 1, bias=False),
            nn.GroupNorm(out, out),
        )
        self.shortcut: nn.Module = nn.Identity()
        if halve or channels != out:
            self.shortcut = nn.Sequential(nn.Conv2d(channels, out, 1, bias=False), *pool, nn.GroupNorm(out, out))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.relu(self.residual(x) + self.shortcut(x))


class ResNetAP10Module(nn.Module):
    """(N, C, H, W) -> stem -> 4 PooledBlocks, widths 64..512 -> mean over space (N, 512) -> (N, classes)."""

    def __init__(self, shape: Shape, num_classes: int) -> None:
        super().__init__()
        channels, height, width = shape
        side = min(height, width)
        kernel, pool = (7, 4) if side > MIDDLE_INPUT else (3, 2)
        stem: list[nn.Module] = [
            nn.Conv2d(channels, 64, kernel, 1, kernel // 2, bias=False),
            nn.GroupNorm(64, 64),
            nn.ReLU(),
        ]
        if side > SMALL_INPUT:
            stem.append(nn.AvgPool2d(pool))
        self.stem = nn.Sequential(*stem)
        blocks = [PooledBlock(n, out, n != out) for n, out in ((64, 64), (64, 128), (128, 256), (256, 512))]
        self.body = nn.Sequential(*blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.head = nn.Linear(512, num_classes)
        he_normal(self)

    def features(self, x: torch.Tensor) -> torch.Tensor:
        return self.body(self.stem(x))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.features(x))


class BatchNormResNet18Module(nn.Module):
    """torchvision's ResNet-18: (N, 3, H, W) -> (N, 512) -> (N, classes)."""

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        from torchvision.models import resnet18

        *body, head = resnet18(num_classes=num_classes).children()
        self.body = nn.Sequential(*body, nn.Flatten())
        self.head = head

    def features(self, x: torch.Tensor) -> torch.Tensor:
        return self.body(x)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.features(x))


class TimmModule(nn.Module):
    """A model of timm, untrained: (N, *shape) -> what enters its head, (N, features) -> (N, classes)."""

    def __init__(self, model: str, shape: Shape, num_classes: int) -> None:
        super().__init__()
        import timm

        channels, height, width = shape
        options = {"pretrained": False, "in_chans": channels, "num_classes": num_classes}
        try:  # models of a fixed number of patches are built for a size, others refuse the argument
            self.net = timm.create_model(model, img_size=(height, width), **options)
        except TypeError as error:
            if "img_size" not in str(error):
                raise
            self.net = timm.create_model(model, **options)

    def features(self, x: torch.Tensor) -> torch.Tensor:
        return self.net.forward_head(self.net.forward_features(x), pre_logits=True).flatten(1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.net(x)
