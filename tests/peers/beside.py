"""What comparisons with other code share: its checkout, images of ImageNette, the difference and its interval."""

import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from ddbench.types import LabeledImages


def checkout(variable, commit):
    """The folder that an environment variable names, a clone at ``commit``; skips where there is none."""
    if not (folder := os.environ.get(variable)):
        pytest.skip(f"{variable} names no clone of the other code")
    head = subprocess.run(["git", "-C", folder, "rev-parse", "HEAD"], capture_output=True, text=True).stdout.strip()
    assert head.startswith(commit), f"{variable} is at {head}, and the comparison is with {commit}"
    return Path(folder).resolve()


def nette(split, per_class, side, seed=0):
    """``per_class`` images of each class of ImageNette, central squares at ``side`` px; ``split``: train or val."""
    if not (folder := os.environ.get("IMAGENETTE")):
        pytest.skip("IMAGENETTE names no folder with train/ and val/")
    root = Path(folder) / split
    classes = sorted(path.name for path in root.iterdir())
    pixels, labels = [], []
    for label, name in enumerate(classes):
        files = sorted((root / name).iterdir())
        for i in np.random.RandomState(100 * seed + label).permutation(len(files))[:per_class]:
            pixels.append(np.asarray(_square(Image.open(files[i]).convert("RGB"), side)))
            labels.append(label)
    images = torch.tensor(np.stack(pixels)).permute(0, 3, 1, 2).contiguous()
    return LabeledImages(images, torch.tensor(labels), tuple(classes))


def _square(image, side):
    left, top = ((n - min(image.size)) // 2 for n in image.size)
    return image.crop((left, top, left + min(image.size), top + min(image.size))).resize((side, side), Image.BILINEAR)


def difference(ours, theirs):
    """(mean of ours - mean of theirs, low, high): Student's 95 % interval of two groups, per cent; printed."""
    from scipy import stats

    found = stats.ttest_ind(ours, theirs).confidence_interval(0.95)
    said = [f"{100 * np.mean(side):.1f} ± {100 * np.std(side, ddof=1):.1f}" for side in (ours, theirs)]
    parts = 100 * (np.mean(ours) - np.mean(theirs)), 100 * found.low, 100 * found.high
    print("\nours {}, theirs {}: {:+.1f} ({:+.1f} to {:+.1f})".format(*said, *parts))
    return parts


def number(variable, default):
    """A whole number from the environment, to shorten a comparison."""
    return int(os.environ.get(variable, default))
