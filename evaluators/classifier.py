"""Training a classifier on a distilled set and judging it: the same loop for every protocol."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

import torch

from ddbench import seeding, steps
from ddbench.batches import batch_count, batches
from ddbench.evaluators.computing import Computed
from ddbench.evaluators.cutmix import cutmix, draw_cut
from ddbench.evaluators.losses import Loss, Target
from ddbench.evaluators.recipe import Recipe
from ddbench.evaluators.views import Prepared, make_view
from ddbench.finite import check_loss
from ddbench.types import Evaluation, LabeledImages, Network, Shape, StageContext

Views = Callable[[int], Iterable[Mapping[str, torch.Tensor]]]
"""the batches of an epoch, counted from 0, where they are given and not drawn: of each ``index``, parameters of the
view and of CutMix by the names of those that are drawn, and perhaps ``outputs``, a teacher's logits for them"""


def train_and_judge(
    recipe: Recipe,
    distilled: LabeledImages,
    test: LabeledImages,
    network: Network,
    ctx: StageContext,
    loss: Loss,
    given: Views | None = None,
) -> Evaluation:
    """The accuracy curve of ``network`` trained on ``distilled`` and the final model's hits on ``test``.

    Random streams depend on the evaluation seed alone: every method is judged with the same initial weights and the
    same order of batches, and what a network draws while it is trained is named by the step. Training images are
    sorted by class name, then by position in the set, so that the order of the classes does not matter. ``test`` holds
    the dataset's images or, where ``ctx.judged_view`` is set, those decoded through that view. With ``given``, batches
    of ``recipe``'s number and size come from there, and nothing is drawn for them.

    Raises FloatingPointError, with the epoch, where a loss or an output on a test image is not finite.
    """
    classes = tuple(sorted(distilled.classes))
    train = by_name(distilled, classes)
    judged = by_name(test, classes)
    view = make_view(recipe, train.images, ctx.device, decoded=ctx.judged_view is not None)
    test_images = Prepared(judged.images, lambda part: view.test(part.to(ctx.device)))
    y = train.labels.to(ctx.device)
    soft = None if train.soft is None else train.soft.to(ctx.device)

    with seeding.seeded("eval-init", ctx.seed):
        model = network(view.shape, len(classes))
    computed = Computed(model, ctx.device, ctx.compute)
    mode = steps.mode(ctx.device)
    optimiser = make_optimiser(recipe, model, mode)
    rate = steps.Rate(optimiser, mode)
    ipc = int(train.labels.bincount().max())
    epochs, batch_size = recipe.epochs(ipc), recipe.batch_size(ipc)
    steps_per_epoch = -(-len(y) // batch_size) if given else batch_count(len(y), batch_size)
    judge_after = recipe.judged_after(epochs)

    names = ("eval-order", "eval-augment", "eval-cutmix")
    order, augmentation, mixing = (seeding.generator(name, ctx.seed) for name in names)

    def drawn_views(epoch: int) -> Iterator[Mapping[str, torch.Tensor]]:
        for index in batches(torch.randperm(len(y), generator=order), batch_size):
            drawn = {"index": index, **view.draw(len(index), augmentation)}
            yield drawn | (_drawn_cut(len(index), view.shape, mixing) if recipe.cutmix else {})

    def draws() -> Iterator[dict[str, torch.Tensor]]:
        for epoch in range(epochs):
            for i, drawn in enumerate((given or drawn_views)(epoch)):
                now = learning_rate(recipe, epoch * steps_per_epoch + i, steps_per_epoch, epochs)
                yield {"rate": steps.rate(now), **drawn}

    def step(drawn: steps.Batch) -> dict[str, torch.Tensor]:
        rate.set(drawn["rate"])
        here = drawn["index"]
        batch = view.changed(here, drawn)
        target = Target(y[here], soft=None if soft is None else soft[here], outputs=drawn.get("outputs"))
        if recipe.cutmix:
            batch, target = _mixed(batch, target, drawn)
        if recipe.second_forward:
            with torch.no_grad():
                computed(batch)
        optimiser.zero_grad(set_to_none=True)
        found = loss(computed(batch), batch, target)
        found.backward()
        optimiser.step()
        return {"loss": found}

    def seen(at: int, outputs: Mapping[str, torch.Tensor]) -> None:
        check_loss(float(outputs["loss"]), "the classifier", f"epoch {at // steps_per_epoch + 1}", ADVICE)

    curve, hits, run = [], torch.empty(0), steps.Steps(step, mode, seen)
    with (
        computed.products(),
        seeding.seeded("eval-network", ctx.seed) as at,
        steps.read_ahead(draws(), mode) as drawn,
    ):
        for epoch in range(1, epochs + 1):
            model.train()
            for batch in islice(drawn, steps_per_epoch):
                at(run.at)
                if begins_afresh(recipe, run.at, steps_per_epoch, epochs):
                    steps.forget(optimiser)
                run(batch)
            if epoch in judge_after:
                run.settle()
                at("judged", epoch)
                hits = _hits(computed, test_images, judged.labels, view.judged_at_once, epoch)
                curve.append((epoch, float(hits.double().mean())))
            ctx.progress(epoch, epochs)
    return Evaluation(curve=tuple(curve), correct=tuple(hits.tolist()))


def _drawn_cut(n: int, shape: Shape, random: torch.Generator) -> dict[str, torch.Tensor]:
    cut = draw_cut(n, *shape[1:], random)
    kept = torch.tensor(cut.kept(*shape[1:]), dtype=torch.float64)
    return {"box": cut.box, "partners": cut.partners, "kept": kept}


def _mixed(batch: torch.Tensor, target: Target, drawn: Mapping[str, torch.Tensor]) -> tuple[torch.Tensor, Target]:
    partners = drawn["partners"]
    other_soft = None if target.soft is None else target.soft[partners]
    mixed = Target(
        labels=target.labels,
        other=target.labels[partners],
        kept=drawn["kept"],
        soft=target.soft,
        other_soft=other_soft,
        outputs=target.outputs,
    )
    return cutmix(batch, drawn["box"], partners), mixed


def by_name(data: LabeledImages, classes: tuple[str, ...]) -> LabeledImages:
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


def make_optimiser(recipe: Recipe, model: torch.nn.Module, mode: steps.Mode) -> torch.optim.Optimizer:
    """The optimiser of ``recipe`` over the parameters of ``model``."""
    parameters = list(model.parameters())
    groups: list[dict[str, Any]] = [{"params": parameters}]
    if not recipe.decay_all:
        groups = [
            {"params": [p for p in parameters if p.ndim > 1]},
            {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
        ]
    if recipe.optimiser == "adamw":
        return steps.adamw(groups, mode, lr=recipe.lr, weight_decay=recipe.weight_decay)
    return steps.sgd(groups, mode, lr=recipe.lr, momentum=recipe.momentum, weight_decay=recipe.weight_decay)


def learning_rate(recipe: Recipe, step: int, steps_per_epoch: int, epochs: int) -> float:
    """The learning rate of optimiser step ``step``, counted from 0."""
    epoch = step // steps_per_epoch
    if recipe.schedule == "cosine":
        return recipe.lr * 0.5 * (1 + math.cos(math.pi * step / (epochs * steps_per_epoch)))
    if recipe.schedule == "steps":
        return recipe.lr * 0.2 ** sum(epoch >= at for at in (2 * epochs // 3, 5 * epochs // 6))
    if recipe.schedule == "cosine_by_epoch":
        return recipe.lr * 0.5 * (1 + math.cos(math.pi * epoch / epochs))
    if recipe.schedule == "tenth_past_half":
        return recipe.lr * (0.1 if epoch >= past_half(epochs) else 1.0)
    return recipe.lr * 0.5 * (1 + math.cos(math.pi * epoch / epochs / 2))


def past_half(epochs: int) -> int:
    """The epoch, from 0, at which ``tenth_past_half`` goes to a tenth of the rate: E // 2 + 2 of E + 1 epochs."""
    return (epochs - 1) // 2 + 2


def begins_afresh(recipe: Recipe, step: int, steps_per_epoch: int, epochs: int) -> bool:
    """Whether the optimiser forgets its momentum before optimiser step ``step``, counted from 0."""
    return recipe.schedule == "tenth_past_half" and step == past_half(epochs) * steps_per_epoch
