"""Evaluation protocols: named, versioned, every detail a field. A detail that changes is a new version."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import ClassVar, Literal

from benchmark.types import (
    Count,
    Evaluation,
    Fraction,
    LabeledImages,
    Network,
    NonNegative,
    NonNegativeInt,
    Positive,
    Protocol,
    StageContext,
)
from evaluators.recipe import Augmentation, ManyClasses

ByIpc = tuple[tuple[int, int], ...]
"""((ipc, value), ...): the first row whose ipc is not below that of the set counts; beyond all, the last row"""


def by_ipc(rows: ByIpc, ipc: int) -> int:
    """The value that ``rows`` have for ``ipc``."""
    return next((value for bound, value in rows if ipc <= bound), rows[-1][1])


@dataclass(frozen=True)
class HardLabels(Protocol):
    """Train a classifier from scratch on hard labels with cross-entropy, and judge it along the way.

    Where classes have unequal numbers of images, the largest counts as ipc.
    """

    labels: ClassVar[Literal["hard", "teacher", "set"]] = "hard"
    """what the classifier learns from: the classes, what a teacher says, or the soft labels that the set carries"""

    epochs_by_ipc: ByIpc
    optimiser: Literal["sgd", "adamw"] = "adamw"
    lr: Positive = 2e-3
    momentum: Fraction = 0.0
    """of SGD; AdamW has its usual betas (0.9, 0.999)"""
    weight_decay: NonNegative = 1e-2
    decay_all: bool = True
    """False: one-dimensional parameters (biases, norms) do not decay"""
    batch: Count = 64
    """the last batch of an epoch takes what is left"""
    batch_by_ipc: ByIpc = ()
    """replaces ``batch`` where there are rows"""
    schedule: Literal["cosine", "steps", "upper_cosine"] = "cosine"
    """cosine: the learning rate falls to zero along half a cosine, changed at each batch. steps: times 0.2 after
    floor(2/3 E) and floor(5/6 E) of the E epochs. upper_cosine: times (1 + cos(pi e / 2 E)) / 2 in epoch e = 0, 1, ...,
    so that it ends at half"""
    min_side: Count = 16
    """without ``side``: smaller images are enlarged to this side, bilinearly, for training and test alike"""
    side: NonNegativeInt = 0
    """the shorter side is resized to this and the centre cropped, before augmentation; 0 keeps the images' size"""
    test_resize: NonNegativeInt = 0
    """with ``side``: shorter side of test images before the centre crop; 0 is ``side``"""
    normalisation: Literal["own", "imagenet"] = "own"
    """by mean and standard deviation of each channel over the distilled set, or by those of ImageNet"""
    shift: float = 0.0625
    """random translation of each train image by up to this share of its side, borders repeated"""
    augmentation: Augmentation | None = None
    """of RGB images, after the shift"""
    cutmix: bool = False
    """every batch is cut and mixed, one box a batch, its share ~ Beta(1, 1)"""
    many_classes: ManyClasses | None = None
    evaluations: Count = 10
    """points of the accuracy curve, equally spaced, the last at the end of training"""
    evaluate_every: NonNegativeInt = 0
    """where not 0, in place of ``evaluations``: epochs between two points of the curve"""
    evaluate_after: Fraction = 0.0
    """with ``evaluate_every``: points lie beyond this share of the epochs only, and at the end"""

    def epochs(self, ipc: int) -> int:
        return by_ipc(self.epochs_by_ipc, ipc)

    def batch_size(self, ipc: int) -> int:
        return by_ipc(self.batch_by_ipc, ipc) if self.batch_by_ipc else self.batch

    def judged_after(self, epochs: int) -> set[int]:
        """The epochs, counted from 1, after which the classifier is judged."""
        if not self.evaluate_every:
            return {round(epochs * (i + 1) / self.evaluations) for i in range(self.evaluations)}
        first = self.evaluate_after * epochs
        return {e for e in range(1, epochs) if e % self.evaluate_every == 0 and e > first} | {epochs}

    def for_classes(self, classes: int) -> HardLabels:
        """This protocol as it is for so many classes."""
        many = self.many_classes
        if many is None or classes <= many.above:
            return self
        batch = max(self.batch, many.least_batch)
        return dataclasses.replace(self, lr=many.lr, weight_decay=many.weight_decay, batch=batch)

    def evaluate(
        self, distilled: LabeledImages, test: LabeledImages, network: Network, ctx: StageContext
    ) -> Evaluation:
        from evaluators.classifier import train_and_judge
        from evaluators.losses import cross_entropy

        return train_and_judge(self.for_classes(len(test.classes)), distilled, test, network, ctx, cross_entropy)


