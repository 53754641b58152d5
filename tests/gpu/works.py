"""The works whose rates the project states, by what every version since 0.2 has in common; a script as well:

    python works.py cuda NAME...    prints {name: seconds of one unit} as JSON, and errors in place of seconds

It imports nothing beside it, so that another version runs it by PYTHONPATH. Options that a version lacks are left out:
it then runs its nearest form. Costs that come once (compiling, capturing, first calls) are not in the seconds.
"""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from diffusers import AutoencoderKL, DDPMScheduler, DiTTransformer2DModel

SITE = os.environ.get("WORKS_FROM", "")
"""the folder of packages of another version, where it is that which is measured"""
FLAT = bool(SITE) and not Path(SITE, "ddbench").exists()
"""whether that version is of the time when folders were packages of their own: ``methods``, not ``ddbench.methods``"""


def part(module: str, *names: str) -> Any:
    """Classes and functions of a module of the measured version; the former place of ``methods.diffusion.x.y`` is
    ``methods.diffusion.y``."""
    if FLAT:
        first, *rest = module.split(".")
        parts = [first, *(rest[:1] + rest[-1:] if len(rest) > 2 else rest)]
        found = import_module(".".join(parts if first in ("methods", "evaluators") else ["benchmark", *parts]))
    else:
        found = import_module(f"ddbench.{module}")
    return tuple(getattr(found, name) for name in names) if len(names) > 1 else getattr(found, names[0])


ConvNet, ResNet18 = part("evaluators.networks", "ConvNet", "ResNet18")
cpu_small_1, igd_adamw_1 = part("evaluators.protocols", "cpu_small_1", "igd_adamw_1")
Codec, DiffusersCodec = part("methods.diffusion.codec", "Codec", "DiffusersCodec")
CGS = part("methods.diffusion.guidances.cgs", "CGS")
Diffusion = part("methods.diffusion.method", "Diffusion")
DiffusionModel = part("methods.diffusion.model", "DiffusionModel")
ScratchPrior = part("methods.diffusion.priors.scratch", "ScratchPrior")
Sampler = part("methods.diffusion.sampler", "Sampler")
FineTune = part("methods.diffusion.training.finetune", "FineTune")
FineTuning, Training = part("methods.diffusion.training.options", "FineTuning", "Training")
DM = part("methods.dm", "DM")
from_levels, to_levels = part("methods.pixels", "from_levels", "to_levels")
Compute, LabeledImages, StageContext = part("types", "Compute", "LabeledImages", "StageContext")

CLASSES = tuple(f"n{k:08}" for k in range(1000))
"""names in the place of the wnids of ImageNet"""
SD = {
    "block_out_channels": (128, 256, 512, 512),
    "down_block_types": ("DownEncoderBlock2D",) * 4,
    "up_block_types": ("UpDecoderBlock2D",) * 4,
    "latent_channels": 4,
    "layers_per_block": 2,
    "sample_size": 256,
    "scaling_factor": 0.18215,
}
"""the autoencoder of Stable Diffusion"""


class Pooled(Codec):
    """Latents (4, side/8, side/8) by pooling: what an autoencoder gives in shape, without its cost."""

    def moments(self, images):
        pooled = F.avg_pool2d(from_levels(images), 8)
        return torch.cat([pooled, pooled[:, :1]], 1), None

    def render(self, latents):
        return F.interpolate(latents[:, :3], scale_factor=8)

    def decode(self, latents, of=()):
        return to_levels(self.render(latents).cpu().clamp(-1, 1))

    def identity(self):
        return "pooled"

    def latent_shape(self, shape):
        return 4, shape[1] // 8, shape[2] // 8

    def save(self, folder):
        raise NotImplementedError


def known(cls, **options):
    """``cls`` with the options that this version has, in the words that it knows."""
    names = {f.name for f in dataclasses.fields(cls)}
    options = {name: value for name, value in options.items() if name in names}
    if cls is Compute and Compute().precision == "float32":  # until release 0.2
        former = {"fp32": "float32", "tf32": "float32", "bf16": "bfloat16", "none": False, "blocks": True}
        options = {name: former.get(value, value) for name, value in options.items()}
    return cls(**options)


def images(side: int, each: int, classes: int = 10, channels: int = 3) -> Any:
    random = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (classes * each, channels, side, side), generator=random, dtype=torch.uint8)
    return LabeledImages(pixels, torch.arange(classes).repeat_interleave(each), CLASSES[:classes])


