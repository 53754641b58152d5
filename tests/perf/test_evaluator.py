"""Throughput of the judging loop beside a straightforward one: PNG files through PIL, image by image, in two workers.

Both train the same network on the same images with the same batches, steps and judged images, under minimax-sgd:
resize, random resized crop, flip, colour jitter, lighting, normalisation, CutMix. A constant batch through the network
alone (forward, backward, step) bounds what any loop can reach.

pytest tests/perf/test_evaluator.py -s -o addopts=
"""

import dataclasses
import math
import time

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image, ImageEnhance, ImageOps
from torch.utils.data import DataLoader, Dataset

from ddbench.evaluators.colour import EIGENVALUES, EIGENVECTORS
from ddbench.evaluators.networks import ConvNet
from ddbench.evaluators.protocols import minimax_sgd_1
from ddbench.learning.colours import IMAGENET_MEAN, IMAGENET_STD
from ddbench.stages.provenance import provenance
from ddbench.types import LabeledImages, StageContext

THREADS = 2
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
CLASSES = 10
MEAN, STD = (torch.tensor(v)[:, None, None] for v in (IMAGENET_MEAN, IMAGENET_STD))


class PerImage(Dataset):
    """What a loop without batched augmentation does in its workers: an image folder, read anew at each look."""

    def __init__(self, data, side, train, folder):
        self.paths = [folder / f"{'train' if train else 'test'}-{i}.png" for i in range(len(data))]
        for path, x in zip(self.paths, data.images, strict=True):
            Image.fromarray(x.permute(1, 2, 0).numpy()).save(path)
        self.labels, self.side, self.train = data.labels.tolist(), side, train
        self.random = np.random.default_rng(0)

    def __len__(self):
        return len(self.paths)

    def __getitem__(self, i):
        with Image.open(self.paths[i]) as file:
            picture = file.convert("RGB")
        picture = ImageOps.fit(picture, (self.side, self.side), Image.Resampling.BILINEAR)
        if self.train:
            picture = self.jitter(self.flip(self.crop(picture)))
        x = torch.from_numpy(np.array(picture)).permute(2, 0, 1).float() / 255
        if self.train:
            weights = torch.tensor(self.random.normal(0, 0.1, 3), dtype=torch.float32) * torch.tensor(EIGENVALUES)
            x = x + (torch.tensor(EIGENVECTORS) @ weights)[:, None, None]
        return (x - MEAN) / STD, self.labels[i]

    def crop(self, picture):
        side = self.side
        for _ in range(10):
            area = side * side * self.random.uniform(0.5, 1)
            ratio = math.exp(self.random.uniform(math.log(3 / 4), math.log(4 / 3)))
            w, h = round(math.sqrt(area * ratio)), round(math.sqrt(area / ratio))
            if w <= side and h <= side:
                left, top = self.random.integers(side - w + 1), self.random.integers(side - h + 1)
                box = (left, top, left + w, top + h)
                return picture.resize((side, side), Image.Resampling.BILINEAR, box=box)
        return picture

    def flip(self, picture):
        return ImageOps.mirror(picture) if self.random.random() < 0.5 else picture

    def jitter(self, picture):
        changes = [ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color]
        for k in self.random.permutation(3):
            picture = changes[k](picture).enhance(self.random.uniform(0.6, 1.4))
        return picture


