"""Pipelines that are not what they say, or that are not honoured, are refused before anything is loaded."""

import json
import shutil

import diffusers
import pytest
import torch
from diffusers import AutoencoderTiny
from safetensors.torch import load_file, save_file

from ddbench.data.imagenet_subsets import NETTE_WNIDS as WNIDS
from ddbench.errors import BenchError
from ddbench.methods.diffusion.checkpoints.honoured import SCHEDULERS
from ddbench.methods.diffusion.priors.pretrained import PretrainedDiT
from ddbench.methods.diffusion.priors.prior import KLAutoencoder, TinyAutoencoder
from ddbench.methods.diffusion.priors.schedule import NoiseSchedule
from ddbench.methods.diffusion.priors.scratch import ScratchPrior
from ddbench.types import DataFacts, StageContext
from tests.support.pipelines import TINY, seeded, tiny_pipeline

NETTE = DataFacts("nette", WNIDS, (3, 16, 16), light=True)
CONTEXT = StageContext(seed=0)
SCHEDULE = "scheduler/scheduler_config.json"
WEIGHTS = "diffusion_pytorch_model.safetensors"


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pipeline")
    tiny_pipeline().save_pretrained(folder)
    return folder


@pytest.fixture
def copy(pipeline, tmp_path):
    return shutil.copytree(pipeline, tmp_path / "copy")


def change(path, **values):
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


def problems(source, data=NETTE, **fields):
    return list(PretrainedDiT(source=str(source), **fields).problems(data))


def refused(source, **fields):
    """The one sentence with which a source is refused, both beforehand and when it is loaded."""
    (problem,) = problems(source, **fields)
    with pytest.raises(BenchError) as caught:
        PretrainedDiT(source=str(source), **fields).run(None, None, CONTEXT)
    assert str(caught.value) == problem
    return problem


def test_a_good_pipeline_has_no_problems(pipeline):
    assert problems(pipeline) == []


@pytest.mark.parametrize("part", ["transformer", "vae"])
@pytest.mark.parametrize(
    ("new", "says"),
    [
        (lambda w: dict(list(w.items())[2:]), "they lack {1}, {0}"),
        (lambda w: {f"module.{name}": tensor for name, tensor in w.items()}, "their names begin with 'module.'"),
        (lambda w: {**w, "extra.weight": torch.zeros(1)}, "they have the unknown extra.weight"),
        (lambda w: {**w, next(iter(w)): torch.zeros(2, 3)}, "they have {0} of shape 2 x 3 in place of"),
    ],
    ids=["missing", "prefixed", "unexpected", "shape"],
)
def test_weights_of_another_network_are_refused_by_name(copy, part, new, says):
    weights = load_file(copy / part / WEIGHTS)
    save_file({name: tensor.clone() for name, tensor in new(weights).items()}, copy / part / WEIGHTS)
    found = refused(copy)
    assert f"the weights in {copy / part} are not those of its" in found
    assert says.format(*weights) in found


def test_missing_weights_of_bin_files_are_refused_when_they_are_loaded(tmp_path):
    tiny_pipeline().save_pretrained(tmp_path, safe_serialization=False)
    path = tmp_path / "transformer" / "diffusion_pytorch_model.bin"
    weights = torch.load(path, weights_only=True)
    del weights["proj_out_1.bias"]
    torch.save(weights, path)
    assert problems(tmp_path) == []  # a dry run reads no .bin
    assert "they lack proj_out_1.bias" in problems(tmp_path, DataFacts("nette", WNIDS, (3, 16, 16)))[0]
    with pytest.raises(BenchError, match=r"lack proj_out_1\.bias"):
        PretrainedDiT(source=str(tmp_path)).run(None, None, CONTEXT)


