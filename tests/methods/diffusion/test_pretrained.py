"""A tiny random pipeline in the layout of facebook/DiT-XL-2-256, through the code path of the real one."""

import json

import pytest
import torch
from diffusers import DDPMScheduler

from ddbench.data.imagenet_subsets import NETTE_WNIDS as WNIDS
from ddbench.errors import BenchError
from ddbench.methods.diffusion.guidances.cgs import CGS
from ddbench.methods.diffusion.method import Diffusion
from ddbench.methods.diffusion.noise import image_noise
from ddbench.methods.diffusion.objectives.rsm import RSM
from ddbench.methods.diffusion.priors.pretrained import PretrainedDiT
from ddbench.methods.diffusion.priors.prior import KLAutoencoder
from ddbench.methods.diffusion.sampler import Sampler
from ddbench.methods.diffusion.training.options import FineTuning
from ddbench.types import LabeledImages, StageContext
from tests.support.invoke import invoke
from tests.support.pipelines import tiny_pipeline
from tests.support.sampled import sampled

CONTEXT = StageContext(seed=0)


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dit")
    tiny_pipeline().save_pretrained(folder)
    return folder


@pytest.fixture
def real():
    random = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (30, 3, 16, 16), generator=random, dtype=torch.uint8)
    return LabeledImages(images=pixels, labels=torch.arange(3).repeat_interleave(10), classes=WNIDS[:3])


def load(source, **fields):
    return PretrainedDiT(source=str(source), **fields).run(None, None, CONTEXT)


def test_the_folder_has_the_layout_of_the_published_pipeline(source):
    assert {"model_index.json", "transformer", "vae", "scheduler"} <= {p.name for p in source.iterdir()}
    assert json.loads((source / "model_index.json").read_text())["_class_name"] == "DiTPipeline"


def test_wnids_are_imagenets_ids(source):
    model = load(source)
    assert model.ids(WNIDS) == [0, 217, 482, 491, 497, 566, 569, 571, 574, 701]
    assert model.null_id == 1000
    assert model.learns_variance


def test_learned_variance_equals_diffusers_ddpm_of_the_original_codes_convention(source):
    """linspace spacing and learned_range variance, the loop that the original DiT code runs."""
    model = load(source)
    sampler = Sampler(kind="ddpm", spacing="linspace", variance="learned", steps=6, guidance_scale=1.0)
    found = sampled(model, (WNIDS[1],), 2, sampler, seed=0)[0]

    scheduler = DDPMScheduler.from_config(
        model.scheduler.config, variance_type="learned_range", timestep_spacing="linspace", clip_sample=False
    )
    scheduler.set_timesteps(6)
    noise = torch.stack([image_noise(0, WNIDS[1], i, 7, (4, 8, 8)) for i in range(2)], 1)
    import diffusers.schedulers.scheduling_ddpm as module

    z, original = noise[0], module.randn_tensor
    try:
        with torch.no_grad():
            for i, t in enumerate(scheduler.timesteps):
                module.randn_tensor = lambda *args, i=i, **kwargs: noise[i + 1]
                out = model.transformer(z, timestep=t.expand(2), class_labels=torch.tensor([217, 217])).sample
                z = scheduler.step(out, t, z).prev_sample
    finally:
        module.randn_tensor = original
    torch.testing.assert_close(found, z, rtol=1e-3, atol=1e-4)


def test_guidance_of_three_channels_leaves_the_fourth_to_the_class(source):
    from ddbench.methods.diffusion.sampler import predict

    model = load(source)
    z, ids = torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(0)), torch.tensor([0, 217])
    with torch.no_grad():
        plain, v_plain = predict(model, z, 500, ids, Sampler(guidance_scale=1.0))
        three, v_three = predict(model, z, 500, ids, Sampler(guidance_scale=4.0, guided_channels=3))
        four, _ = predict(model, z, 500, ids, Sampler(guidance_scale=4.0, guided_channels=0))
    torch.testing.assert_close(three[:, 3], plain[:, 3])
    torch.testing.assert_close(v_three, v_plain)
    torch.testing.assert_close(three[:, :3], four[:, :3])
    assert not torch.allclose(four[:, 3], plain[:, 3])


