"""The training loop of the diffusion family, the prior and fine-tuning."""

import dataclasses

import pytest
import torch
from diffusers import DDPMScheduler, DiTTransformer2DModel

from ddbench import seeding
from ddbench.methods.diffusion.latents import training_latents
from ddbench.methods.diffusion.objectives.minimax import Minimax
from ddbench.methods.diffusion.objectives.objective import Objective, Plain
from ddbench.methods.diffusion.objectives.rsm import RSM
from ddbench.methods.diffusion.priors.scratch import ScratchPrior
from ddbench.methods.diffusion.training.finetune import FineTune
from ddbench.methods.diffusion.training.options import FineTuning, Training
from ddbench.methods.diffusion.training.train import train
from ddbench.types import StageContext
from tests.conftest import make_model

TINY = ScratchPrior(width=16, layers=1, heads=1, training=Training(steps=5, batch=8))
SHORT = FineTuning(steps=4, batch=8, lr=1e-3, ema=0, mirror=False, parameters="full")


def weights(model):
    return torch.cat([p.detach().flatten() for p in model.transformer.parameters()])


def tune(images, objective, options=SHORT, log=lambda _: None):
    return FineTune(objective=objective, training=options).run(images, make_model(), StageContext(seed=0, log=log))


def test_the_prior_starts_as_a_zero_noise_prediction(images):
    untrained = dataclasses.replace(TINY, training=Training(steps=1, batch=8, lr=1e-12))
    model = untrained.run(images, None, StageContext(seed=0))
    out = model.predict(torch.randn(2, 1, 8, 8), torch.tensor([3, 900]), torch.tensor([0, 4]))[0]
    assert out.abs().max() < 1e-6


def test_the_same_prior_is_trained_twice_and_global_state_is_untouched(images):
    before = torch.get_rng_state()
    first, second = (TINY.run(images, None, StageContext(seed=0)) for _ in range(2))
    assert torch.equal(weights(first), weights(second))
    assert torch.equal(before, torch.get_rng_state())
    other = dataclasses.replace(TINY, seed=1).run(images, None, StageContext(seed=0))
    assert not torch.equal(weights(first), weights(other))


def test_training_lowers_the_denoising_loss(images):
    logs = []
    for steps in (5, 150):
        log = {}
        prior = dataclasses.replace(TINY, training=Training(steps=steps, batch=16, lr=3e-3))
        prior.run(images, None, StageContext(seed=0, log=log.update))
        logs.append(log["denoising/t900-999"])
    assert logs[1] < 0.7 * logs[0]


def test_diffusers_own_label_dropout_is_off_in_every_block(model):
    assert all(b.norm1.emb.class_embedder.dropout_prob == 0 for b in model.transformer.transformer_blocks)


def test_labels_are_dropped_to_the_null_id_by_the_loop(model, images):
    seen = []
    original = model.predict
    model.predict = lambda x, t, ids: (seen.append(ids.clone()), original(x, t, ids))[1]
    latents = training_latents(model.encoder, images, False, StageContext(seed=0))
    options = dataclasses.replace(SHORT, label_dropout=0.5, batch=200)
    train(model, latents, torch.arange(40), Plain(), options, seeding.generator("t"), StageContext(seed=0))
    share = (torch.cat(seen) == model.null_id).float().mean().item()
    assert share == pytest.approx(0.5, abs=0.06)


def test_an_objective_of_weight_zero_is_plain_fine_tuning(images):
    plain = weights(tune(images, Plain()))
    assert torch.equal(plain, weights(tune(images, RSM(weight=0))))
    assert not torch.equal(plain, weights(tune(images, RSM(weight=1))))
    assert not torch.equal(plain, weights(tune(images, Minimax(representativeness=1, diversity=1))))


