"""The gradients of IGD: ten images side by side beside ten by themselves, at the digits' size and at 64 px.

pytest tests/perf/test_igd.py -s -o addopts=
"""

import pytest
import torch

from ddbench.evaluators.networks import convnet3_w32
from ddbench.methods.diffusion.codec import PixelCodec
from ddbench.methods.diffusion.guidances import igd_influence
from ddbench.methods.diffusion.guidances.igd_influence import Influence
from ddbench.methods.diffusion.guidances.igd_surrogate import TrainedSurrogate
from ddbench.stages.provenance import provenance
from ddbench.types import LabeledImages, StageContext
from tests.support.timing import seconds

CLASSES = tuple("abcdefghij")


def guide(side, channels):
    random = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (100, channels, side, side), generator=random, dtype=torch.uint8)
    images = LabeledImages(pixels, torch.arange(10).repeat(10), CLASSES)
    context = StageContext(seed=0, networks={"net": convnet3_w32})
    surrogate = TrainedSurrogate(network="net", epochs=1, checkpoints=(0, 1)).run(images, None, context)
    x = torch.randn(10, channels, side, side, generator=random)
    return Influence(surrogate, PixelCodec(), range(10), [images.of_class(k) for k in range(10)]), x


@pytest.mark.parametrize(("side", "channels"), [(8, 1), (64, 3)])
def test_side_by_side_is_faster_and_the_same(side, channels, monkeypatch):
    torch.set_num_threads(1)
    made, x = guide(side, channels)
    found, took = {}, {}
    for together in (1, 10):
        monkeypatch.setattr(igd_influence, "VALUES", together * x[0].numel())
        found[together] = made.by_latent(x, torch.arange(10))
        took[together] = seconds(lambda: made.by_latent(x, torch.arange(10)))
    difference = (found[1] - found[10]).norm() / found[1].norm()
    print(
        f"\n{provenance()['processor']}, torch {torch.__version__}, one thread, {side} px: ten images side by side "
        f"{1000 * took[10]:.0f} ms, one by one {1000 * took[1]:.0f} ms: {took[1] / took[10]:.2f}x; relative difference "
        f"of the gradients {difference:.1e}"
    )
    assert difference < 1e-4
