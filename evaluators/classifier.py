"""Training a classifier on a distilled set and judging it: the same loop for every protocol."""

from __future__ import annotations

import math
from typing import Any

import torch

from ddbench import seeding
from ddbench.batches import batch_count, batches
from ddbench.evaluators.computing import Computed
from ddbench.evaluators.cutmix import cutmix, draw_cut
from ddbench.evaluators.losses import Loss, Target
from ddbench.evaluators.recipe import Recipe
from ddbench.evaluators.views import Prepared, make_view
from ddbench.finite import check_loss
from ddbench.types import Evaluation, LabeledImages, Network, StageContext


def train_and_judge(
    recipe: Recipe,
    distilled: LabeledImages,
    test: LabeledImages,
    network: Network,
    ctx: StageContext,
    loss: Loss,
) -> Evaluation:
    """The accuracy curve of ``network`` trained on ``distilled`` and the final model's hits on ``test``.

    Random streams depend on the evaluation seed alone: every method is judged with the same initial weights and the
    same order of batches, and what a network draws while it is trained is named by the step. Training images are
    sorted by class name, then by position in the set, so that the order of the classes does not matter. ``test`` holds
    the dataset's images or, where ``ctx.judged_view`` is set, those decoded through that view.

    Raises FloatingPointError, with the epoch, where a loss or an output on a test image is not finite.
    """
    classes = tuple(sorted(distilled.classes))
    train = _by_name(distilled, classes)
    judged = _by_name(test, classes)
    view = make_view(recipe, train.images, ctx.device, decoded=ctx.judged_view is not None)
    test_images = Prepared(judged.images, lambda part: view.test(part.to(ctx.device)))
    y = train.labels.to(ctx.device)
    soft = None if train.soft is None else train.soft.to(ctx.device)

    with seeding.seeded("eval-init", ctx.seed):
        model = network(view.shape, len(classes))
    computed = Computed(model, ctx.device, ctx.compute)
    order = seeding.generator("eval-order", ctx.seed)
    augmentation = seeding.generator("eval-augment", ctx.seed)
    mixing = seeding.generator("eval-cutmix", ctx.seed)
    optimiser = make_optimiser(recipe, model)
    ipc = int(train.labels.bincount().max())
    epochs, batch_size = recipe.epochs(ipc), recipe.batch_size(ipc)
    steps_per_epoch = batch_count(len(y), batch_size)
    judge_after = recipe.judged_after(epochs)

    step, curve, hits, losses = 0, [], torch.empty(0), _Losses()
    with seeding.seeded("eval-network", ctx.seed) as at:
        for epoch in range(1, epochs + 1):
            model.train()
            for index in batches(torch.randperm(len(y), generator=order), batch_size):
                at(step)
                if begins_afresh(recipe, step, steps_per_epoch, epochs):
                    optimiser.state.clear()
                for group in optimiser.param_groups:
                    group["lr"] = learning_rate(recipe, step, steps_per_epoch, epochs)
                here = index.to(ctx.device)
                batch = view.train(index, augmentation)
                target = Target(y[here], soft=None if soft is None else soft[here])
                if recipe.cutmix:
                    batch, target = _mixed(batch, target, mixing)
                if recipe.second_forward:
                    with torch.no_grad():
                        computed(batch)
                optimiser.zero_grad(set_to_none=True)
                found = loss(computed(batch), batch, target)
                found.backward()
                optimiser.step()
                losses.add(epoch, found)
                step += 1
            if epoch in judge_after:
                losses.check()
                at("judged", epoch)
                hits = _hits(computed, test_images, judged.labels, view.judged_at_once, epoch)
                curve.append((epoch, float(hits.double().mean())))
            ctx.progress(epoch, epochs)
    return Evaluation(curve=tuple(curve), correct=tuple(hits.tolist()))


def _mixed(batch: torch.Tensor, target: Target, random: torch.Generator) -> tuple[torch.Tensor, Target]:
    height, width = batch.shape[2:]
    cut = draw_cut(len(batch), height, width, random)
    partners = cut.partners.to(target.labels.device)
    other_soft = None if target.soft is None else target.soft[partners]
    mixed = Target(target.labels, target.labels[partners], cut.kept(height, width), target.soft, other_soft)
    return cutmix(batch, cut), mixed