@pytest.mark.parametrize("parameters", ["full", "difffit"])
def test_it_is_fine_tuned_saved_and_sampled(source, real, tmp_path, parameters):
    prior = PretrainedDiT(source=str(source))
    training = FineTuning(steps=3, batch=6, lr=1e-2, warmup=0, mirror=True, parameters=parameters, ema=0.5)
    method = Diffusion(
        prior=prior,
        objective=RSM(),
        finetune=training,
        guidance=CGS(eta_dpp=1, eta_dm=1),
        sampler=Sampler(steps=4, variance="learned", guided_channels=3),
    )
    state, log = None, {}
    for i, preparation in enumerate(method.preparations(0)):
        state = preparation.run(real, state, StageContext(seed=0, log=log.update))
        (tmp_path / str(i)).mkdir()
        preparation.save(state, tmp_path / str(i))
    assert any(
        value for name, value in log.items() if name.startswith("variance/")
    )  # the variance head is trained by its own bound
    made = method.distill(real, state, 4, CONTEXT)
    assert made.images.shape == (12, 3, 16, 16)

    again = None
    for i, preparation in enumerate(method.preparations(0)):
        again = preparation.load(tmp_path / str(i), again, CONTEXT)
    assert torch.equal(method.distill(real, again, 4, CONTEXT).images, made.images)
    untuned = Diffusion(prior=prior, guidance=method.guidance, sampler=method.sampler)
    assert not torch.equal(untuned.distill(real, load(source), 4, CONTEXT).images, made.images)


def test_tuned_weights_that_changed_at_their_source_are_refused(source, tmp_path):
    prior = PretrainedDiT(source=str(tmp_path / "copy"))
    tiny_pipeline().save_pretrained(tmp_path / "copy")
    saved = tmp_path / "saved"
    saved.mkdir()
    prior.save(load(tmp_path / "copy"), saved)
    other = tiny_pipeline()
    other.transformer.proj_out_2.bias.data.add_(1)
    other.save_pretrained(tmp_path / "copy")
    with pytest.raises(ValueError, match="have changed"):
        prior.load(saved, None, CONTEXT)


def test_another_decoder_can_take_the_place_of_the_pipelines(source):
    model = load(source, decoder=KLAutoencoder(str(source / "vae")))
    assert model.decoder is not model.encoder
    assert model.decoder.identity() == model.encoder.identity()


def test_a_pipeline_that_is_not_there_says_what_to_type(tmp_path):
    with pytest.raises(BenchError, match=r"--set methods\.diffusion\.prior\.source=FOLDER"):
        load(tmp_path / "nowhere")


def test_bench_run_takes_it_by_configuration(source, tmp_path):
    from tests.data.test_data import make_tree

    study = tmp_path / "study.yaml"
    study.write_text(
        f"""
name: tiny-dit
grid:
  datasets: [imagenette]
  methods: [dit, rsm_cgs]
  ipc: [1]
  archs: [convnet3-w32]
  protocol: cpu-small@1
  seeds: [0]
  eval_seeds: [0]
data:
  imagenette: {{root: {make_tree(tmp_path / "images")}, resolution: 16, variant: any}}
methods:
  diffusion:
    prior: {{type: PretrainedDiT, source: {source}}}
    finetune: {{steps: 2, batch: 4, mirror: true, parameters: difffit, chunk: 5}}
    sampler: {{steps: 3, variance: learned, guided_channels: 3}}
"""
    )
    store = tmp_path / "store"
    done = invoke("run", "--config", study, "--store", store, "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["cells"]["ok"] == 2
    assert list((store / "artifacts" / "prior").glob("*/reference.json"))
    assert len(list((store / "artifacts" / "fit").glob("*/*.safetensors"))) == 2  # two chunks of five classes
    assert list((store / "cache").glob("latents-*/deviation.npy"))