@dataclass(frozen=True)
class SoftLabels(HardLabels):
    """The same training, towards what a pretrained teacher says of each augmented batch; labels are not used.

    The teacher's outputs are the classes in the order of their names (for ImageNet-1K, the wnids), and it expects what
    this protocol's normalisation gives. It is computed in float32. It has seen the whole train set: external knowledge,
    which a table should say.
    """

    labels: ClassVar[Literal["hard", "teacher", "set"]] = "teacher"

    teacher: str = "resnet18-f37072fd.pth"
    """checkpoint file; unless it is a path that exists, it is looked for where torch.hub keeps checkpoints"""
    teacher_sha256: str = "f37072fd"
    """first digits of the SHA-256 of that file (torchvision publishes eight, in the name of the file)"""
    teacher_arch: str = "torchvision:resnet18"
    """whose weights are in that file: ``torchvision:NAME`` or ``timm:NAME``"""
    temperature: Positive = 20.0
    """KL(softmax(teacher / T) || softmax(student / T)), mean over the batch, without the factor T^2"""

    def evaluate(
        self, distilled: LabeledImages, test: LabeledImages, network: Network, ctx: StageContext
    ) -> Evaluation:
        from evaluators.classifier import train_and_judge
        from evaluators.losses import Distillation
        from evaluators.teacher import open_teacher

        teacher = open_teacher(self.teacher, self.teacher_sha256, len(test.classes), ctx.device, arch=self.teacher_arch)
        loss = Distillation(teacher, self.temperature)
        return train_and_judge(self.for_classes(len(test.classes)), distilled, test, network, ctx, loss)


@dataclass(frozen=True)
class GivenSoftLabels(HardLabels):
    """The same training, by cross-entropy with the soft labels that the set carries for its images.

    CutMix mixes the distributions of both images by area. Raises ValueError when the set has no soft labels.
    """

    labels: ClassVar[Literal["hard", "teacher", "set"]] = "set"

    def evaluate(
        self, distilled: LabeledImages, test: LabeledImages, network: Network, ctx: StageContext
    ) -> Evaluation:
        from evaluators.classifier import train_and_judge
        from evaluators.losses import soft_cross_entropy

        if distilled.soft is None:
            raise ValueError(
                "this protocol trains on the soft labels of the set, and the set has none: choose a protocol with hard "
                "labels, or give a set with soft labels"
            )
        return train_and_judge(self.for_classes(len(test.classes)), distilled, test, network, ctx, soft_cross_entropy)


def with_soft_labels(protocol: HardLabels) -> GivenSoftLabels:
    """``protocol`` in all but its labels, which are those that the set carries."""
    return GivenSoftLabels(**{f.name: getattr(protocol, f.name) for f in dataclasses.fields(HardLabels)})


cpu_small_1 = HardLabels(epochs_by_ipc=((1, 200), (5, 120), (10, 80), (50, 40), (100, 30), (1000, 20)))
"""hard labels, AdamW, small shifts; for quick studies on small images"""

cpu_small_soft_1 = with_soft_labels(cpu_small_1)
"""cpu-small@1 with the soft labels that the set carries"""

minimax_sgd_1 = HardLabels(
    epochs_by_ipc=((1, 3000), (10, 2000), (50, 1500), (200, 1000), (500, 500), (501, 300)),
    optimiser="sgd",
    lr=0.01,
    momentum=0.9,
    weight_decay=5e-4,
    batch=64,
    schedule="steps",
    side=224,
    normalisation="imagenet",
    shift=0.0,
    augmentation=Augmentation(crop=(0.5, 1.0), flip=0.5, brightness=0.4, contrast=0.4, saturation=0.4, lighting=0.1),
    cutmix=True,
    many_classes=ManyClasses(above=100, lr=0.1, weight_decay=1e-4, least_batch=128),
    evaluations=100,
)
"""hard labels at 224 px, SGD, CutMix: IDC, Minimax, MGD3 (they report the best of the curve)"""

igd_adamw_1 = dataclasses.replace(
    minimax_sgd_1,
    optimiser="adamw",
    lr=1e-3,
    momentum=0.0,
    weight_decay=1e-2,
    many_classes=ManyClasses(above=100, lr=1e-3, weight_decay=1e-2, least_batch=128),
)
"""minimax-sgd@1 with AdamW: IGD, DMGD, and most likely RSM + CGS (they report the best of the curve)"""

igd_adamw_soft_1 = with_soft_labels(igd_adamw_1)
"""igd-adamw@1 with the soft labels that the set carries"""

rded_1k_1 = SoftLabels(
    epochs_by_ipc=((1, 300),),
    lr=1e-3,
    weight_decay=1e-2,
    decay_all=False,
    batch=100,
    batch_by_ipc=((10, 100), (50, 200)),
    schedule="upper_cosine",
    side=224,
    test_resize=256,
    normalisation="imagenet",
    shift=0.0,
    augmentation=Augmentation(shuffle=2, crop=(0.5, 1.0), flip=0.5),
    cutmix=True,
    evaluate_every=10,
    evaluate_after=0.8,
)
"""soft labels of a ResNet-18 teacher at 224 px for ImageNet-1K, arch resnet18-bn: RDED (CVPR 2024)"""
