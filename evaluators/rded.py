"""RDED's judge (Sun et al., CVPR 2024) for any dataset, with its rules by dataset and student.

Values are those of argument.py and validation/main.py of LINs-lab/RDED at 3f6453d. RDED knows datasets by name; here
the size of the stored images and the number of classes tell the same datasets apart, so that the rules hold for others
too: CIFAR has 32 px, Tiny-ImageNet 64 px, the subsets of ImageNet more.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from ddbench.evaluators.from_timm import Timm
from ddbench.evaluators.recipe import Augmentation, ByIpc, Recipe
from ddbench.evaluators.students import BatchNormConvNet, Torchvision
from ddbench.evaluators.teaching import TeacherLabels
from ddbench.learning.teacher import TrainedTeacher, side_of
from ddbench.types import DataFacts, ImageView, Network, NonNegativeInt, Shape

SIDES = (32, 64, 224)
"""pixels at which images are seen: CIFAR, Tiny-ImageNet, subsets of ImageNet"""
DEEP_CONVNETS, DEEP_SIDE = ("convnet5-bn", "convnet6-bn"), 128
"""students or teachers with which images of ``DEEP_DATASETS`` are seen at 128 px"""
DEEP_DATASETS = ("imagenette", "imagewoof", "imagenet100")
"""the only ones of which it is so in RDED's scripts; its ImageNet-1K, ImageNet-10 and others keep 224 px"""
TINY = (200, 64)
"""classes and side of Tiny-ImageNet"""
SAME = {
    "mobilenetv2_100": "mobilenet_v2",
    "swinv2_tiny_window8_256": "swin_v2_t",
    "swinv2_tiny_window16_256": "swin_v2_t",
    "tf_efficientnet_b0": "efficientnet_b0",
    "vit_base_patch16_224": "vit_b_16",
    "vit_base_patch16_384": "vit_b_16",
}
"""timm's name of an architecture -> torchvision's, where they are not equal"""


@dataclass(frozen=True)
class RDEDLabels(TeacherLabels):
    """RDED's validation. ``side``, ``test_resize``, ``batch_by_ipc``, ``lr`` and the augmentation's factor follow from
    the images, the classes and the student; set, they are what is set. Sides of the test images before their centre is
    cropped are side // 7 * 8."""

    factor: NonNegativeInt = 0
    """images a side of a collage: strips that are shuffled, and crops keep 1 / factor of the area or more; 0: 1 up to
    64 px, 2 above, as in RDED's scripts. Of sets that are no collages 1 may be apt"""
    batches: ByIpc = ((1, 10), (10, 50), (50, 100))
    """batch by IPC for 10 classes; twice as many for 100 or 1000 classes, 100 for Tiny-ImageNet at any IPC; never more
    than images in the set"""
    lr_by_student: tuple[tuple[str, float], ...] = (
        ("alexnet", 1e-4),
        ("efficientnet_b0", 2e-3),
        ("mobilenet_v2", 2.5e-3),
        ("swin_v2_t", 1e-4),
        ("vgg11", 5e-4),
        ("vit_b_16", 1e-4),
    )
    """learning rates by torchvision's name of the student, whichever library builds it; others, ConvNets and ResNets
    among them, have ``lr``. A ConvNet-3 on 100 classes at 32 px beside a ConvNet-3 teacher has 2e-3 and batches of
    25"""

    def recipe_for(self, shape: Shape, num_classes: int, network: Network, dataset: str = "") -> Recipe:
        side = self._side(shape, network, dataset)
        factor = self.factor or (1 if side <= SIDES[1] else 2)
        rates, model = dict(self.lr_by_student), network.model if isinstance(network, Torchvision | Timm) else ""
        rate = rates.get(model, rates.get(SAME.get(model, ""), self.lr))
        rows = tuple((ipc, self._batch(ipc, batch, num_classes, side)) for ipc, batch in self.batches)
        shallow = isinstance(network, BatchNormConvNet) and network.depth == 3 and self._teacher() == "convnet3-bn"
        if num_classes == 100 and side == SIDES[0] and shallow:
            rate, rows = 2e-3, ((self.batches[-1][0], 25),)
        return dataclasses.replace(
            self,
            side=side,
            test_resize=self.test_resize or side // 7 * 8,
            lr=rate,
            batch_by_ipc=self.batch_by_ipc or rows,
            augmentation=Augmentation(shuffle=factor, crop=(1 / factor, 1.0), flip=0.5),
        )

    def view_of(self, data: DataFacts, network: Network) -> ImageView | None:
        return self.recipe_for(data.shape, len(data.classes), network, data.name).test_view()

    def network_shape(self, data: DataFacts, network: Network) -> Shape:
        return self.recipe_for(data.shape, len(data.classes), network, data.name).shape_of(data.shape)

    def _side(self, shape: Shape, network: Network, dataset: str) -> int:
        if self.side:
            return self.side
        side = side_of(min(shape[1:]), SIDES, 0)
        deep = (isinstance(network, BatchNormConvNet) and network.depth >= 5) or self._teacher() in DEEP_CONVNETS
        return DEEP_SIDE if deep and dataset in DEEP_DATASETS and side > SIDES[1] else side

    def _teacher(self) -> str:
        """The arch of the teacher: of one that the plan trains, or of a checkpoint."""
        return str(getattr(self.teacher, "network", getattr(self.teacher, "arch", ""))).partition("[")[0]

    def _batch(self, ipc: int, batch: int, num_classes: int, side: int) -> int:
        if (num_classes, side) == TINY:
            batch = 100
        elif num_classes in (100, 1000):
            batch *= 2
        return batch


rded_1 = RDEDLabels(
    epochs_by_ipc=((1, 300),),
    lr=1e-3,
    weight_decay=1e-2,
    decay_all=False,
    second_forward=True,
    schedule="upper_cosine",
    test_images="decoded",
    normalisation="imagenet",
    shift=0.0,
    cutmix=True,
    evaluate_every=10,
    evaluate_after=0.8,
    teacher=TrainedTeacher(network="resnet18-modified", sides=SIDES),
)
"""soft labels of a teacher that the plan trains; RDED's rules by dataset and student, at 32 to 224 px (CVPR 2024)"""
