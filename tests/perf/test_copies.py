"""How near real images of two splits come to each other, how near copies stay, and what looking for copies costs.

Run with ``pytest tests/perf/test_copies.py -s``; a minute. The figures of ImageNette need its folder of 64 px images:
``IMAGENETTE=FOLDER``, the one that holds train/ and val/.
"""

import dataclasses
import io
import os
import time

import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn.functional import interpolate

from ddbench.data.digits import Digits
from ddbench.data.imagenet_subsets import ImageNette
from ddbench.evaluators.networks import ConvNet
from ddbench.evaluators.protocols import cpu_small_1
from ddbench.stages.copies import NEAR, Queries, find_copies
from ddbench.types import LabeledImages, StageContext


def dataset(name):
    if name == "digits":
        return Digits()
    if not (root := os.environ.get("IMAGENETTE")):
        pytest.skip("IMAGENETTE names no folder of images")
    return ImageNette(root=root, resolution=64, variant="any")


def jpeg(quality):
    def change(pixels):
        file = io.BytesIO()
        array = pixels.permute(1, 2, 0).numpy()
        Image.fromarray(array[:, :, 0] if len(pixels) == 1 else array).save(file, "jpeg", quality=quality)
        found = torch.from_numpy(np.array(Image.open(file)))
        return found[None] if found.ndim == 2 else found.permute(2, 0, 1)

    return change


def noise(sd):
    def change(pixels):
        drawn = torch.randn(pixels.shape, generator=torch.Generator().manual_seed(int(pixels.sum())))
        return (pixels + sd * drawn).round().clamp(0, 255).byte()

    return change


def half(pixels):
    small = interpolate(pixels[None].float(), scale_factor=0.5, mode="area")
    return interpolate(small, size=pixels.shape[1:], mode="bicubic")[0].round().clamp(0, 255).byte()


CHANGES = {
    "jpeg 75": jpeg(75),
    "jpeg 50": jpeg(50),
    "noise of 4 levels": noise(4),
    "noise of 8 levels": noise(8),
    "half the size and back": half,
    "10 levels brighter": lambda pixels: (pixels.int() + 10).clamp(0, 255).byte(),
    "mirrored": lambda pixels: pixels.flip(-1),
}


@pytest.mark.parametrize("name", ["digits", "imagenette"])
def test_real_images_of_two_splits_and_copies_are_told_apart(name):
    data = dataset(name)
    train, judged = data.load("train"), data.load("test")
    nearest = Queries.of(train.images).nearest(judged.images)[0].sort().values
    lowest, below = ", ".join(f"{v:.3f}" for v in nearest[:3]), int((nearest < NEAR).sum())
    print(f"\n{name}: {len(train)} train images to {len(judged)} judged ones: nearest {lowest}; below {NEAR}: {below}")
    assert below == 0
    some = judged.images[:: max(1, len(judged) // 400)]
    print(f"  of {len(some)} copies of judged images")
    for what, change in CHANGES.items():
        copies = torch.stack([change(one) for one in some])
        distances = Queries.of(copies).nearest(judged.images)[0]
        print(f"  {what:24} {(distances < NEAR).double().mean():6.1%} found, median {float(distances.median()):.3f}")


@pytest.mark.parametrize("name", ["digits", "imagenette"])
def test_looking_for_copies_is_cheap(name):
    torch.set_num_threads(1)
    data = dataset(name)
    train, judged = data.load("train"), data.load("test")
    chosen = torch.cat([(train.labels == k).nonzero()[:10, 0] for k in range(10)])
    made = LabeledImages(train.images[chosen], train.labels[chosen], train.classes)
    started = time.perf_counter()
    find_copies(made, judged, lambda: train)
    looking = time.perf_counter() - started
    once = dataclasses.replace(cpu_small_1, epochs_by_ipc=((1, 1),), evaluations=1)
    started = time.perf_counter()
    once.evaluate(made, judged, ConvNet(depth=3, width=32), StageContext(seed=0))
    judging = time.perf_counter() - started
    whole = f"an evaluation has {cpu_small_1.epochs_by_ipc[2][1]} epochs and {cpu_small_1.evaluations} judgements"
    print(f"\n{name}: looking {looking:.2f} s, one epoch and one judgement {judging:.2f} s; {whole}")
    assert looking < 2 * judging
