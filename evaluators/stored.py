"""Protocols whose soft labels were stored beside the set, for each epoch and image, as FKD and SRe2L store them."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from ddbench.evaluators.protocols import HardLabels
from ddbench.evaluators.recipe import Augmentation
from ddbench.stored_labels import StoredLabels
from ddbench.types import Evaluation, LabeledImages, Network, Positive, StageContext

if TYPE_CHECKING:
    import torch

TELLING = 20
"""boxes of CutMix of which one certainly ends at the edge of its view: each does not with probability 0.46"""
HOW = "give them with `bench evaluate SETS --labels FOLDER`, the folder of epoch_0/batch_0.tar and so on"


@dataclass(frozen=True)
class StoredSoftLabels(HardLabels):
    """Training on the stored views of a set, with the outputs that a teacher gave on them as targets.

    One stored epoch is an epoch: its batches, in their order, with each image's crop and mirroring and the batch's box
    of CutMix. The seed changes the initial weights alone. ``augmentation`` and ``cutmix`` say how labels are made
    (``evaluators.relabel``); here what is stored counts. The images are resized and cropped to ``side`` first, so
    that crops of sets of another size are of that square.
    """

    labels: ClassVar[Literal["hard", "teacher", "set", "stored"]] = "stored"

    temperature: Positive = 20.0
    """KL(softmax(teacher / T) || softmax(student / T)), mean over the batch, without the factor T^2"""

    def unfit(self, stored: StoredLabels | None, ipc: int) -> str:
        """Why a set of ``ipc`` images a class with these labels cannot be judged, with what to type; empty: it can."""
        if stored is None:
            return f"trains on soft labels stored beside the set, and there are none: {HOW}"
        epochs, batch = self.epochs(ipc), min(self.batch_size(ipc), stored.images)
        if stored.epochs < epochs:
            return (
                f"trains for {epochs} epochs, and labels of {stored.epochs} are stored: add "
                f"[epochs_by_ipc=[[{ipc},{stored.epochs}]]] to its name, or store more"
            )
        if stored.batch != batch:
            return f"trains on batches of {batch}, and labels are stored in batches of {stored.batch}: add " + (
                f"[batch={stored.batch}] to its name"
            )
        if stored.mixed != self.cutmix:
            said = "mixed by CutMix" if stored.mixed else "not mixed"
            return f"has cutmix={self.cutmix}, and stored views are {said}: add [cutmix={stored.mixed}] to its name"
        few = stored.batches * stored.epochs < TELLING
        if stored.mixed and (stored.reach > self.side or (stored.reach < self.side and not few)):
            return (
                f"sees images at {self.side} px, and the stored boxes of CutMix end at {stored.reach} px: labels made "
                f"at another side; add [side={stored.reach},test_resize={stored.reach}] to its name"
            )
        return ""

    def evaluate(
        self, distilled: LabeledImages, test: LabeledImages, network: Network, ctx: StageContext
    ) -> Evaluation:
        from ddbench.evaluators.classifier import train_and_judge
        from ddbench.evaluators.losses import StoredDistillation

        recipe, stored = self.for_classes(len(test.classes)), distilled.stored
        wrong = recipe.unfit(stored, int(distilled.labels.bincount().max()))
        if wrong or stored is None:
            raise ValueError(f"this protocol {wrong}")
        ctx.log({"soft_label_bytes": stored.bytes})

        def given(epoch: int) -> Iterator[Mapping[str, torch.Tensor]]:
            return views(stored, epoch, self.side)

        loss = StoredDistillation(self.temperature)
        return train_and_judge(recipe, distilled, test, network, ctx, loss, given)


def views(stored: StoredLabels, epoch: int, side: int) -> Iterator[Mapping[str, torch.Tensor]]:
    """The batches of a stored epoch as ``train_and_judge`` takes them, seen at ``side`` pixels."""
    import torch

    for batch in stored.epoch(epoch):
        crops = (batch.crops.double() * side).round().long()
        crops[:, 2:] = crops[:, 2:].clamp(min=1)
        drawn = {"index": batch.index, "crops": crops, "flips": batch.flips, "outputs": batch.outputs}
        if batch.box is not None and batch.partners is not None:
            top, bottom, left, right = batch.box.tolist()
            kept = torch.tensor(1 - (bottom - top) * (right - left) / side**2, dtype=torch.float64)
            drawn |= {"box": batch.box, "partners": batch.partners, "kept": kept}
        yield drawn


def with_stored_labels(protocol: HardLabels, temperature: float) -> StoredSoftLabels:
    """``protocol`` with stored outputs of a teacher in place of hard labels."""
    fields = {f.name: getattr(protocol, f.name) for f in dataclasses.fields(HardLabels)}
    return StoredSoftLabels(**fields, temperature=temperature)


fkd_1 = StoredSoftLabels(
    epochs_by_ipc=((1, 300),),
    lr=1e-3,
    weight_decay=1e-2,
    batch=1024,
    schedule="cosine_by_epoch",
    side=224,
    test_resize=256,
    test_images="decoded",
    normalisation="imagenet",
    shift=0.0,
    augmentation=Augmentation(crop=(0.08, 1.0), flip=0.5),
    cutmix=True,
    evaluate_every=10,
)
"""soft labels stored beside a set for each epoch and view, at 224 px, arch resnet18-bn: FKD's idea, SRe2L's values"""
