"""The corrections beyond CGS beside CGS's own: time and memory at N latents of 4x32x32 of one class, and the share of
the network in a kernel of features.

pytest tests/perf/test_guidance_beyond.py -s
"""

import dataclasses
import time
from functools import partial

import pytest
import torch
from diffusers import AutoencoderKL

from ddbench.evaluators.networks import convnet3_w32
from ddbench.methods.diffusion.codec import PixelCodec
from ddbench.methods.diffusion.context import SamplingContext
from ddbench.methods.diffusion.guidances.between import Between
from ddbench.methods.diffusion.guidances.cgs import CGS
from ddbench.methods.diffusion.guidances.dpp import dpp_loss_and_gradient
from ddbench.methods.diffusion.guidances.features import Features
from ddbench.methods.diffusion.guidances.guidance import LatentSets, Predicted
from ddbench.methods.diffusion.guidances.kernels import Kernels
from ddbench.methods.diffusion.guidances.moments import Moments
from ddbench.methods.embedder import Embedder, Scaling
from ddbench.stages.provenance import provenance
from ddbench.types import LabeledImages, StageContext
from tests.perf.test_guidance import SIZES, peak
from tests.support.pipelines import KL, seeded

REAL = 200
"""images of a real class; a class of ImageNet has 1,300, which the correction does not see"""
ROUNDS = 7
"""of all ways in turn, of which the shortest count: other work of the machine comes and goes"""


@pytest.fixture(scope="module", autouse=True)
def machine():
    torch.set_num_threads(1)
    print(f"\n{provenance()['processor']}, torch {torch.__version__}, one thread")


def real(shape, classes):
    random = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (REAL * classes, *shape), generator=random, dtype=torch.uint8)
    names = tuple(f"c{k}" for k in range(classes))
    return LabeledImages(images, torch.arange(classes).repeat_interleave(REAL), names)


def scene(n, classes=1, shape=(4, 32, 32)):
    images = real(shape, classes)
    return SamplingContext(images.classes, n, images, PixelCodec(), PixelCodec(), StageContext(seed=0), {})


def sets(n, classes=1, shape=(4, 32, 32)):
    z = torch.randn(classes, n, *shape)
    predict = lambda latents: Predicted(z, latents)  # noqa: E731
    return LatentSets(z, z, torch.randn(classes, *shape), 0.5, 0.5, predict)


def shortest(ways, rounds=ROUNDS):
    """The least processor seconds of each way, of ``rounds`` in which each is timed once, after the one before it."""
    for work in ways:
        work()
    return list(map(min, zip(*([once(work) for work in ways] for _ in range(rounds)), strict=True)))


def once(work):
    start = time.process_time()
    work()
    return time.process_time() - start


CORRECTIONS = {
    "moments, variance": (Moments(match="variance"), 1),
    "moments, covariance along 10 directions": (Moments(), 1),
    "moments, covariance in the span": (Moments(scope="span"), 1),
    "moments, mean of 4 modes": (Moments(match="mean", modes=4), 1),
    "kernels, centred latents": (Kernels(kernel="z_t"), 1),
    "kernels, centred x0_hat, the network apart": (Kernels(kernel="x0_hat"), 1),
    "between, ten classes": (Between(), 10),
}


@pytest.mark.parametrize("n", SIZES)
def test_a_correction_takes_at_most_three_times_that_of_cgs(n):
    for name, (guidance, classes) in CORRECTIONS.items():
        given = sets(n, classes)
        guide = guidance.begin(scene(n, classes))
        ways = [partial(CGS().correction, given), partial(guide.correction, given)]
        own, found = shortest(ways, 5 * ROUNDS)
        memory = [peak(work) for work in ways]
        print(
            f"N = {n}, D = 4096, {name}: {1e3 * found:.2f} ms, {found / own:.2f} x CGS ({1e3 * own:.2f} ms); "
            f"{memory[1]:.1f} MiB, {memory[1] / memory[0]:.2f} x ({memory[0]:.1f} MiB)"
        )
        assert found < 3 * own