def synchronise(device: str) -> None:
    if device == "cuda":
        torch.cuda.synchronize()


def seconds(device: str, function: Callable[[], object]) -> float:
    synchronise(device)
    began = time.perf_counter()
    function()
    synchronise(device)
    return time.perf_counter() - began


def between(device: str, function: Callable[[int], object], few: int, many: int) -> float:
    """Seconds of one of the steps between ``few`` and ``many``: what comes once is in both."""
    function(few)
    first = seconds(device, lambda: function(few))
    return max(seconds(device, lambda: function(many)) - first, 0.0) / (many - few)


def dit_xl(device: str, toy: bool) -> Any:
    """DiT-XL/2 with random weights that its output does not ignore."""
    heads, width, layers = (2, 8, 2) if toy else (16, 72, 28)
    size = {"num_attention_heads": heads, "attention_head_dim": width, "num_layers": layers}
    torch.manual_seed(0)
    with torch.device(device):
        network = DiTTransformer2DModel(
            **size, in_channels=4, out_channels=8, sample_size=4 if toy else 32, patch_size=2, num_embeds_ada_norm=1000
        )
    codec = Pooled()
    return DiffusionModel(network.eval(), DDPMScheduler(clip_sample=False), CLASSES, codec, codec)


def sampling(device: str, toy: bool) -> float:
    """Seconds an image of 50 guided steps with CGS, ten classes of ten at 256 px; measured over fewer steps."""
    model, ipc, side = dit_xl(device, toy), 2 if toy else 10, 32 if toy else 256
    real, context = images(side, 4), StageContext(seed=0, device=device)
    steps = 2 if toy else 8
    how = {"precision": "bf16", "compile": "none" if toy else "blocks"}
    method = Diffusion(guidance=CGS(), sampler=known(Sampler, steps=steps, **how))
    method.distill(real, model, ipc, context)
    return seconds(device, lambda: method.distill(real, model, ipc, context)) / (10 * ipc) * 50 / steps


def codec(device: str, toy: bool) -> Any:
    config = {**SD, "block_out_channels": (32,) * 4, "layers_per_block": 1} if toy else SD
    torch.manual_seed(0)
    vae = AutoencoderKL(**config).to(device)
    try:
        return DiffusersCodec(vae, "tf32")
    except TypeError:  # release 0.2 has no options
        return DiffusersCodec(vae)


def decoding(device: str, toy: bool) -> float:
    """Seconds an image at 256 px."""
    made, n = codec(device, toy), 2 if toy else 64
    latents = torch.randn(n, 4, *([4, 4] if toy else [32, 32]), generator=torch.Generator().manual_seed(0))
    made.decode(latents)
    return seconds(device, lambda: made.decode(latents)) / n


def encoding(device: str, toy: bool) -> float:
    """Seconds an image at 256 px."""
    made, n = codec(device, toy), 2 if toy else 64
    pixels = images(32 if toy else 256, n, 1).images
    made.encode(pixels)
    return seconds(device, lambda: made.encode(pixels)) / n


def judging(device: str, toy: bool) -> float:
    """Seconds a training image of ConvNet-6 at 224 px, IPC 10, in bf16 and compiled where that can be asked for."""
    side, epochs = (16, (1, 2)) if toy else (224, (10, 30))
    data = images(side, 1 if toy else 10)
    compute = known(Compute, precision="bf16", compile="none" if toy else "blocks")
    context = StageContext(seed=0, device=device, compute=compute)
    network = ConvNet(2, 8) if toy else ConvNet(6, 128)

    def judge(many: int) -> None:
        protocol = dataclasses.replace(igd_adamw_1, epochs_by_ipc=((100, many),), side=side, evaluations=1)
        protocol.evaluate(data, data, network, context)

    return between(device, judge, *epochs) / len(data.images)


def judging_as_it_was(device: str, toy: bool) -> float:
    """The same as commit 8aee41e judges by default: no compilation, convolutions in TF32."""
    side, epochs = (16, (1, 2)) if toy else (224, (5, 15))
    data = images(side, 1 if toy else 10)
    context = StageContext(seed=0, device=device, compute=known(Compute, precision="tf32"))

    def judge(many: int) -> None:
        protocol = dataclasses.replace(igd_adamw_1, epochs_by_ipc=((100, many),), side=side, evaluations=1)
        protocol.evaluate(data, data, ConvNet(2, 8) if toy else ConvNet(6, 128), context)

    return between(device, judge, *epochs) / len(data.images)


