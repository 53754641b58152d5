"""Small things that many tests need: a tiny diffusion model, tiny images, a tiny study."""

from __future__ import annotations

import os
from pathlib import Path

import hypothesis
import pytest
import torch

os.environ.setdefault("NO_COLOR", "1")
# The processes that tests start would compile the package anew each, half a second of their time.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

torch.set_num_threads(1)

# A busy machine is slow: no test asserts a time.
hypothesis.settings.register_profile("untimed", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("untimed")

TINY_STUDY = """\
name: tiny
grid:
  datasets: [digits]
  methods: [random, rsm, rsm_cgs]
  ipc: [1]
  archs: [convnet3-w32]
  protocol: cpu-small@1
  seeds: [0, 1]
  eval_seeds: [0]
methods:
  diffusion:
    prior: {width: 16, layers: 1, heads: 1, training: {steps: 12, batch: 8, warmup: 2}}
    finetune: {steps: 6, batch: 8, warmup: 2}
    sampler: {steps: 4, guidance_scale: 1.5, clip_x0: true}
  dm: {iterations: 3, batch_real: 8, embedder: convnet3-w32, augmentations: color_crop_cutout_scale_rotate}
"""


@pytest.fixture
def tiny_study(tmp_path: Path) -> Path:
    """A study whose stages take fractions of a second, through the same code as the large ones."""
    path = tmp_path / "tiny.yaml"
    path.write_text(TINY_STUDY)
    return path


@pytest.fixture
def images():
    """Forty random 8x8 grey images of four classes."""
    from ddbench.types import LabeledImages

    random = torch.Generator().manual_seed(0)
    return LabeledImages(
        images=torch.randint(0, 256, (40, 1, 8, 8), generator=random, dtype=torch.uint8),
        labels=torch.arange(4).repeat(10),
        classes=("a", "b", "c", "d"),
    )


@pytest.fixture
def model():
    """An untrained DiT of four classes on 8x8 grey images whose output is not zero."""
    return make_model()


def make_model(classes=("a", "b", "c", "d"), seed=0):
    from diffusers import DDPMScheduler

    from ddbench.methods.diffusion.codec import PixelCodec
    from ddbench.methods.diffusion.model import DiffusionModel, new_transformer

    with torch.random.fork_rng():
        torch.manual_seed(seed)
        transformer = new_transformer(
            width=16, layers=2, heads=2, patch=2, channels=1, size=8, num_classes=len(classes)
        )
        for parameter in transformer.parameters():
            parameter.data.add_(0.05 * torch.randn_like(parameter))
    return DiffusionModel(
        transformer.eval(), DDPMScheduler(1000, clip_sample=False), tuple(classes), PixelCodec(), PixelCodec()
    )
