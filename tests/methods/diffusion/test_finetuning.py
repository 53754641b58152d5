"""LoRA, chunks of classes, resuming in mid-training, and the learned variance."""

import dataclasses
import math
import sys

import pytest
import torch

from ddbench.methods.diffusion.method import Diffusion
from ddbench.methods.diffusion.objectives.minimax import Minimax
from ddbench.methods.diffusion.objectives.objective import Plain
from ddbench.methods.diffusion.objectives.rsm import RSM
from ddbench.methods.diffusion.sampler import Sampler
from ddbench.methods.diffusion.training import train as training_module
from ddbench.methods.diffusion.training.finetune import FineTune
from ddbench.methods.diffusion.training.options import FineTuning
from ddbench.methods.diffusion.variance import learned_log_variance, variational_bound
from ddbench.types import StageContext
from tests.conftest import make_model

SHORT = FineTuning(steps=6, batch=8, lr=1e-2, decay="linear", ema=0, mirror=False, parameters="full")


def weights(model):
    return {name: p.detach().clone() for name, p in model.transformer.named_parameters()}


def tune(images, ctx=None, objective=None, **options):
    preparation = FineTune(objective=objective or Plain(), training=dataclasses.replace(SHORT, **options))
    return preparation.run(images, make_model(), ctx or StageContext(seed=0))


