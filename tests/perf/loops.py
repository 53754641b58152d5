"""The training loops that test_steps.py times, by what every version since 0.1 has in common.

A script: for each name of a loop on its standard input it prints the processor seconds of the loop, and a digest of
what came out.
"""

import dataclasses
import hashlib
import sys
import time
from pathlib import Path

import torch

sys.path.append(str(Path(__file__).parents[1] / "gpu"))
from works import DM, LabeledImages, ScratchPrior, StageContext, Training, cpu_small_1, known, part

Digits = part("data.digits", "Digits")
convnet3_w32 = part("evaluators.networks", "convnet3_w32")
minimax_sgd_1 = part("evaluators.protocols", "minimax_sgd_1")
TrainedSurrogate = part("methods.diffusion.guidances.igd_surrogate", "TrainedSurrogate")
TrainedEmbedder = part("methods.embedder", "TrainedEmbedder")

torch.set_num_threads(1)
real, test = Digits().load("train"), Digits().load("test")
first = torch.cat([(real.labels == k).nonzero()[:10, 0] for k in range(10)])
small = LabeledImages(real.images[first], real.labels[first], real.classes)
colour = LabeledImages(small.images.repeat(1, 3, 1, 1), small.labels, small.classes)
ctx = StageContext(seed=0, networks={"net": convnet3_w32})
TRAINING = {"batch": 32, "lr": 0.002, "betas": (0.9, 0.99)}


def prior(n):
    model = ScratchPrior(width=64, layers=4, heads=2, training=known(Training, steps=n, **TRAINING)).run(
        real, None, ctx
    )
    return list(model.transformer.parameters())


def judge(protocol, data, n):
    protocol = dataclasses.replace(protocol, epochs_by_ipc=((10, n),), evaluations=1)
    return [torch.tensor(protocol.evaluate(data, data, convnet3_w32, ctx).correct)]


def dm(ipc, n):
    method = known(
        DM, iterations=n, batch_real=64, embedder="net", augmentations="color_crop_cutout_scale_rotate", lr=3
    )
    return [method.distill(real, None, ipc, ctx).images]


def surrogate(n):
    trained = known(TrainedSurrogate, network="net", epochs=n, checkpoints=(n,)).run(real, None, ctx)
    return list(trained.embedder.network.parameters())


LOOPS = {
    "digits prior": (prior, 30),
    "judge, convnet3-w32, AdamW": (lambda n: judge(cpu_small_1, small, n), 20),
    "judge, convnet3-w32, SGD and augmentation at 32 px": (
        lambda n: judge(dataclasses.replace(minimax_sgd_1, side=32), colour, n),
        10,
    ),
    "embedder": (lambda n: list(TrainedEmbedder(network="net", epochs=n).run(real, None, ctx).network.parameters()), 2),
    "surrogate": (lambda n: surrogate(n), 2),
    "DM, IPC 1": (lambda n: dm(1, n), 12),
    "DM, IPC 10": (lambda n: dm(10, n), 12),
}

for line in sys.stdin:
    loop, n = LOOPS[line.strip()]
    loop(1)  # warm
    start = time.process_time()
    made = loop(n)
    seconds = time.process_time() - start
    digest = hashlib.sha256()
    for tensor in made:
        digest.update(tensor.detach().contiguous().numpy().tobytes())
    print(seconds, digest.hexdigest()[:12], flush=True)
