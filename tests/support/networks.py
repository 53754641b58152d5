"""A small network with all that makes training delicate: batch norm over single pixels, dropout, drop path."""

import torch
from torch import nn

from ddbench.types import Network


class RandomModule(nn.Module):
    def __init__(self, channels, num_classes):
        super().__init__()
        self.stem = nn.Conv2d(channels, 8, 3, padding=1)
        self.norm = nn.BatchNorm1d(8)
        self.head = nn.Linear(8, num_classes)

    def features(self, x):
        x = torch.relu(self.norm(self.stem(x).mean((2, 3))))  # a value a channel and image
        if self.training:
            x = x * (torch.rand(len(x), 1, device=x.device) < 0.8)
        return nn.functional.dropout(x, 0.3, self.training)

    def forward(self, x):
        return self.head(self.features(x))


class RandomNetwork(Network):
    """Draws from torch's generator of the process while it is trained; keeps the modules that it built, and the sizes
    of the batches that they were trained on."""

    def __init__(self):
        self.modules = []
        self.sizes = []

    def __call__(self, shape, num_classes):
        module = RandomModule(shape[0], num_classes)
        module.register_forward_pre_hook(lambda module, x: self.sizes.append(len(x[0])) if module.training else None)
        self.modules.append(module)
        return module


def weights(module):
    """All weights and buffers of a module as one vector."""
    return torch.cat([value.detach().double().flatten() for value in module.state_dict().values()])