def _by_name(data: LabeledImages, classes: tuple[str, ...]) -> LabeledImages:
    """``data`` sorted by label, labels and soft labels being indices into ``classes``; stable within a class.

    Rows of soft labels are divided by their sum. Raises ValueError when the class names differ.
    """
    if set(data.classes) != set(classes):
        odd = sorted(set(data.classes) ^ set(classes))[0]
        raise ValueError(f"the distilled set and the judged split do not have the same classes: {odd!r} is in one only")
    position = torch.tensor([classes.index(name) for name in data.classes])
    labels = position[data.labels]
    order = labels.argsort(stable=True)
    soft = None
    if data.soft is not None:
        soft = data.soft[order][:, position.argsort()]
        soft = soft / soft.sum(1, keepdim=True)
    # Images that are in order already are not copied: a whole train split may be mapped from a file.
    images = data.images if torch.equal(order, torch.arange(len(order))) else data.images[order]
    return LabeledImages(images, labels[order], classes, soft)


class _Losses:
    """The sum of the losses of each epoch, looked at only when a classifier is judged: reading a value stops a GPU."""

    def __init__(self) -> None:
        self.sums: dict[int, torch.Tensor] = {}

    def add(self, epoch: int, loss: torch.Tensor) -> None:
        value = loss.detach().double()
        self.sums[epoch] = self.sums[epoch] + value if epoch in self.sums else value

    def check(self) -> None:
        """Raises FloatingPointError, with the first epoch whose loss is not finite, and forgets the epochs so far."""
        for epoch, total in zip(self.sums, torch.stack(list(self.sums.values())).tolist(), strict=True):
            check_loss(total, "the classifier", f"epoch {epoch}", ADVICE)
        self.sums.clear()


ADVICE = "no accuracy is made of it; look at the images and the soft labels, or choose another network or protocol"


@torch.inference_mode()
def _hits(computed: Computed, images: Prepared, labels: torch.Tensor, at_once: int, epoch: int) -> torch.Tensor:
    """Whether the model's top-1 class is right: bool (N,), on the CPU, in the order of ``labels``.

    Raises FloatingPointError where an output is not finite: of NaN the largest is no choice.
    """
    computed.model.eval()
    chosen, finite = [], []
    for start in range(0, len(labels), at_once):
        logits = computed(images[start : start + at_once])
        chosen.append(logits.argmax(1))
        finite.append(logits.isfinite().all(1))
    broken = int((~torch.cat(finite)).sum())
    if broken:
        raise FloatingPointError(
            f"the classifier's outputs on {broken} of {len(labels)} judged images are not finite after epoch {epoch}: "
            + ADVICE
        )
    return torch.cat(chosen).cpu() == labels


def make_optimiser(recipe: Recipe, model: torch.nn.Module) -> torch.optim.Optimizer:
    """The optimiser of ``recipe`` over the parameters of ``model``."""
    parameters = list(model.parameters())
    groups: list[dict[str, Any]] = [{"params": parameters}]
    if not recipe.decay_all:
        groups = [
            {"params": [p for p in parameters if p.ndim > 1]},
            {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
        ]
    if recipe.optimiser == "adamw":
        return torch.optim.AdamW(groups, lr=recipe.lr, weight_decay=recipe.weight_decay, fused=True)
    return torch.optim.SGD(groups, lr=recipe.lr, momentum=recipe.momentum, weight_decay=recipe.weight_decay)


def learning_rate(recipe: Recipe, step: int, steps_per_epoch: int, epochs: int) -> float:
    """The learning rate of optimiser step ``step``, counted from 0."""
    epoch = step // steps_per_epoch
    if recipe.schedule == "cosine":
        return recipe.lr * 0.5 * (1 + math.cos(math.pi * step / (epochs * steps_per_epoch)))
    if recipe.schedule == "steps":
        return recipe.lr * 0.2 ** sum(epoch >= at for at in (2 * epochs // 3, 5 * epochs // 6))
    if recipe.schedule == "tenth_past_half":
        return recipe.lr * (0.1 if epoch >= past_half(epochs) else 1.0)
    return recipe.lr * 0.5 * (1 + math.cos(math.pi * epoch / epochs / 2))


def past_half(epochs: int) -> int:
    """The epoch, from 0, at which ``tenth_past_half`` goes to a tenth of the rate: E // 2 + 2 of E + 1 epochs."""
    return (epochs - 1) // 2 + 2


def begins_afresh(recipe: Recipe, step: int, steps_per_epoch: int, epochs: int) -> bool:
    """Whether the optimiser forgets its momentum before optimiser step ``step``, counted from 0."""
    return recipe.schedule == "tenth_past_half" and step == past_half(epochs) * steps_per_epoch