def test_every_trainable_parameter_gets_a_gradient(images):
    """One label drop and one kept sample of every class reach every row of the class embedding."""
    model = make_model()
    before = {name: p.detach().clone() for name, p in model.transformer.named_parameters()}
    options = dataclasses.replace(SHORT, steps=3, batch=64)
    tuned = FineTune(objective=RSM(), training=options).run(images, model, StageContext(seed=0))
    unchanged = [name for name, p in tuned.transformer.named_parameters() if torch.equal(before[name], p)]
    assert unchanged == []


def test_the_average_of_weights_lies_behind_the_last_ones(images):
    start = weights(make_model())
    last = weights(tune(images, Plain()))
    averaged = weights(tune(images, Plain(), dataclasses.replace(SHORT, ema=0.999)))
    assert 0 < (averaged - start).norm() < (last - start).norm()


def test_terms_are_logged_by_timestep_bin(images):
    log = {}
    tune(images, RSM(), log=log.update)
    assert {f"l1/t{100 * i}-{100 * i + 99}" for i in range(10)} < set(log)


class Exploding(Objective):
    def begin(self):
        return lambda prediction: {"nan": prediction.x0_hat.sum() * float("nan")}


def test_a_loss_that_is_not_finite_stops_with_its_step(images):
    with pytest.raises(FloatingPointError, match="the loss of the diffusion model became nan at step 1 of 4"):
        tune(images, Exploding())


def test_weights_that_the_last_step_leaves_not_finite_stop_too(images):
    with pytest.raises(FloatingPointError, match="weights of the diffusion model are not finite after step 1 of 1"):
        tune(images, Plain(), dataclasses.replace(SHORT, steps=1, lr=1e39))


class Interrupted(BaseException):
    pass


def test_dropout_is_drawn_by_the_step_also_after_an_interruption(images, tmp_path, monkeypatch):
    """Whatever the process drew before, and wherever a run was stopped, its draws are those of its step."""
    monkeypatch.setattr("ddbench.methods.diffusion.training.train.CHECKPOINT_SECONDS", 0)

    def trained(before, scratch=None, stop=0):
        model = make_model()
        for block in model.transformer.transformer_blocks:
            block.attn1.to_out[1].p = 0.5
        torch.manual_seed(before)

        def progress(done, total):
            torch.rand(done)
            if done == stop:
                raise Interrupted

        ctx = StageContext(seed=0, scratch=scratch, progress=progress)
        latents = training_latents(model.encoder, images, False, ctx)
        train(model, latents, torch.arange(40), Plain(), SHORT, seeding.generator("t"), ctx)
        return weights(model)

    whole = trained(before=1)
    assert torch.equal(whole, trained(before=2))
    with pytest.raises(Interrupted):
        trained(before=3, scratch=tmp_path, stop=3)
    assert (tmp_path / "training.pt").exists()
    assert torch.equal(whole, trained(before=4, scratch=tmp_path))


def test_a_saved_model_predicts_the_same_and_diffusers_reads_its_folder(model, tmp_path):
    TINY.save(model, tmp_path)
    again = TINY.load(tmp_path, None, StageContext(seed=0))
    x, t, ids = torch.randn(4, 1, 8, 8), torch.full((4,), 300), torch.tensor([0, 1, 2, 4])
    with torch.no_grad():
        expected = model.predict(x, t, ids)[0]
        assert torch.equal(again.predict(x, t, ids)[0], expected)
        by_diffusers = DiTTransformer2DModel.from_pretrained(tmp_path / "transformer", low_cpu_mem_usage=False)
        assert torch.equal(by_diffusers(x, timestep=t, class_labels=ids).sample, expected)
    assert again.classes == model.classes
    assert DDPMScheduler.from_pretrained(tmp_path / "scheduler").config.clip_sample is False


def test_classes_are_found_by_name_whatever_their_order(model):
    assert model.ids(("d", "a")) == [3, 0]
    with pytest.raises(ValueError, match="no class 'zebra'"):
        model.ids(("a", "zebra"))


def test_a_prior_says_which_images_it_cannot_take(images):
    with pytest.raises(ValueError, match="patch 3"):
        dataclasses.replace(TINY, patch=3).run(images, None, StageContext(seed=0))