class Decoded(PixelCodec):
    """Latents of 4 x 32 x 32 that an AutoencoderKL of two blocks, of random weights, turns into images of 3 x 64 x 64:
    far smaller than that of a published prior, whose share is larger."""

    def __init__(self):
        self.vae = seeded(AutoencoderKL, **KL)

    def render(self, latents):
        return self.vae.decode(latents / self.vae.config.scaling_factor).sample


@pytest.mark.parametrize("n", SIZES)
def test_a_kernel_of_features_takes_at_most_ten_times_cgs_beside_its_network(n):
    """Images of 1x64x64, which are 4096 elements too; the network's share is its features, forwards and backwards."""
    shape = (1, 64, 64)
    images = real(shape, 1)
    network = convnet3_w32(shape, 1).eval()
    embedder = Embedder(network, Scaling.of(images.images, 16), shape, images.classes)
    features, x = Features(embedder, scene(n, 1, shape), True), torch.rand(1, n, *shape) * 2 - 1
    ones = torch.ones_like(network.features(x.flatten(0, 1)).flatten(1))
    works = (
        partial(features.gradient, x, 1e-3, 0.0),
        partial(features.gradient, x, 1e-3, 1.0),
        partial(network_alone, features, x, ones),
        partial(dpp_loss_and_gradient, ones[None] + torch.randn(1, *ones.shape), 1e-3),
        partial(CGS().correction, sets(n, 1, shape)),
    )
    whole, with_quality, share, kernel, own = shortest(works)
    whole_mib, quality_mib, share_mib, kernel_mib, own_mib = map(peak, works)
    print(
        f"N = {n}, {ones.shape[1]} features: {1e3 * whole:.1f} ms, of which the network {1e3 * share:.1f} ms; with "
        f"quality {1e3 * with_quality:.1f} ms, {with_quality / whole:.2f} x; the kernel alone {1e3 * kernel:.2f} ms, "
        f"{kernel / own:.2f} x CGS ({1e3 * own:.2f} ms); {whole_mib:.1f} MiB, of the network {share_mib:.1f} MiB, with "
        f"quality {quality_mib:.1f} MiB; of the kernel alone {kernel_mib:.1f} MiB, {kernel_mib / own_mib:.2f} x CGS "
        f"({own_mib:.1f} MiB)"
    )
    assert kernel < 10 * own and kernel_mib < 10 * own_mib
    assert whole - share < 10 * own + 0.1 * share  # what the clock tells of a difference of two long times
    assert with_quality < 2.2 * whole  # its pass through the network is a second one, no third


@pytest.mark.parametrize("n", SIZES[:1])
def test_behind_a_decoder_the_time_is_that_of_decoder_and_network(n):
    images = real((3, 64, 64), 1)
    network = convnet3_w32((3, 64, 64), 1).eval()
    embedder = Embedder(network, Scaling.of(images.images, 16), (3, 64, 64), images.classes)
    context = dataclasses.replace(scene(n), real=images, decoder=Decoded())
    features, x = Features(embedder, context, True), torch.randn(1, n, 4, 32, 32)
    with torch.no_grad():
        pixels = context.decoder.render(x.flatten(0, 1))
        ones = torch.ones_like(network.features(pixels).flatten(1))
    behind = Features(embedder, dataclasses.replace(context, decoder=PixelCodec()), True)
    whole, share, network_share = shortest(
        (
            partial(features.gradient, x, 1e-3, 0.0),
            partial(network_alone, features, x, ones),
            partial(network_alone, behind, pixels[None], ones),
        )
    )
    print(
        f"N = {n} behind a decoder of two blocks: {1e3 * whole:.1f} ms, of which decoder and network {1e3 * share:.1f} "
        f"ms, the network {1e3 * network_share:.1f} ms"
    )
    assert network_share < share
    assert whole < 1.3 * share


def network_alone(features, x, ones):
    """What decoder and network take of ``features.gradient``: forwards without a graph, then forwards and backwards."""
    flat = x.flatten(0, 1)
    with torch.no_grad():
        features._features(flat)
    features._back(flat, ones, torch.zeros(len(flat), dtype=torch.int64), 0.0)
