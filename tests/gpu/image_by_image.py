"""The loop that papers judge with, as an independent reference: an ImageFolder of PNG files through the transforms of
torchvision, image by image in eight workers, into a ConvNet of torch's own layers. A script:

    python image_by_image.py cuda    prints the seconds of one training image as JSON

Resize, random resized crop, flip, colour jitter, lighting, normalisation and CutMix are those of IGD's and Minimax's
evaluation. Workers live on between epochs, and their start is not in the seconds, which is kinder to the loop than the
papers' code.
"""

import json
import sys
import tempfile
import time
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader
from torchvision import datasets, transforms

CLASSES, EACH, BATCH, WORKERS = 10, 10, 64, 8
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
EIGENVALUES = torch.tensor([0.2175, 0.0188, 0.0045])
EIGENVECTORS = torch.tensor([[-0.5675, 0.7192, 0.4009], [-0.5808, -0.0045, -0.8140], [-0.5836, -0.6948, 0.4203]])


def lit(x):
    return x + (EIGENVECTORS @ (0.1 * torch.randn(3) * EIGENVALUES))[:, None, None]


def folder(root, side):
    """Smooth pictures, since noise would make PNG files slower to decode than photographs are."""
    random = torch.Generator().manual_seed(0)
    coarse = torch.rand(CLASSES * EACH, 3, side // 8, side // 8, generator=random)
    pictures = F.interpolate(coarse, scale_factor=8, mode="bilinear")
    for i, picture in enumerate(pictures):
        place = Path(root) / f"class{i // EACH}"
        place.mkdir(exist_ok=True)
        transforms.functional.to_pil_image(picture).save(place / f"{i}.png")


def loader(root, side, workers):
    changes = [
        transforms.Resize(side),
        transforms.CenterCrop(side),
        transforms.RandomResizedCrop(side, scale=(0.5, 1.0)),
        transforms.RandomHorizontalFlip(),
        transforms.ToTensor(),
        transforms.ColorJitter(0.4, 0.4, 0.4),
        transforms.Lambda(lit),
        transforms.Normalize(MEAN, STD),
    ]
    images = datasets.ImageFolder(root, transforms.Compose(changes))
    return DataLoader(images, BATCH, shuffle=True, num_workers=workers, persistent_workers=True, pin_memory=True)


def convnet(depth, width, side):
    layers, channels = [], 3
    for _ in range(depth):
        layers += [nn.Conv2d(channels, width, 3, padding=1), nn.GroupNorm(width, width), nn.ReLU(), nn.AvgPool2d(2)]
        channels = width
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(width * (side >> depth) ** 2, CLASSES))


def epoch(model, optimiser, images, device):
    for x, y in images:
        x, y = x.to(device, non_blocking=True), y.to(device, non_blocking=True)
        partners, side = torch.randperm(len(x), device=device), x.shape[-1]
        cut = int(side * float(torch.rand(())) ** 0.5)
        top, left = (int(torch.randint(side, ())) for _ in range(2))
        box = slice(top, min(top + cut, side)), slice(left, min(left + cut, side))
        x[:, :, box[0], box[1]] = x[partners][:, :, box[0], box[1]]
        kept = 1 - (box[0].stop - top) * (box[1].stop - left) / side**2
        logits = model(x)
        loss = kept * F.cross_entropy(logits, y) + (1 - kept) * F.cross_entropy(logits, y[partners])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        loss.item()  # papers' loops keep a running mean


def seconds_an_image(device, toy):
    """Seconds of one training image of ConvNet-6 at 224 px in batches of 64, IPC 10."""
    side, depth, width, epochs, workers = (16, 2, 8, 1, 2) if toy else (224, 6, 128, 10, WORKERS)
    with tempfile.TemporaryDirectory() as root:
        folder(root, 16 if toy else 256)
        images = loader(root, side, workers)
        model = convnet(depth, width, side).to(device)
        optimiser = torch.optim.AdamW(model.parameters(), lr=1e-3)
        epoch(model, optimiser, images, device)  # starts the workers
        began = time.perf_counter()
        for _ in range(epochs):
            epoch(model, optimiser, images, device)
        return (time.perf_counter() - began) / (epochs * CLASSES * EACH)


if __name__ == "__main__":
    print(json.dumps(seconds_an_image(sys.argv[1], sys.argv[1] == "cpu")))
