"""DPP in other spaces: gradients through features and decoder, centring, quality, and which space asks for what."""

import pytest
import torch
import torch.nn.functional as F

from ddbench.evaluators.networks import convnet3_w32
from ddbench.methods.diffusion.codec import PixelCodec
from ddbench.methods.diffusion.context import SamplingContext
from ddbench.methods.diffusion.guidances import features as features_module
from ddbench.methods.diffusion.guidances.cgs import CGS
from ddbench.methods.diffusion.guidances.features import Features
from ddbench.methods.diffusion.guidances.guidance import LatentSets, Predicted
from ddbench.methods.diffusion.guidances.kernel_surrogate import NAME, KernelSurrogate
from ddbench.methods.diffusion.guidances.kernels import Kernels
from ddbench.methods.diffusion.method import Diffusion
from ddbench.methods.diffusion.sampler import Sampler
from ddbench.methods.embedder import Embedder
from ddbench.types import StageContext
from tests.methods.diffusion.test_igd import Smooth, Unscaled

CONTEXT = StageContext(seed=0, networks={"net": convnet3_w32})
SURROGATE = KernelSurrogate(network="net", epochs=1, batch=8)


class Net(Smooth):
    def features(self, x):
        return torch.tanh(self.first(x.flatten(1).double() / 8))


def scene(images, beside=None, ipc=3):
    return SamplingContext(images.classes, ipc, images, PixelCodec(), PixelCodec(), CONTEXT, beside or {})


@pytest.fixture
def smooth(images):
    """A smooth surrogate in float64."""
    return Embedder(Net(), Unscaled((0.0,), (1.0,), 8), images.shape, images.classes)


def drawn(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("centre", [True, False])
@pytest.mark.parametrize("quality", [0.0, 0.5])
@pytest.mark.parametrize("size", [1, 10**9])
def test_the_gradient_equals_autograd_of_the_loss_written_out(images, smooth, centre, quality, size, monkeypatch):
    """Whether the surrogate sees images one by one or all at once."""
    monkeypatch.setattr(features_module, "VALUES", size)
    x = drawn(4, 3, 1, 8, 8).requires_grad_(True)
    pixels = (x + 1) * 127.5 / 127.5 - 1  # in [-1, 1], as ``Unscaled`` makes them
    seen = pixels.flatten(0, 1)
    vectors = smooth.network.features(seen).unflatten(0, (4, 3))
    if centre:
        real = [smooth.features(images.of_class(k)).double().mean(0) for k in range(4)]
        vectors = vectors - torch.stack(real)[:, None]
    u = F.normalize(vectors, dim=-1)
    loss = -torch.logdet(u @ u.mT + 1e-2 * torch.eye(3, dtype=torch.float64)).sum()
    labels = torch.arange(4).repeat_interleave(3)
    loss = loss - 2 * quality * smooth.network(seen).log_softmax(1)[torch.arange(12), labels].sum()
    (expected,) = torch.autograd.grad(loss, x)
    found = Features(smooth, scene(images), centre).gradient(x.detach(), 1e-2, quality)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-7)  # real features are kept in float32


def sets_of(images, n=3, abar=0.25):
    """Sets whose network predicts one noise, whatever it is shown."""
    z, eps = torch.randn(2, len(images.classes), n, *images.shape, generator=torch.Generator().manual_seed(1))

    def predict(latents):
        return Predicted(eps, (latents - (1 - abar) ** 0.5 * eps) / abar**0.5)

    return LatentSets(z, predict(z).x0_hat, z.mean(1) / 2, abar, 0.5, predict)


@pytest.mark.parametrize("kernel", ["z_t", "x0_hat"])
def test_without_centre_and_quality_it_is_cgs(images, kernel):
    options, given = {"eta_dpp": 0.5, "eta_dm": 3, "kernel": kernel}, sets_of(images)
    found = Kernels(**options, centre=False).begin(scene(images)).correction(given)
    torch.testing.assert_close(found, CGS(**options).correction(given), rtol=0, atol=0)


@pytest.mark.parametrize("kernel", ["z_t", "x0_hat", "features"])
@pytest.mark.parametrize("quality", [0.0, 0.3])
def test_every_space_is_the_chain_rule_to_the_latents_at_fixed_noise(images, smooth, kernel, quality):
    given = sets_of(images)
    options = Kernels(kernel=kernel, quality=quality, eta_dpp=1, eta_dm=0, epsilon=1e-2)
    found = options.begin(scene(images, {NAME: smooth})).correction(given)
    z = given.latents.double().requires_grad_(True)
    noise = given.predict(given.latents).eps.double()
    x0_hat = (z - 0.75**0.5 * noise) / 0.5
    if kernel == "features":
        real = [smooth.features(images.of_class(k)).double().mean(0) for k in range(4)]
        v = smooth.network.features(x0_hat.flatten(0, 1)).unflatten(0, (4, 3)) - torch.stack(real)[:, None]
    else:
        points, mean = (z, 0.5 * given.mean) if kernel == "z_t" else (x0_hat, given.mean)
        v = (points - mean[:, None].double()).flatten(2)
    u = F.normalize(v, dim=-1)
    loss = -torch.logdet(u @ u.mT + 1e-2 * torch.eye(3, dtype=torch.float64)).sum()
    p = smooth.network(x0_hat.flatten(0, 1)).log_softmax(1)[torch.arange(12), torch.arange(4).repeat_interleave(3)]
    (expected,) = torch.autograd.grad(loss - 2 * quality * p.sum(), z)
    torch.testing.assert_close(found.double(), expected, rtol=1e-3, atol=1e-4)


def test_only_what_needs_a_surrogate_prepares_one():
    assert Kernels(kernel="z_t").preparations(0) == () and Kernels(kernel="x0_hat").networks() == ()
    assert Kernels().preparations(0) == (KernelSurrogate(),)
    assert Kernels(kernel="z_t", quality=1.0).networks() == ("convnet3",)


def test_a_trained_surrogate_stands_beside_the_model_and_guides_its_samples(images, model, tmp_path):
    SURROGATE.save(SURROGATE.run(images, None, CONTEXT), tmp_path)
    beside = SURROGATE.load(tmp_path, model, CONTEXT)
    sampler = Sampler(steps=3, guidance_scale=1.0, clip_x0=True)

    def made(guidance, micro_batch=256):
        method = Diffusion(guidance=guidance, sampler=Sampler(**{**vars(sampler), "micro_batch": micro_batch}))
        return method.distill(images, beside, 3, CONTEXT).images

    options = {"eta_dpp": 5.0, "eta_dm": 0.0, "surrogate": SURROGATE}
    guided = made(Kernels(**options, place="before"))
    assert not torch.equal(guided, made(Kernels(**options, place="before", quality=5.0)))
    assert not torch.equal(guided, made(None))
    apart = (guided.int() - made(Kernels(**options, place="before"), micro_batch=2).int()).abs()
    assert apart.max() <= 1, "an image does not depend on the micro-batch"