def predictions(model):
    x = torch.randn(4, 1, 8, 8, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        return model.predict(x, torch.full((4,), 500), torch.tensor([0, 1, 2, 3]))[0]


def test_lora_updates_the_attention_projections_by_a_low_rank_and_leaves_no_trace(images):
    pytest.importorskip("peft", reason="peft is not installed (the extra lora)")
    before = weights(make_model())
    model = tune(images, parameters="lora", rank=2)
    after = weights(model)
    assert set(after) == set(before)
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed == {name for name in before if "attn1" in name and name.endswith("weight")} == set(model.tuned[0][1])
    assert all(torch.linalg.matrix_rank(after[n] - before[n], rtol=1e-3) <= 2 for n in changed)


def test_lora_without_peft_says_what_to_install(images, monkeypatch):
    monkeypatch.setitem(sys.modules, "peft", None)
    with pytest.raises(ValueError, match=r"pip install -e '\.\[lora\]'"):
        tune(images, parameters="lora")


def test_each_chunk_starts_from_the_prior_and_serves_its_own_classes(images):
    model = tune(images, chunk=2)
    assert [members for members, _ in model.tuned] == [("a", "b"), ("c", "d")]
    alone = FineTune(training=dataclasses.replace(SHORT, chunk=2))
    assert model.chunks(("a", "b", "c", "d")) == [("a", "b"), ("c", "d")]
    mine = images.labels < 2
    first_only = dataclasses.replace(images, images=images.images[mine], labels=images.labels[mine], classes=("a", "b"))
    again = alone.run(first_only, make_model(), StageContext(seed=0))
    for name, tensor in again.tuned[0][1].items():
        assert torch.equal(tensor, model.tuned[0][1][name]), name


def test_sampling_puts_the_right_chunk_into_the_network(images):
    model = tune(images, chunk=2)
    method = Diffusion(objective=Plain(), sampler=Sampler(steps=3, guidance_scale=1.5))
    made = method.distill(images, model, 2, StageContext(seed=0))
    model.activate("d")
    turned = dataclasses.replace(images, labels=3 - images.labels, classes=("d", "c", "b", "a"))
    again = method.distill(turned, model, 2, StageContext(seed=0))
    for k in range(4):
        difference = made.of_class(k).int() - again.of_class(3 - k).int()
        assert difference.abs().max() <= 1


@pytest.mark.parametrize("objective", [RSM(), Minimax()], ids=["rsm", "minimax"])
def test_training_that_is_cut_off_resumes_to_the_same_weights(images, tmp_path, monkeypatch, objective):
    whole = weights(tune(images, objective=objective, ema=0.9))
    monkeypatch.setattr(training_module, "CHECKPOINT_SECONDS", -1.0)
    seen = []

    def stop(done, total):
        seen.append(done)
        if len(seen) == 3:
            raise KeyboardInterrupt

    logs = {}
    with pytest.raises(KeyboardInterrupt):
        tune(images, StageContext(seed=0, scratch=tmp_path, progress=stop), objective, ema=0.9)
    assert list(tmp_path.rglob("training.pt"))
    resumed = []
    ctx = StageContext(seed=0, scratch=tmp_path, progress=lambda done, total: resumed.append(done), log=logs.update)
    model = tune(images, ctx, objective, ema=0.9)
    assert resumed[0] == 3  # two steps were kept, the third was not
    for name, tensor in weights(model).items():
        assert torch.equal(tensor, whole[name]), name
    assert not list(tmp_path.rglob("training.pt"))


def test_accumulated_parts_give_the_gradient_of_the_batch(images):
    whole, parts = tune(images, lr=1e-4), tune(images, lr=1e-4, accumulate=4)
    torch.testing.assert_close(predictions(parts), predictions(whole), rtol=1e-3, atol=1e-4)


def test_activation_checkpointing_changes_nothing(images):
    first, second = weights(tune(images)), weights(tune(images, checkpoint_activations=True))
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_bf16_stays_near_fp32_and_keeps_weights_in_fp32(images):
    model = tune(images, precision="bf16", lr=1e-4)
    assert all(p.dtype == torch.float32 for p in model.transformer.parameters())
    full = predictions(tune(images, lr=1e-4))
    assert 0 < (predictions(model) - full).norm() < 0.1 * full.norm()


ABARS = torch.linspace(0.9999, 0.01, 50)


def test_learned_variance_reaches_from_the_posterior_to_beta():
    beta, posterior = torch.tensor(0.3), torch.tensor(0.1)
    for v, expected in ((-1.0, 0.1), (1.0, 0.3), (0.0, (0.1 * 0.3) ** 0.5)):
        assert learned_log_variance(torch.tensor(v), beta, posterior).exp().item() == pytest.approx(expected)


def bound(v, t, error=0.0):
    random = torch.Generator().manual_seed(0)
    x0 = torch.rand(3, 1, 4, 4, generator=random) - 0.5
    eps = torch.randn(x0.shape, generator=random)
    abar = ABARS[t]
    x_t = abar.sqrt() * x0 + (1 - abar).sqrt() * eps
    return variational_bound(x0, x_t, eps + error, v, torch.full((3,), t), ABARS)


def test_the_bound_is_zero_for_a_perfect_prediction_with_the_posterior_variance():
    assert bound(torch.full((3, 1, 4, 4), -1.0), 20).abs().max() < 1e-4


def test_the_bound_is_the_kl_of_two_gaussians_in_bits():
    t, error = 20, 0.7
    abar, before = ABARS[t].double(), ABARS[t - 1].double()
    beta = 1 - abar / before
    posterior = beta * (1 - before) / (1 - abar)
    shift = before.sqrt() * beta / (1 - abar) * (1 - abar).sqrt() / abar.sqrt() * error
    p = torch.distributions.Normal(0.0, posterior.sqrt())
    q = torch.distributions.Normal(shift, beta.sqrt())
    expected = torch.distributions.kl_divergence(p, q).item() / math.log(2)
    assert bound(torch.ones(3, 1, 4, 4), t, error)[0].item() == pytest.approx(expected, rel=1e-3)


def test_the_bound_trains_the_variance_and_not_the_noise():
    v = torch.zeros(3, 1, 4, 4, requires_grad=True)
    eps_hat = torch.zeros(3, 1, 4, 4, requires_grad=True)
    x = torch.rand(3, 1, 4, 4)
    variational_bound(x, x, eps_hat, v, torch.tensor([0, 1, 30]), ABARS).sum().backward()
    assert v.grad.flatten(1).abs().sum(1).min() > 0
    assert eps_hat.grad is None
