"""Training a classifier on a distilled set and judging it: the same loop for every protocol."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F

from benchmark import seeding
from benchmark.types import Evaluation, LabeledImages, Network, StageContext
from evaluators.augment import enlarge, random_shift

if TYPE_CHECKING:
    from evaluators.protocols import HardLabels

EVALUATION_BATCH = 512


def train_and_judge(
    protocol: HardLabels, distilled: LabeledImages, test: LabeledImages, network: Network, ctx: StageContext
) -> Evaluation:
    """The accuracy curve of ``network`` trained on ``distilled`` and the final model's hits on ``test``.

    Streams depend on the evaluation seed alone, so every method is judged with the same initial weights and the
    same order of batches; training images are put in an order of their own content's making (class name, then
    position), so that the order of the classes does not matter.
    """
    classes = tuple(sorted(distilled.classes))
    train = _by_name(distilled, classes)
    judged = _by_name(test, classes)
    scale = _Normalise(train.images)
    x = enlarge(scale(train.images.to(ctx.device)), protocol.min_side)
    y = train.labels.to(ctx.device)
    test_x, test_y = judged.images.to(ctx.device), judged.labels.to(ctx.device)

    with seeding.seeded("eval-init", ctx.seed):
        model = network((x.shape[1], x.shape[2], x.shape[3]), len(classes))
    model.to(ctx.device)
    order = seeding.generator("eval-order", ctx.seed)
    augmentation = seeding.generator("eval-augment", ctx.seed)
    optimiser = torch.optim.AdamW(model.parameters(), lr=protocol.lr, weight_decay=protocol.weight_decay, fused=True)
    epochs = protocol.epochs(int(train.labels.bincount().max()))
    steps = epochs * math.ceil(len(x) / protocol.batch)
    judge_after = {round(epochs * (i + 1) / protocol.evaluations) for i in range(protocol.evaluations)}

    step, curve, hits = 0, [], torch.empty(0)
    for epoch in range(1, epochs + 1):
        model.train()
        for index in torch.randperm(len(x), generator=order).split(protocol.batch):
            for group in optimiser.param_groups:
                group["lr"] = protocol.lr * 0.5 * (1 + math.cos(math.pi * step / steps))
            batch = random_shift(x[index.to(ctx.device)], protocol.shift, augmentation)
            optimiser.zero_grad(set_to_none=True)
            F.cross_entropy(model(batch), y[index.to(ctx.device)]).backward()
            optimiser.step()
            step += 1
        if epoch in judge_after:
            hits = _hits(model, test_x, test_y, scale, protocol.min_side)
            curve.append((epoch, float(hits.double().mean())))
    return Evaluation(curve=tuple(curve), correct=tuple(hits.tolist()))


def _by_name(data: LabeledImages, classes: tuple[str, ...]) -> LabeledImages:
    """``data`` with labels counted along ``classes``, ordered by them; stable within a class."""
    if set(data.classes) != set(classes):
        odd = sorted(set(data.classes) ^ set(classes))[0]
        raise ValueError(f"the distilled set and the judged split do not have the same classes: {odd!r} is in one only")
    position = torch.tensor([classes.index(name) for name in data.classes])
    labels = position[data.labels]
    order = labels.argsort(stable=True)
    return LabeledImages(images=data.images[order], labels=labels[order], classes=classes)


class _Normalise:
    """uint8 -> float32 with mean 0 and standard deviation 1 a channel over the train images (never the test images)."""

    def __init__(self, images: torch.Tensor) -> None:
        scaled = images.double() / 255
        self.mean = scaled.mean((0, 2, 3)).float()[:, None, None]
        self.std = scaled.std((0, 2, 3)).float().clamp(min=1e-3)[:, None, None]

    def __call__(self, images: torch.Tensor) -> torch.Tensor:
        return (images.float() / 255 - self.mean.to(images.device)) / self.std.to(images.device)


@torch.inference_mode()
def _hits(model: torch.nn.Module, x: torch.Tensor, y: torch.Tensor, scale: _Normalise, min_side: int) -> torch.Tensor:
    """Whether the model's first choice is right, bool (N,), on the CPU, in the order of the split by class name."""
    model.eval()
    right = [
        model(enlarge(scale(part), min_side)).argmax(1) == labels
        for part, labels in zip(x.split(EVALUATION_BATCH), y.split(EVALUATION_BATCH), strict=True)
    ]
    return torch.cat(right).cpu()
