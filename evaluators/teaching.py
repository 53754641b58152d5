"""Protocols whose soft labels are the outputs of a teacher that the plan trains, or that is named as a checkpoint."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from ddbench.evaluators.protocols import HardLabels, cpu_small_1
from ddbench.evaluators.recipe import Recipe
from ddbench.learning.teacher import Taught, Teacher, TrainedTeacher
from ddbench.types import (
    Evaluation,
    LabeledImages,
    Network,
    Positive,
    Preparation,
    Shape,
    StageContext,
)

HALF = 2
"""bytes of a number in half precision, in which soft labels are stored (FKD, ECCV 2022; SRe2L, NeurIPS 2023)"""


@dataclass(frozen=True)
class TeacherLabels(HardLabels):
    """The same training with a teacher's outputs on each augmented batch as targets; labels of the set are unused.

    Teacher and student see the same pixels, normalised by ImageNet's constants. Records log ``teacher_top1``, the
    teacher's accuracy on the judged images as the student sees them, and bytes: ``teacher_bytes`` of its weights, and
    ``soft_label_bytes``, what its outputs would take if they were stored in half precision, a row for each image and
    epoch, as FKD and SRe2L store them.
    """

    labels: ClassVar[Literal["hard", "teacher", "set", "stored"]] = "teacher"

    teacher: Teacher = field(default_factory=TrainedTeacher)
    """``TrainedTeacher``, which the plan trains once for a dataset, or ``TeacherFile``, a checkpoint"""
    temperature: Positive = 20.0
    """KL(softmax(teacher / T) || softmax(student / T)), mean over the batch, without the factor T^2"""

    def preparations(self) -> tuple[Preparation, ...]:
        return (self.teacher,)

    def recipe_for(self, shape: Shape, num_classes: int, network: Network, dataset: str = "") -> Recipe:
        """The recipe for the dataset of that name whose images have ``shape``, and for the network that is judged."""
        return self.for_classes(num_classes)

    def evaluate(
        self, distilled: LabeledImages, test: LabeledImages, network: Network, ctx: StageContext
    ) -> Evaluation:
        from ddbench.evaluators.classifier import train_and_judge
        from ddbench.evaluators.losses import Distillation

        taught: Taught = ctx.state
        if taught.classes != tuple(sorted(test.classes)):
            raise ValueError("the teacher knows other classes than the judged images have")
        recipe = self.recipe_for(distilled.shape, len(test.classes), network, ctx.dataset)
        epochs = recipe.epochs(int(distilled.labels.bincount().max()))
        ctx.log(
            {
                "teacher_top1": teacher_top1(recipe, taught, test, ctx),
                "teacher_bytes": taught.bytes(),
                "soft_label_bytes": epochs * len(distilled) * len(test.classes) * HALF,
            }
        )
        return train_and_judge(recipe, distilled, test, network, ctx, Distillation(taught, self.temperature))


def teacher_top1(recipe: Recipe, taught: Taught, test: LabeledImages, ctx: StageContext) -> float:
    """The share of the judged images that the teacher has right, as the student of ``recipe`` sees them."""
    import torch

    from ddbench.evaluators.views import make_view

    view = make_view(recipe, test.images[:1], ctx.device, decoded=ctx.judged_view is not None)
    place = torch.tensor([taught.classes.index(name) for name in test.classes])
    right = 0
    with torch.inference_mode():
        for at in torch.arange(len(test)).split(view.judged_at_once):
            chosen = taught(view.test(test.images[at].to(ctx.device))).argmax(1).cpu()
            right += int((chosen == place[test.labels[at]]).sum())
    return right / len(test)


def with_teacher(protocol: HardLabels, temperature: float, teacher: Teacher) -> TeacherLabels:
    """``protocol`` with the outputs of a teacher in place of hard labels, normalised as teachers are."""
    fields = {f.name: getattr(protocol, f.name) for f in dataclasses.fields(HardLabels)}
    return TeacherLabels(**{**fields, "normalisation": "imagenet"}, teacher=teacher, temperature=temperature)


cpu_small_teacher_1 = with_teacher(
    cpu_small_1, temperature=4.0, teacher=TrainedTeacher(network="convnet3-w32", crop=(0.7, 1.0), mirror=False)
)
"""cpu-small@1 with the outputs of a ConvNet-3 (width 32) that the plan trains; mirrored nowhere, for digits"""