def straightforward(protocol, data, test, network, epochs, folder):
    """Seconds of ``epochs`` epochs and one look at the test images; workers are running before the clock starts."""
    train = PerImage(data, protocol.side, True, folder)
    loader = DataLoader(train, protocol.batch, shuffle=True, num_workers=2, persistent_workers=True)
    judged = DataLoader(PerImage(test, protocol.side, False, folder), 64, num_workers=2, persistent_workers=True)
    model = network((3, protocol.side, protocol.side), CLASSES).to(DEVICE)
    optimiser = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9, weight_decay=5e-4)
    random = np.random.default_rng(0)
    for _ in (*loader, *judged):
        pass
    start = time.perf_counter()
    for _ in range(epochs):
        for x, y in loader:
            x, y = x.to(DEVICE), y.to(DEVICE)
            partners, kept = torch.randperm(len(x)).to(DEVICE), random.beta(1, 1)
            tall = wide = int(protocol.side * math.sqrt(1 - kept))
            row, column = random.integers(protocol.side, size=2)
            top, bottom = max(row - tall // 2, 0), min(row + tall // 2, protocol.side)
            left, right = max(column - wide // 2, 0), min(column + wide // 2, protocol.side)
            x[:, :, top:bottom, left:right] = x[partners, :, top:bottom, left:right]
            kept = 1 - (bottom - top) * (right - left) / protocol.side**2
            optimiser.zero_grad()
            logits = model(x)
            loss = kept * F.cross_entropy(logits, y) + (1 - kept) * F.cross_entropy(logits, y[partners])
            loss.backward()
            optimiser.step()
    model.eval()
    with torch.no_grad():
        torch.cat([model(x.to(DEVICE)).argmax(1).cpu() == y for x, y in judged]).float().mean()
    return time.perf_counter() - start


def ours(protocol, data, test, network, epochs, folder):
    protocol = dataclasses.replace(protocol, epochs_by_ipc=((1, epochs),), evaluations=1)
    start = time.perf_counter()
    protocol.evaluate(data, test, network, StageContext(seed=0, device=DEVICE))
    return time.perf_counter() - start


def network_alone(protocol, data, test, network, epochs, folder):
    """Seconds of the same steps on a constant batch, and of judging constant images: no loop can be faster."""
    model = network((3, protocol.side, protocol.side), CLASSES).to(DEVICE)
    optimiser = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9, weight_decay=5e-4)
    x = torch.randn(protocol.batch, 3, protocol.side, protocol.side, device=DEVICE)
    y = torch.arange(protocol.batch, device=DEVICE) % CLASSES
    start = time.perf_counter()
    for _ in range(epochs):
        for part in data.labels.split(protocol.batch):
            optimiser.zero_grad()
            F.cross_entropy(model(x[: len(part)]), y[: len(part)]).backward()
            optimiser.step()
    with torch.inference_mode():
        torch.cat([model(x[: len(part)]) for part in test.labels.split(protocol.batch)]).sum().item()  # waits for a GPU
    return time.perf_counter() - start


def images(per_class, side, seed):
    """Smooth pictures: noise would make PNG files slower to decode than photographs are."""
    random = torch.Generator().manual_seed(seed)
    coarse = 255 * torch.rand(CLASSES * per_class, 3, side // 8, side // 8, generator=random)
    pixels = F.interpolate(coarse, scale_factor=8, mode="bilinear").round().to(torch.uint8)
    labels = torch.arange(CLASSES).repeat_interleave(per_class)
    return LabeledImages(pixels, labels, tuple(f"class{k}" for k in range(CLASSES)))


CASES = {
    "convolution dominates: width 128, depth 5, 64 px": (ConvNet(5, 128), 256, 64, 5, 1),
    "small network: convnet3-w32, 64 px": (ConvNet(3, 32), 256, 64, 10, 8),
    "small network: convnet3-w32, 32 px": (ConvNet(3, 32), 256, 32, 10, 16),
}
"""network, side of the stored images (the field keeps 256 px PNG), side of the protocol, images a class, epochs"""


@pytest.mark.parametrize("case", CASES)
def test_throughput(case, tmp_path):
    network, stored, side, per_class, epochs = CASES[case]
    protocol = dataclasses.replace(minimax_sgd_1, side=side)
    data, test = images(per_class, stored, 0), images(2, stored, 1)
    before = torch.get_num_threads()
    torch.set_num_threads(THREADS)
    try:
        ours(protocol, images(2, stored, 2), test, network, 1, tmp_path)  # warm
        rounds = [
            [run(protocol, data, test, network, epochs, tmp_path) for run in (ours, straightforward, network_alone)]
            for _ in range(3)
        ]
    finally:
        torch.set_num_threads(before)
    mine, plain, bound = (min(column) for column in zip(*rounds, strict=True))
    trained = len(data) * epochs
    print(
        f"\n{case}: {trained} train and {len(test)} judged images on {THREADS} threads, {DEVICE}, best of three\n"
        f"  ours {trained / mine:.0f} images/s, image by image {trained / plain:.0f}, network alone "
        f"{trained / bound:.0f}\n"
        f"  {plain / mine:.2f} times as fast as image by image; {bound / mine:.0%} of the network alone"
    )
    print(f"  {provenance()}")
