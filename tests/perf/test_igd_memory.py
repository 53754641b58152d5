"""Memory of IGD's gradient at the papers' size, counted on a CPU in float32: DiT-XL/2, the autoencoder's decoder and
ConvNet-6 at 256 px, all untrained, for one image. Linux alone.

pytest tests/perf/test_igd_memory.py -s -o addopts=
"""

from pathlib import Path

import pytest
import torch
from diffusers import AutoencoderKL, DDPMScheduler, DiTTransformer2DModel

from ddbench.evaluators.networks import convnet6
from ddbench.methods.diffusion.codec import DiffusersCodec, PixelCodec
from ddbench.methods.diffusion.denoise import _Run
from ddbench.methods.diffusion.guidances.igd_influence import Influence
from ddbench.methods.diffusion.guidances.igd_surrogate import Surrogate
from ddbench.methods.diffusion.model import DiffusionModel
from ddbench.methods.diffusion.noise import SetNoise
from ddbench.methods.diffusion.sampler import Sampler
from ddbench.methods.embedder import Embedder, Scaling

SELF = Path("/proc/self")


def memory(kind):
    """VmRSS, resident now, or VmHWM, its peak: GiB."""
    line = next(line for line in (SELF / "status").read_text().splitlines() if line.startswith(kind))
    return int(line.split()[1]) / 2**20


class Peak:
    """GiB of resident memory above what was there before, at most, inside ``with``."""

    def __enter__(self):
        (SELF / "clear_refs").write_text("5")  # the peak starts anew
        self.before = memory("VmRSS")
        return self

    def __exit__(self, *error):
        self.gib = memory("VmHWM") - self.before


@pytest.fixture(autouse=True)
def one_thread():
    torch.set_num_threads(1)
    if not (SELF / "clear_refs").exists():
        pytest.skip("the peak of memory is read from /proc")


def test_the_guided_network():
    transformer = DiTTransformer2DModel(
        num_attention_heads=16, attention_head_dim=72, in_channels=4, out_channels=8, num_layers=28, sample_size=32
    )
    names = tuple(map(str, range(1000)))
    model = DiffusionModel(transformer.eval(), DDPMScheduler(1000), names, PixelCodec(), PixelCodec())
    noise = SetNoise(0, ("3",), range(1), (4, 32, 32))
    z = noise.draws(0)[0]
    sets = _Run(model, noise, Sampler(), None)._sets(5, z, z)
    x = z.clone().requires_grad_(True)
    with Peak() as peak:
        x0_hat = sets.predict(x).x0_hat
        held = memory("VmRSS") - peak.before
        torch.autograd.grad(x0_hat.sum(), x)
    print(f"\nDiT-XL/2, one image under guidance: {held:.2f} GiB held, {peak.gib:.2f} GiB at most")
    assert held < 1


def test_the_decoder():
    vae = AutoencoderKL(
        block_out_channels=(128, 256, 512, 512),
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        layers_per_block=2,
        latent_channels=4,
        sample_size=256,
    )
    z = torch.randn(1, 4, 32, 32, requires_grad=True)
    with Peak() as peak:
        torch.autograd.grad(DiffusersCodec(vae).render(z).sum(), z)
    print(f"\ndecoder, one image of 256 px: {peak.gib:.2f} GiB at most")
    assert peak.gib < 2


def test_the_surrogate():
    network = convnet6((3, 256, 256), 10).eval()
    embedder = Embedder(network, Scaling((127.5,), (127.5,), 0), (3, 256, 256), tuple("abcdefghij"))
    real = torch.randint(0, 256, (50, 3, 256, 256), dtype=torch.uint8)
    with Peak() as of_real:
        influence = Influence(Surrogate(embedder, (dict(network.state_dict()),)), PixelCodec(), [0], [real])
    with Peak() as peak:
        influence.by_level(torch.rand(1, 3, 256, 256) * 255, torch.zeros(1, dtype=torch.long))
    print(
        f"\nConvNet-6 at 256 px: {peak.gib:.2f} GiB at most for the gradient by an image, {of_real.gib:.2f} GiB for "
        "the mean gradient of 50 real images, once a class"
    )
    assert peak.gib < 2
