"""Storing soft labels for a distilled set: views drawn once, with the outputs of a teacher on them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ddbench.evaluators.stored import StoredSoftLabels
from ddbench.types import LabeledImages

if TYPE_CHECKING:
    from ddbench.learning.teacher import Taught


def store_labels(
    protocol: StoredSoftLabels,
    distilled: LabeledImages,
    teacher: Taught,
    folder: Path,
    *,
    seed: int,
    device: str = "cpu",
    half: bool = True,
) -> None:
    """Write labels with which ``protocol`` trains on ``distilled`` into ``folder``, in the form of SRe2L's relabel.

    Its epochs, batches, crops, mirroring and CutMix are drawn from ``seed``; the teacher sees what the student will.
    half: outputs in half precision, as they are published, else in float32. Raises ValueError for a protocol without
    ``side`` or with an augmentation that cannot be stored, a teacher of other classes, and outputs that are not finite
    in that precision.
    """
    import torch

    from ddbench import seeding
    from ddbench.evaluators.classifier import by_name
    from ddbench.evaluators.cutmix import cutmix, draw_cut
    from ddbench.evaluators.recipe import Augmentation
    from ddbench.evaluators.views import make_view
    from ddbench.stored_labels import orders

    changes = protocol.augmentation or Augmentation()
    if protocol.shift or changes != Augmentation(crop=changes.crop, ratio=changes.ratio, flip=changes.flip):
        raise ValueError("only crops, mirroring and CutMix can be stored: set shift and the other changes to nothing")
    classes = tuple(sorted(distilled.classes))
    if teacher.classes != classes:
        raise ValueError("the teacher knows other classes than the set has")
    if not protocol.side:
        raise ValueError("views are stored at a side in pixels: set side")
    train, side = by_name(distilled, classes), protocol.side
    view = make_view(protocol, train.images, device)
    ipc = int(train.labels.bincount().max())
    size, order = protocol.batch_size(ipc), orders(len(train))
    changing, mixing = (seeding.generator(name, seed) for name in ("label-augment", "label-cutmix"))
    for epoch in range(protocol.epochs(ipc)):
        into = folder / f"epoch_{epoch}"
        into.mkdir(parents=True)
        for at, index in enumerate(next(order).split(size)):
            drawn = view.draw(len(index), changing)
            crops = drawn.setdefault("crops", torch.tensor([[0, 0, side, side]]).repeat(len(index), 1))
            flips = drawn.setdefault("flips", torch.zeros(len(index), dtype=torch.bool))
            batch = view.changed(index, drawn)
            mixed: tuple[Any, Any, Any] = (None, None, None)
            if protocol.cutmix:
                cut = draw_cut(len(index), side, side, mixing)
                batch = cutmix(batch, cut.box.to(device), cut.partners.to(device))
                mixed = (cut.partners, cut.kept(side, side), cut.box.tolist())
            with torch.no_grad():
                outputs = teacher(batch).cpu()
            outputs = outputs.half() if half else outputs
            if not outputs.isfinite().all():
                raise ValueError("the teacher's outputs are not finite" + " in half precision" * half)
            # Shares in float32, from which the same whole pixels are read again.
            torch.save([(crops / side).float(), flips, *mixed, outputs], into / f"batch_{at}.tar")
