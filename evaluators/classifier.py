"""Training a classifier on a distilled set and judging it: the same loop for every protocol."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch

from benchmark import seeding
from benchmark.types import Evaluation, LabeledImages, Network, StageContext
from evaluators.cutmix import cutmix, draw_cut
from evaluators.losses import Loss, Target
from evaluators.optimise import learning_rate, make_optimiser
from evaluators.views import View, make_view

if TYPE_CHECKING:
    from evaluators.protocols import HardLabels


def train_and_judge(
    protocol: HardLabels,
    distilled: LabeledImages,
    test: LabeledImages,
    network: Network,
    ctx: StageContext,
    loss: Loss,
) -> Evaluation:
    """The accuracy curve of ``network`` trained on ``distilled`` and the final model's hits on ``test``.

    Streams depend on the evaluation seed alone, so every method is judged with the same initial weights and the
    same order of batches; training images are put in an order of their own content's making (class name, then
    position), so that the order of the classes does not matter.
    """
    classes = tuple(sorted(distilled.classes))
    train = _by_name(distilled, classes)
    judged = _by_name(test, classes)
    view = make_view(protocol, train.images, ctx.device)
    y = train.labels.to(ctx.device)

    with seeding.seeded("eval-init", ctx.seed):
        model = network(view.shape, len(classes))
    model.to(ctx.device)
    order = seeding.generator("eval-order", ctx.seed)
    augmentation = seeding.generator("eval-augment", ctx.seed)
    mixing = seeding.generator("eval-cutmix", ctx.seed)
    optimiser = make_optimiser(protocol, model)
    ipc = int(train.labels.bincount().max())
    epochs, batch_size = protocol.epochs(ipc), protocol.batch_size(ipc)
    steps_per_epoch = math.ceil(len(y) / batch_size)
    judge_after = protocol.judged_after(epochs)

    step, curve, hits = 0, [], torch.empty(0)
    for epoch in range(1, epochs + 1):
        model.train()
        for index in torch.randperm(len(y), generator=order).split(batch_size):
            for group in optimiser.param_groups:
                group["lr"] = learning_rate(protocol, step, steps_per_epoch, epochs)
            batch, target = view.train(index, augmentation), Target(y[index.to(ctx.device)])
            if protocol.cutmix:
                batch, target = _mixed(batch, target.labels, mixing)
            optimiser.zero_grad(set_to_none=True)
            loss(model(batch), batch, target).backward()
            optimiser.step()
            step += 1
        if epoch in judge_after:
            hits = _hits(model, judged, view, ctx.device)
            curve.append((epoch, float(hits.double().mean())))
        ctx.progress(epoch, epochs)
    return Evaluation(curve=tuple(curve), correct=tuple(hits.tolist()))


def _mixed(batch: torch.Tensor, labels: torch.Tensor, random: torch.Generator) -> tuple[torch.Tensor, Target]:
    height, width = batch.shape[2:]
    cut = draw_cut(len(batch), height, width, random)
    other = labels[cut.partners.to(labels.device)]
    return cutmix(batch, cut), Target(labels, other, cut.kept(height, width))


def _by_name(data: LabeledImages, classes: tuple[str, ...]) -> LabeledImages:
    """``data`` with labels counted along ``classes``, ordered by them; stable within a class."""
    if set(data.classes) != set(classes):
        odd = sorted(set(data.classes) ^ set(classes))[0]
        raise ValueError(f"the distilled set and the judged split do not have the same classes: {odd!r} is in one only")
    position = torch.tensor([classes.index(name) for name in data.classes])
    labels = position[data.labels]
    order = labels.argsort(stable=True)
    return LabeledImages(images=data.images[order], labels=labels[order], classes=classes)


@torch.inference_mode()
def _hits(model: torch.nn.Module, judged: LabeledImages, view: View, device: str) -> torch.Tensor:
    """Whether the model's first choice is right, bool (N,), on the CPU, in the order of the split by class name."""
    model.eval()
    size = view.judged_at_once
    right = [
        model(view.test(part.to(device))).argmax(1).cpu() == labels
        for part, labels in zip(judged.images.split(size), judged.labels.split(size), strict=True)
    ]
    return torch.cat(right)
