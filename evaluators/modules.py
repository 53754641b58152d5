"""torch modules of the judging networks. Each has ``features(x)``, the input to its head."""

from __future__ import annotations

import torch
from torch import nn

from ddbench.types import Shape

SMALL_INPUT = 64
"""up to this side ResNet-18 keeps its resolution in the stem: at 32 px the ImageNet stem would end at 1x1, where
instance norm has nothing to normalise over"""

SMALL_POOLED_INPUT = 128
"""up to this side ResNetAP-10 has a 3x3 stem that keeps the resolution"""


class ConvNetModule(nn.Module):
    """(N, C, H, W) -> depth x [conv, norm, relu, pool] -> (N, width * H/2^d * W/2^d) -> (N, classes)."""

    def __init__(self, shape: Shape, num_classes: int, depth: int, width: int) -> None:
        super().__init__()
        channels, height, pixels = shape
        layers: list[nn.Module] = []
        for _ in range(depth):
            layers += [
                nn.Conv2d(channels, width, 3, padding=1),
                nn.GroupNorm(width, width),
                nn.ReLU(inplace=True),
                nn.AvgPool2d(2),
            ]
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

    def __init__(self, shape: Shape, num_classes: int) -> None:
        super().__init__()
        channels, height, width = shape
        if min(height, width) <= SMALL_INPUT:
            stem: list[nn.Module] = [nn.Conv2d(channels, 64, 3, 1, 1, bias=False), nn.GroupNorm(64, 64), nn.ReLU()]
        else:
            stem = [
                nn.Conv2d(channels, 64, 7, 2, 3, bias=False),
                nn.GroupNorm(64, 64),
                nn.ReLU(),
                nn.MaxPool2d(3, 2, 1),
            ]
        blocks: list[nn.Module] = []
        channels = 64
        for out in (64, 128, 256, 512):
            blocks += [BasicBlock(channels, out, 1 if out == 64 else 2), BasicBlock(out, out, 1)]
            channels = out
        self.body = nn.Sequential(*stem, *blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.head = nn.Linear(512, num_classes)

    def features(self, x: torch.Tensor) -> torch.Tensor:
        return self.body(x)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.features(x))


class PooledBlock(nn.Module):
    """(N, in, H, W) -> (N, out, H, W), or half the sides: what a stride would do, 2x2 average pooling does."""

    def __init__(self, channels: int, out: int, halve: bool) -> None:
        super().__init__()
        pool = [nn.AvgPool2d(2)] if halve else []
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
    """(N, C, H, W) -> stem -> 4 PooledBlocks, widths 64..512 -> mean over space (N, 512) -> (N, classes).

    Convolutions start from He's normal distribution with fan_out.
    """

    def __init__(self, shape: Shape, num_classes: int) -> None:
        super().__init__()
        channels, height, width = shape
        large = min(height, width) > SMALL_POOLED_INPUT
        kernel = 7 if large else 3
        stem: list[nn.Module] = [
            nn.Conv2d(channels, 64, kernel, 1, kernel // 2, bias=False),
            nn.GroupNorm(64, 64),
            nn.ReLU(),
        ]
        if large:
            stem.append(nn.AvgPool2d(4))
        self.stem = nn.Sequential(*stem)
        blocks = [PooledBlock(n, out, n != out) for n, out in ((64, 64), (64, 128), (128, 256), (256, 512))]
        self.body = nn.Sequential(*blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.head = nn.Linear(512, num_classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

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