def judging_small(device: str, toy: bool) -> float:
    """Seconds of six cells of ConvNet-3 at 32 px, IPC 10, a hundred epochs each, one after another."""
    data, epochs = images(16 if toy else 32, 1 if toy else 10), (1, 2) if toy else (20, 60)
    compute = known(Compute, precision="tf32")

    def judge(many: int) -> None:
        protocol = dataclasses.replace(cpu_small_1, epochs_by_ipc=((100, many),), evaluations=1)
        for seed in range(2 if toy else 6):
            context = StageContext(seed=seed, device=device, compute=compute)
            protocol.evaluate(data, data, ConvNet(3, 8 if toy else 128), context)

    return between(device, judge, *epochs) * 100


def judging_together(device: str, toy: bool) -> float:
    """The same six cells, trained together where this version can."""
    try:
        Turns, ProcessState = part("turns", "Turns"), part("isolation.process", "ProcessState")
    except ImportError:
        return judging_small(device, toy)
    data, epochs = images(16 if toy else 32, 1 if toy else 10), (1, 2) if toy else (20, 60)
    compute = known(Compute, precision="tf32")

    def judge(many: int) -> None:
        protocol = dataclasses.replace(cpu_small_1, epochs_by_ipc=((100, many),), evaluations=1)
        before = ProcessState()
        turns = Turns([before.another() for _ in range(2 if toy else 6)], before)
        judged = []

        def work(seed: int, turn: Any) -> None:
            with turn.taken():
                if device == "cuda":
                    torch.cuda.set_stream(torch.cuda.Stream())
                context = StageContext(seed=seed, device=device, compute=compute)
                judged.append(protocol.evaluate(data, data, ConvNet(3, 8 if toy else 128), context))

        threads = [threading.Thread(target=work, args=pair) for pair in enumerate(turns.all)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        turns.put_back()
        for kept in (before, *(turn.kept for turn in turns.all)):
            kept.close()
        if len(judged) < len(threads):
            raise RuntimeError("not all were judged")

    return between(device, judge, *epochs) * 100


def judging_resnet(device: str, toy: bool) -> float:
    """Seconds a training image of ResNet-18 at 224 px, IPC 10."""
    side, epochs = (16, (1, 2)) if toy else (224, (5, 15))
    data = images(side, 1, 2) if toy else images(side, 10)
    context = StageContext(seed=0, device=device, compute=known(Compute, precision="tf32"))

    def judge(many: int) -> None:
        protocol = dataclasses.replace(igd_adamw_1, epochs_by_ipc=((100, many),), side=side, evaluations=1)
        protocol.evaluate(data, data, ResNet18(), context)

    return between(device, judge, *epochs) / len(data.images)


def digits_prior(device: str, toy: bool) -> float:
    """Seconds a step of the digits study's prior."""
    real = images(8, 10, channels=1)

    def train(steps: int) -> None:
        training = known(Training, steps=steps, batch=4 if toy else 32, lr=0.002, betas=(0.9, 0.99))
        prior = ScratchPrior(width=64, layers=4, heads=2, patch=2, training=training)
        prior.run(real, None, StageContext(seed=0, device=device))

    return between(device, train, *((2, 4) if toy else (100, 300)))


def prior(device: str, toy: bool) -> float:
    """Seconds a step of a prior of 33 M parameters: 64 tokens, batches of 256, bf16."""
    real = images(16 if toy else 64, 2 if toy else 40)
    width, layers, heads = (32, 2, 2) if toy else (384, 12, 6)

    def train(steps: int) -> None:
        training = known(Training, steps=steps, batch=4 if toy else 256, precision="bf16")
        network = ScratchPrior(width=width, layers=layers, heads=heads, patch=8, training=training)
        network.run(real, None, StageContext(seed=0, device=device))

    return between(device, train, *((2, 4) if toy else (15, 60)))


def difffit(device: str, toy: bool) -> float:
    """Seconds a step of DiffFit on DiT-XL/2 in batches of 8, bf16."""
    model, real = dit_xl(device, toy), images(32 if toy else 256, 4)

    def tune(steps: int) -> None:
        model.tuned.clear()
        training = known(FineTuning, steps=steps, batch=8, precision="bf16", parameters="difffit")
        FineTune(training=training).run(real, model, StageContext(seed=0, device=device))

    return between(device, tune, *((1, 2) if toy else (10, 30)))


def matching(device: str, toy: bool) -> float:
    """Seconds an iteration of DM at 256 px with ConvNet-6, IPC 10, ten classes of 256 real images."""
    real = images(16 if toy else 256, 4 if toy else 256)
    network = ConvNet(2, 8) if toy else ConvNet(6, 128)

    def distil(iterations: int) -> None:
        method = known(DM, iterations=iterations, batch_real=4 if toy else 256, embedder="network", precision="tf32")
        method.distill(real, None, 1 if toy else 10, StageContext(seed=0, device=device, networks={"network": network}))

    return between(device, distil, *((1, 2) if toy else (2, 6)))


WORKS: dict[str, tuple[Callable[[str, bool], float], float]] = {
    "DiT-XL/2, 256 px, 50 guided steps, CGS, s an image": (sampling, 9),
    "SD autoencoder, decode, s an image": (decoding, 6),
    "SD autoencoder, encode, s an image": (encoding, 6),
    "ConvNet-6 at 224 px, IPC 10, judged, s a training image": (judging, 2.2),
    "ConvNet-3 at 32 px, IPC 10, six cells, s": (judging_small, 6),
    "ConvNet-3 at 32 px, IPC 10, six cells together, s": (judging_together, 6),
    "ResNet-18 at 224 px, IPC 10, judged, s a training image": (judging_resnet, 1),
    "digits prior, s a step": (digits_prior, 8),
    "prior of 33 M, 64 tokens, batch 256, s a step": (prior, 4),
    "DiffFit on DiT-XL/2, batch 8, s a step": (difffit, 2),
    "DM at 256 px, ConvNet-6, IPC 10, s an iteration": (matching, 4),
}
"""name -> the function that measures it, and by how much it is to be faster than commit 8aee41e on the same card"""
BUDGET = {
    side: dict(zip(WORKS, seconds, strict=True))
    for side, seconds in {
        # compiling takes 17 s of the first and 35 of the fourth
        "new": (30, 6, 6, 44, 8, 8, 6, 8, 12, 8),
        "baseline": (22, 6, 6, 8, 12, 6, 14, 10, 12, 12),
    }.items()
}
"""seconds that a work may take on a card, with what comes once; one that takes more is not measured"""
AS_IT_WAS: dict[str, Callable[[str, bool], float]] = {
    "ConvNet-6 at 224 px, IPC 10, judged, s a training image": judging_as_it_was
}
"""works that the baseline could do otherwise too, but did not by default"""


def measured(device: str, toy: bool, names: list[str], side: str) -> dict[str, float | str]:
    """Seconds of one unit by name, or why there are none. ``side``: ``new``, or ``baseline``, which is measured as a
    study was run before the options came."""
    found: dict[str, float | str] = {}
    for name in names:
        function = AS_IT_WAS.get(name, WORKS[name][0]) if side == "baseline" else WORKS[name][0]
        try:
            with within(0 if toy else BUDGET[side][name]), as_in_a_stage():
                found[name] = function(device, toy)
        except Exception as error:
            found[name] = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
        if device == "cuda":
            torch.cuda.empty_cache()
    return found


@contextmanager
def within(seconds: int) -> Iterator[None]:
    """Raises TimeoutError in the block after so many seconds; 0: never."""

    def late(signum: int, frame: Any) -> None:
        raise TimeoutError(f"more than its {seconds} s")

    signal.signal(signal.SIGALRM, late)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)


@contextmanager
def as_in_a_stage() -> Iterator[None]:
    """Deterministic, and with the compiler as this version sets it, where it does."""
    try:
        compiler = part("computing", "compiler")
    except ImportError:  # release 0.2
        compiler = nullcontext
    torch.use_deterministic_algorithms(True, warn_only=True)
    try:
        with compiler("blocks"):
            yield
    finally:
        torch.use_deterministic_algorithms(False)


if __name__ == "__main__":
    place, side, *chosen = sys.argv[1:]
    torch.set_num_threads(1)
    print(json.dumps(measured(place, place == "cpu", chosen or list(WORKS), side)))
