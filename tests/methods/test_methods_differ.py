"""On a prior trained on real digits, each part of RSM + CGS does what it is for, from the same noise."""

import pytest
import torch

from ddbench import seeding
from ddbench.data.digits import Digits
from ddbench.methods.diffusion.guidances.cgs import CGS
from ddbench.methods.diffusion.latents import class_means
from ddbench.methods.diffusion.objectives.objective import Plain, Prediction
from ddbench.methods.diffusion.objectives.rsm import RSM
from ddbench.methods.diffusion.priors.scratch import ScratchPrior
from ddbench.methods.diffusion.sampler import Sampler
from ddbench.methods.diffusion.training.finetune import FineTune
from ddbench.methods.diffusion.training.options import FineTuning, Training
from ddbench.types import StageContext
from tests.support.sampled import sampled

SAMPLER = Sampler(steps=25, guidance_scale=1.5, clip_x0=True)
TUNING = FineTuning(steps=120, batch=32, lr=1e-3, warmup=50, decay="linear", ema=0, mirror=False, parameters="full")


@pytest.fixture(scope="module")
def real():
    return Digits().load("train")


@pytest.fixture(scope="module")
def prior(real, tmp_path_factory):
    """A function that loads a fresh copy of a prior trained for a few seconds."""
    trained = ScratchPrior(width=48, layers=3, heads=2, training=Training(steps=700, batch=32, lr=2e-3))
    folder = tmp_path_factory.mktemp("prior")
    trained.save(trained.run(real, None, StageContext(seed=0)), folder)
    return lambda: trained.load(folder, None, StageContext(seed=0))


@pytest.fixture(scope="module")
def dit_ft(real, prior):
    return FineTune(objective=Plain(), training=TUNING).run(real, prior(), StageContext(seed=0))


def mean_abs_x0_hat(model, real):
    """mean |x0_hat| of real images at the same noise, in five bins of the timestep."""
    random = seeding.generator("measure")
    x0 = model.encoder.encode(real.images)
    result = []
    for low in range(0, 1000, 200):
        t = torch.randint(low, low + 200, (len(x0),), generator=random)
        eps = torch.randn(x0.shape, generator=random)
        abar = model.alphas_cumprod[t].view(-1, 1, 1, 1)
        x_t = abar.sqrt() * x0 + (1 - abar).sqrt() * eps
        with torch.no_grad():
            eps_hat = model.predict(x_t, t, real.labels)[0]
        found = Prediction(x0=x0, x_t=x_t, eps_hat=eps_hat, abar=abar, labels=real.labels).x0_hat
        result.append(found.abs().mean().item())
    return result


def test_rsm_lowers_the_size_of_the_predicted_image_in_every_bin_of_the_timestep(real, prior, dit_ft):
    rsm = FineTune(objective=RSM(weight=0.05), training=TUNING).run(real, prior(), StageContext(seed=0))
    plain, sparse = mean_abs_x0_hat(dit_ft, real), mean_abs_x0_hat(rsm, real)
    print("mean |x0_hat| by 200 timesteps: dit_ft", [f"{v:.3f}" for v in plain], "rsm", [f"{v:.3f}" for v in sparse])
    assert all(b < a for a, b in zip(plain, sparse, strict=True))


@pytest.fixture(scope="module")
def measured(real, dit_ft):
    """(distance of the class mean, log-determinant) of sets of eight under each guidance, from the same noise."""
    names = real.classes
    means = class_means(dit_ft.encoder, real, StageContext(seed=0))

    def of(guidance):
        z = sampled(dit_ft, names, 8, SAMPLER, 0, guidance, means)
        u = torch.nn.functional.normalize(z.flatten(2).double(), dim=2)
        determinant = torch.logdet(u @ u.mT + 1e-3 * torch.eye(8, dtype=torch.float64))
        return (z.mean(1) - means).flatten(1).norm(dim=1), determinant

    found = {"none": of(None), "dm": of(CGS(eta_dpp=0, eta_dm=20)), "dpp": of(CGS(eta_dpp=0.5, eta_dm=0))}
    for name, (distance, determinant) in found.items():
        print(f"{name}: distance of the mean {distance.mean():.3f}, log-determinant {determinant.mean():.2f}")
    return found


def test_the_mean_term_brings_the_mean_of_every_class_nearer(measured):
    assert (measured["dm"][0] < measured["none"][0]).all()
    assert measured["dm"][0].mean() < 0.7 * measured["none"][0].mean()


def test_the_dpp_term_raises_the_log_determinant_of_every_class(measured):
    assert (measured["dpp"][1] > measured["none"][1]).all()