@pytest.mark.parametrize(
    ("file", "values", "says"),
    [
        (
            SCHEDULE,
            {"prediction_type": "flow_prediction"},
            "prediction_type 'flow_prediction'",
        ),
        (SCHEDULE, {"rescale_betas_zero_snr": True}, "zero terminal SNR"),
        (SCHEDULE, {"trained_betas": [0.1, 0.5, 1.0]}, "zero terminal SNR"),
        (SCHEDULE, {"clip_sample": True}, "clip_sample true"),
        (SCHEDULE, {"set_alpha_to_one": False}, "set_alpha_to_one false"),
        (SCHEDULE, {"beta_schedule": "exp"}, "beta_schedule 'exp'"),
        (SCHEDULE, {"snr_shift_scale": 3.0}, "shifts the timesteps"),
        (SCHEDULE, {"thresholding": True}, "thresholding"),
        (SCHEDULE, {"_class_name": "FlowMatchEulerDiscreteScheduler"}, "flow matching"),
        (SCHEDULE, {"_class_name": "EDMEulerScheduler"}, "EDM's noise is not honoured"),
        ("vae/config.json", {"scaling_factor": None}, "scaling_factor None"),
        ("vae/config.json", {"latents_mean": [0.0] * 4}, "latents_mean"),
        ("vae/config.json", {"latents_std": [1.0] * 4}, "latents_std"),
        ("vae/config.json", {"shift_factor": 0.1159}, "shift_factor 0.1159"),
        ("vae/config.json", {"_class_name": "AutoencoderDC"}, "holds a AutoencoderDC"),
        ("transformer/config.json", {"_class_name": "PixArtTransformer2DModel"}, "holds a PixArtTransformer2DModel"),
        ("transformer/config.json", {"norm_type": "ada_norm_single"}, "norm_type is 'ada_norm_single'"),
        ("transformer/config.json", {"out_channels": 6}, "4 channels and 6 outputs"),
        ("transformer/config.json", {"num_embeds_ada_norm": 10}, "10 classes, and a prior has ImageNet's 1000"),
        ("model_index.json", {"_class_name": "StableDiffusion3Pipeline"}, "is a StableDiffusion3Pipeline"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_what_is_not_honoured_is_refused_in_one_line(copy, file, values, says):
    change(copy / file, **values)
    assert says in refused(copy)


def test_the_betas_of_every_scheduler_that_is_taken_are_those_of_ddpm():
    for name in SCHEDULERS:
        own = getattr(diffusers, name)()
        for config in (json.loads(own.to_json_string()), {"_class_name": name}):
            as_ddpm = diffusers.DDPMScheduler.from_config(config)
            assert torch.equal(own.alphas_cumprod, as_ddpm.alphas_cumprod), name


def test_an_autoencoder_of_another_class_is_refused_with_the_option_that_takes_it(pipeline, tmp_path):
    seeded(AutoencoderTiny, **TINY).save_pretrained(tmp_path)
    found = refused(pipeline, decoder=KLAutoencoder(str(tmp_path)))
    assert "holds an AutoencoderTiny, not an AutoencoderKL" in found
    assert "--set methods.diffusion.prior.decoder.type=TinyAutoencoder" in found
    assert problems(pipeline, decoder=TinyAutoencoder(str(tmp_path))) == []
    assert f"--set methods.diffusion.prior.encoder.source={pipeline}/vae" in refused(
        pipeline, encoder=KLAutoencoder(str(pipeline))
    )
    with pytest.raises(BenchError, match="holds an AutoencoderTiny"):
        KLAutoencoder(str(tmp_path)).open("cpu")


def test_a_decoder_of_other_latents_is_refused(pipeline, tmp_path):
    tiny_pipeline(channels=16).save_pretrained(tmp_path)
    (found,) = problems(pipeline, decoder=KLAutoencoder(str(tmp_path / "vae")))
    assert "latents of 4 channels, and those of its decoder have 16" in found


def test_classes_and_sizes_must_be_the_priors(pipeline):
    (classes,) = problems(pipeline, DataFacts("dogs", ("bird", "cat", "dog", "eel"), (3, 16, 16), light=True))
    assert "by wnid (n01440764), and dogs has bird, cat, dog and 1 more" in classes
    (size,) = problems(pipeline, DataFacts("nette", WNIDS, (3, 32, 32), light=True))
    assert "draws images of 16 x 16 px" in size
    assert "--set data.nette.resolution=16" in size
    (channels,) = problems(pipeline, DataFacts("grey", WNIDS, (1, 16, 16), light=True))
    assert "the encoder and decoder of" in channels
    assert "3 channels, and grey has 1" in channels


def test_a_missing_path_a_file_and_a_hub_id_are_three_messages(tmp_path, monkeypatch):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    (tmp_path / "notes.txt").write_text("hello")
    monkeypatch.chdir(tmp_path)
    assert f"there is no folder {tmp_path}/nowhere ('nowhere' is relative" in refused("nowhere")
    assert f"there is no file {tmp_path}/DiT.pt" in refused("DiT.pt")
    assert "as a hub id it is not in the cache" in refused("some-body/some-model")
    assert "HF_HUB_OFFLINE" in refused("some-body/some-model")
    assert "is a file, and methods.diffusion.prior.encoder.source wants a folder" in " ".join(
        problems("nowhere", encoder=KLAutoencoder(str(tmp_path / "notes.txt")))
    )


def test_a_hub_id_that_may_come_is_no_problem_of_a_dry_run_and_is_fetched_before_a_run(pipeline, tmp_path, monkeypatch):
    import huggingface_hub

    asked = []

    def download(source, file):
        asked.append(file)
        (tmp_path / file).parent.mkdir(exist_ok=True)
        return shutil.copy(pipeline / file, tmp_path / file)

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", download)
    change(pipeline / "scheduler" / "scheduler_config.json", rescale_betas_zero_snr=True)
    try:
        assert problems("nobody/nothing-like-this") == []
        assert asked == []
        (found,) = problems("nobody/nothing-like-this", DataFacts("nette", WNIDS, (3, 16, 16)))
    finally:
        change(pipeline / "scheduler" / "scheduler_config.json", rescale_betas_zero_snr=False)
    assert "zero terminal SNR" in found
    assert sorted(asked) == [
        "model_index.json",
        SCHEDULE,
        "transformer/config.json",
        "vae/config.json",
    ]


def test_a_hub_that_does_not_answer_is_said_so(monkeypatch):
    import huggingface_hub

    def unreachable(source, file):
        raise OSError("no route to host")

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", unreachable)
    (found,) = problems("nobody/nothing-like-this", DataFacts("nette", WNIDS, (3, 16, 16)))
    assert "cannot be fetched: OSError: no route to host" in found


def test_parts_that_a_folder_lacks_are_named_with_what_may_take_their_place(copy):
    shutil.rmtree(copy / "scheduler")
    assert "lacks scheduler/scheduler_config.json. Add it, or name the schedule with --set" in refused(copy)
    assert problems(copy, schedule=NoiseSchedule()) == []
    assert PretrainedDiT(source=str(copy), schedule=NoiseSchedule()).run(None, None, CONTEXT).prediction == "epsilon"
    shutil.rmtree(copy / "vae")
    assert "lacks vae/config.json. Add it, or name autoencoders" in refused(copy, schedule=NoiseSchedule())
    (copy / "transformer" / WEIGHTS).unlink()
    assert f"{copy / 'transformer'} holds no weights" in problems(copy, schedule=NoiseSchedule())[0]


def test_two_variants_without_plain_weights_are_refused(copy):
    for variant in ("fp16", "ema"):
        shutil.copy(copy / "vae" / WEIGHTS, copy / "vae" / f"diffusion_pytorch_model.{variant}.safetensors")
    assert problems(copy) == []  # the plain ones are taken
    (copy / "vae" / WEIGHTS).unlink()
    assert "holds the variants ema, fp16 and no plain weights" in refused(copy)


def test_a_pointer_of_git_lfs_is_said_to_be_one(copy):
    (copy / "transformer" / WEIGHTS).write_text("version https://git-lfs.github.com/spec/v1\noid sha256:ab\nsize 27\n")
    found = refused(copy)
    assert "is a pointer of Git LFS in place of the weights" in found
    assert str(copy / "transformer" / WEIGHTS) in found


def test_a_prior_from_scratch_names_what_is_wrong_with_its_autoencoder(pipeline):
    bad = ScratchPrior(autoencoder=KLAutoencoder(str(pipeline)))
    assert "is a whole pipeline" in bad.problems(NETTE)[0]
    good = ScratchPrior(autoencoder=KLAutoencoder(str(pipeline / "vae")))
    assert list(good.problems(NETTE)) == []
    assert "not 7x7" in good.problems(DataFacts("nette", WNIDS, (3, 14, 14)))[0]
    assert "takes 3 channels, and grey has 1" in good.problems(DataFacts("grey", WNIDS, (1, 16, 16)))[0]
    assert "not 15x15" in ScratchPrior().problems(DataFacts("odd", ("a",), (3, 15, 15)))[0]
