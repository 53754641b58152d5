"""Evaluation protocols: named, versioned, with a field for every detail.

A protocol whose values change gets a new version; earlier ones stay registered unchanged. What version 2 changes, and
where the peers' code does it: docs/protocols.md.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

from ddbench.evaluators.recipe import Augmentation, ManyClasses, Recipe
from ddbench.types import (
    DataFacts,
    Evaluation,
    LabeledImages,
    Network,
    Positive,
    Protocol,
    Shape,
    StageContext,
)


@dataclass(frozen=True)
class HardLabels(Recipe, Protocol):
    """Train a classifier from scratch on hard labels with cross-entropy, and judge it at points of the training.

    Of a set whose classes differ in size, the largest class counts as ipc.
    """

    labels: ClassVar[Literal["hard", "teacher", "set", "stored"]] = "hard"
    """what the classifier learns from: class labels, a teacher's outputs, the soft labels of the distilled set, or a
    teacher's outputs stored beside the set"""

    def network_shape(self, data: DataFacts, network: Network) -> Shape:
        return self.shape_of(data.shape)

    def evaluate(
        self, distilled: LabeledImages, test: LabeledImages, network: Network, ctx: StageContext
    ) -> Evaluation:
        from ddbench.evaluators.classifier import train_and_judge
        from ddbench.evaluators.losses import cross_entropy

        return train_and_judge(self.for_classes(len(test.classes)), distilled, test, network, ctx, cross_entropy)


@dataclass(frozen=True)
class SoftLabels(HardLabels):
    """The same training with a pretrained teacher's outputs on each augmented batch as targets; labels are unused.

    The teacher's outputs are the classes sorted by name (for ImageNet-1K, by wnid), its inputs are normalised as the
    student's. It is computed in float32. It was trained on the whole train set, which is external knowledge; captions
    say so.
    """

    labels: ClassVar[Literal["hard", "teacher", "set", "stored"]] = "teacher"

    teacher: str = "resnet18-f37072fd.pth"
    """checkpoint: a path, or the name of a file in torch.hub's folder of checkpoints"""
    teacher_sha256: str = "f37072fd"
    """first digits of the SHA-256 of that file (torchvision publishes eight, in the name of the file)"""
    teacher_arch: str = "torchvision:resnet18"
    """architecture of that checkpoint: ``torchvision:NAME`` or ``timm:NAME``"""
    temperature: Positive = 20.0
    """KL(softmax(teacher / T) || softmax(student / T)), mean over the batch, without the factor T^2"""

    def problems(self, data: DataFacts) -> Sequence[str]:
        from ddbench.learning.checkpoint import teacher_problems

        return teacher_problems(self.teacher, self.teacher_sha256, len(data.classes), self.teacher_arch, data.light)

    def evaluate(
        self, distilled: LabeledImages, test: LabeledImages, network: Network, ctx: StageContext
    ) -> Evaluation:
        from ddbench.evaluators.classifier import train_and_judge
        from ddbench.evaluators.losses import Distillation
        from ddbench.learning.checkpoint import open_teacher

        teacher = open_teacher(self.teacher, self.teacher_sha256, len(test.classes), ctx.device, arch=self.teacher_arch)
        loss = Distillation(teacher, self.temperature)
        return train_and_judge(self.for_classes(len(test.classes)), distilled, test, network, ctx, loss)


@dataclass(frozen=True)
class GivenSoftLabels(HardLabels):
    """The same training by cross-entropy with the soft labels of the distilled set.

    CutMix mixes the distributions of both images by area. ``evaluate`` raises ValueError when the
    set has none.
    """

    labels: ClassVar[Literal["hard", "teacher", "set", "stored"]] = "set"

    def evaluate(
        self, distilled: LabeledImages, test: LabeledImages, network: Network, ctx: StageContext
    ) -> Evaluation:
        from ddbench.evaluators.classifier import train_and_judge
        from ddbench.evaluators.losses import soft_cross_entropy

        if distilled.soft is None:
            raise ValueError(
                "this protocol trains on the soft labels of the set, and the set has none: choose a protocol with hard "
                "labels, or give a set with soft labels"
            )
        ctx.log({"soft_label_bytes": distilled.soft.numel() * distilled.soft.element_size()})
        return train_and_judge(self.for_classes(len(test.classes)), distilled, test, network, ctx, soft_cross_entropy)


def with_soft_labels(protocol: HardLabels) -> GivenSoftLabels:
    """``protocol`` with the soft labels of the distilled set in place of hard labels."""
    return GivenSoftLabels(**{f.name: getattr(protocol, f.name) for f in dataclasses.fields(HardLabels)})


cpu_small_1 = HardLabels(epochs_by_ipc=((1, 200), (5, 120), (10, 80), (50, 40), (100, 30), (1000, 20)))
"""hard labels, AdamW, small shifts; for quick studies on small images"""

cpu_small_soft_1 = with_soft_labels(cpu_small_1)
"""cpu-small@1 with the soft labels of the distilled set"""

small_64_1 = HardLabels(
    epochs_by_ipc=((1, 500), (10, 300), (50, 150), (100, 100)),
    lr=1e-3,
    weight_decay=1e-2,
    side=64,
    normalisation="imagenet",
    shift=0.0,
    augmentation=Augmentation(crop=(0.5, 1.0), flip=0.5, brightness=0.4, contrast=0.4, saturation=0.4),
    cutmix=True,
)
"""hard labels at 64 px, AdamW, CutMix; for studies of photographs in minutes on a GPU"""

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
"""earlier minimax-sgd: 2000 epochs at 100 classes too, test images resized twice"""

minimax_sgd_2 = dataclasses.replace(minimax_sgd_1, two_thirds_at=100, test_images="decoded")
"""hard labels at 224 px, SGD, CutMix: IDC, Minimax, MGD3 (they report the best of the curve)"""

igd_adamw_1 = dataclasses.replace(
    minimax_sgd_1,
    optimiser="adamw",
    lr=1e-3,
    momentum=0.0,
    weight_decay=1e-2,
    many_classes=ManyClasses(above=100, lr=1e-3, weight_decay=1e-2, least_batch=128),
)
"""earlier igd-adamw: minimax-sgd@1 with AdamW"""

igd_adamw_2 = dataclasses.replace(igd_adamw_1, two_thirds_at=100, test_images="decoded")
"""minimax-sgd@2 with AdamW: IGD, DMGD, and most likely RSM + CGS (they report the best of the curve)"""

igd_adamw_soft_1 = with_soft_labels(igd_adamw_1)
"""earlier igd-adamw-soft: igd-adamw@1 with the soft labels of the distilled set"""

igd_adamw_soft_2 = with_soft_labels(igd_adamw_2)
"""igd-adamw@2 with the soft labels of the distilled set"""

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
"""earlier rded-1k: batch norm sees each batch once, test images resized twice"""

rded_1k_2 = dataclasses.replace(rded_1k_1, second_forward=True, test_images="decoded")
"""soft labels of a ResNet-18 teacher at 224 px for ImageNet-1K, arch resnet18-bn: RDED (CVPR 2024)"""
