"""Teachers: classifiers of the whole train split, whose outputs are soft labels or score images.

A teacher is a preparation, so that the plan trains it once for a dataset and recipe, and protocols and methods that ask
for an equal one share it. It is trained on the whole train split, of which a distilled set is a part: captions call it
external knowledge.
"""

from __future__ import annotations

import json
import math
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from ddbench import seeding
from ddbench.types import (
    Count,
    DataFacts,
    Fraction,
    LabeledImages,
    Network,
    NonNegative,
    NonNegativeInt,
    Positive,
    Preparation,
    Shape,
    StageContext,
)
from ddbench.wording import counted

if TYPE_CHECKING:
    import torch

WEIGHTS_FILE = "network.safetensors"
ABOUT_FILE = "teacher.json"
AT_ONCE = 256
"""images on the device at once when no gradient is needed"""

KNOWLEDGE = "a teacher of the whole train split"


@dataclass(frozen=True)
class Taught:
    """A teacher that is there: a frozen network in eval mode."""

    network: torch.nn.Module
    classes: tuple[str, ...]
    """class names in the order of its outputs: sorted"""
    channels: int
    """of its input"""
    size: tuple[int, int] | None
    """(height, width) that it was trained at, to which batches of another size are resized; None: it takes any"""

    def __call__(self, batch: torch.Tensor) -> torch.Tensor:
        """Logits (N, classes) of a batch (N, C, H, W) that ``colours.normalise`` normalised, in float32."""
        import torch.nn.functional as F

        if self.size is not None and batch.shape[2:] != self.size:
            batch = F.interpolate(batch, size=self.size, mode="bilinear", align_corners=False, antialias=True)
        return self.network(batch).float()

    def bytes(self) -> int:
        """Bytes of its weights, as they are stored."""
        return sum(value.numel() * value.element_size() for value in self.network.state_dict().values())


def side_of(shorter: int, sides: Sequence[int], min_side: int) -> int:
    """The side at which images of a shorter side are seen: the first of ``sides`` that is not smaller, or else the
    last; without ``sides`` their own, but at least ``min_side``."""
    if not sides:
        return max(shorter, min_side)
    return next((side for side in sides if side >= shorter), sides[-1])


@dataclass(frozen=True)
class Teacher(Preparation):
    """What a protocol or a method asks for when it needs a teacher."""

    stage: ClassVar[Literal["teacher"]] = "teacher"
    apart: ClassVar[bool] = True
    knowledge: ClassVar[str] = KNOWLEDGE

    @abstractmethod
    def run(self, real: LabeledImages, before: Any, ctx: StageContext) -> Taught: ...

    @abstractmethod
    def load(self, folder: Path, before: Any, ctx: StageContext) -> Taught: ...

    def save(self, state: Taught, folder: Path) -> None:
        from safetensors.torch import save_file

        weights = state.network.state_dict()
        save_file({name: weights[name].cpu().contiguous() for name in sorted(weights)}, folder / WEIGHTS_FILE)
        about = {"classes": state.classes, "channels": state.channels, "size": state.size}
        (folder / ABOUT_FILE).write_text(json.dumps(about, indent=1))


@dataclass(frozen=True)
class TrainedTeacher(Teacher):
    """A registered network trained on the train split with cross-entropy: AdamW, the rate falling to zero along half a
    cosine, random resized crops and mirror images. Values are for small images; none is of a paper."""

    network: str = "convnet3"
    epochs: Count = 60
    batch: Count = 64
    lr: Positive = 1e-3
    """at the start; it falls to zero along half a cosine, changed at each batch"""
    weight_decay: NonNegative = 1e-2
    crop: tuple[Fraction, Fraction] = (0.5, 1.0)
    """share of the area that a random crop keeps, uniform between these, enlarged to the whole; (1, 1): no crops"""
    mirror: bool = True
    """mirror each image with probability one half; false where that changes the class, as of digits"""
    sides: tuple[Count, ...] = ()
    """pixels: images are resized to the first of these that is not smaller than their shorter side, or the last, and
    cropped to a square; (): their own size"""
    min_side: Count = 16
    """without ``sides``, smaller images are enlarged to this side"""
    seed: NonNegativeInt = 0
    """of the initial weights, the order of the images and their changes"""

    def networks(self) -> tuple[str, ...]:
        return (self.network,)

    def network_shape(self, data: DataFacts) -> Shape:
        return (data.shape[0], *self._size(data.shape))

    def run(self, real: LabeledImages, before: Any, ctx: StageContext) -> Taught:
        """Raises FloatingPointError when the loss is not finite.

        The train images stay where they are, perhaps a file mapped into memory; one batch at a time is converted.
        """
        import torch

        from ddbench import steps
        from ddbench.learning.fitting import Fitting

        classes = tuple(sorted(real.classes))
        place = torch.tensor([classes.index(name) for name in real.classes])
        size = self._size(real.shape)
        network = self._untrained((real.shape[0], *size), len(classes), ctx).train()
        mode = steps.mode(ctx.device)
        fitting = Fitting(
            name="teacher",
            seed=self.seed,
            batch=self.batch,
            optimiser=steps.adamw(network.parameters(), mode, lr=self.lr, weight_decay=self.weight_decay),
            inputs=lambda images, drawn: self._inputs(images, drawn, size),
            draw=lambda n, shape, random: self._draw(n, size, random),
            rate=lambda step, total: self.lr * 0.5 * (1 + math.cos(math.pi * step / total)),
            augmentation="augment",
        )
        by_name = LabeledImages(real.images, place[real.labels], classes)
        found: dict[str, float] = {}
        for found in fitting.epochs(network, by_name, self.epochs, mode, ctx):  # noqa: B007
            pass
        taught = Taught(network.eval().requires_grad_(False), classes, real.shape[0], size)
        ctx.log({**found, "teacher_bytes": taught.bytes()})  # found: of the last epoch, augmented
        return taught

    def load(self, folder: Path, before: Any, ctx: StageContext) -> Taught:
        from safetensors.torch import load_file

        about = json.loads((folder / ABOUT_FILE).read_text())
        weights = load_file(folder / WEIGHTS_FILE, device=ctx.device)
        height, width = about["size"]
        network = self._untrained((about["channels"], height, width), len(about["classes"]), ctx)
        network.load_state_dict(weights)
        return Taught(network.eval().requires_grad_(False), tuple(about["classes"]), about["channels"], (height, width))

    def _draw(self, n: int, size: tuple[int, int], random: torch.Generator) -> dict[str, torch.Tensor]:
        """Boxes of crops and what is mirrored, of ``n`` images of ``size``; what is switched off draws nothing."""
        from ddbench.learning import augment

        drawn = {}
        if self.crop != (1.0, 1.0):
            drawn["boxes"] = augment.draw_boxes(n, *size, self.crop, random)
        if self.mirror:
            drawn["mirrored"] = augment.draw_mirrored(n, random)
        return drawn

    def _inputs(self, images: torch.Tensor, drawn: Mapping[str, torch.Tensor], size: tuple[int, int]) -> torch.Tensor:
        """uint8 images -> resized, changed as ``drawn`` says, normalised."""
        from ddbench.learning import augment
        from ddbench.learning.colours import normalise

        x = resized(images, size, bool(self.sides))
        if "boxes" in drawn:
            x = augment.resized_crops(x, drawn["boxes"])
        if "mirrored" in drawn:
            x = augment.flips(x, drawn["mirrored"])
        return normalise(x)

    def _size(self, shape: Shape) -> tuple[int, int]:
        height, width = shape[1:]
        short = min(height, width)
        side = side_of(short, self.sides, self.min_side)
        return (side, side) if self.sides else (round(height * side / short), round(width * side / short))

    def _untrained(self, shape: Shape, num_classes: int, ctx: StageContext) -> torch.nn.Module:
        with seeding.seeded("teacher-init", self.seed):
            network = ctx.networks[self.network](shape, num_classes)
        return network.to(ctx.device)


@dataclass(frozen=True)
class TeacherFile(Teacher):
    """A teacher from a checkpoint, whose classes are sorted by name (for ImageNet-1K, by wnid). Nothing is trained."""

    file: str = "resnet18-f37072fd.pth"
    """a path, or the name of a file in torch.hub's folder of checkpoints"""
    sha256: str = "f37072fd"
    """first digits, eight or more, of the SHA-256 of that file"""
    arch: str = "torchvision:resnet18"
    """architecture of that checkpoint: ``torchvision:NAME``, ``timm:NAME``, or a registered arch, such as
    ``resnet18-modified`` or ``convnet3-bn`` of RDED's own teachers"""
    size: NonNegativeInt = 0
    """side to which it wants images resized; 0: it takes them as they are, or where ``arch`` is a registered one at the
    dataset's size"""

    def networks(self) -> tuple[str, ...]:
        from ddbench.learning.checkpoint import registered

        return (self.arch,) if registered(self.arch) else ()

    def network_shape(self, data: DataFacts) -> Shape | None:
        return self._shape(data.shape) if self.networks() else None

    def problems(self, data: DataFacts) -> Sequence[str]:
        from ddbench.learning.checkpoint import OF_FILE, teacher_problems

        found = teacher_problems(self.file, self.sha256, len(data.classes), self.arch, data.light, OF_FILE)
        if data.shape[0] != 3 and not self.networks():
            found.append(
                f"the teacher {self.arch} takes RGB images, those of {data.name} have "
                f"{counted(data.shape[0], 'channel')}: name "
                "a teacher of a registered arch, or let the plan train one, by teacher=TrainedTeacher."
            )
        return found

    def unfit(self, network: Network, data: DataFacts) -> Sequence[str]:
        """Why the file does not hold the weights of the registered ``network`` that ``arch`` names; empty: it does."""
        from ddbench.learning.checkpoint import OF_FILE, teacher_problems

        n, shape = len(data.classes), self._shape(data.shape)
        build = partial(network, shape, n)
        return teacher_problems(self.file, self.sha256, n, self.arch, data.light, OF_FILE, build)

    def run(self, real: LabeledImages, before: Any, ctx: StageContext) -> Taught:
        from ddbench.learning.checkpoint import OF_FILE, open_teacher

        classes, shape = tuple(sorted(real.classes)), self._shape(real.shape)
        build = partial(ctx.networks[self.arch], shape, len(classes)) if self.networks() else None
        network = open_teacher(self.file, self.sha256, len(classes), ctx.device, self.arch, OF_FILE, build)
        taught = self._taught(network, classes, shape)
        ctx.log({"teacher_bytes": taught.bytes()})
        return taught

    def load(self, folder: Path, before: Any, ctx: StageContext) -> Taught:
        from safetensors.torch import load_file

        from ddbench.learning.checkpoint import build_arch

        about = json.loads((folder / ABOUT_FILE).read_text())
        classes = tuple(about["classes"])
        shape: Shape = (about["channels"], *(about["size"] or (0, 0)))
        with seeding.seeded("teacher-file"):  # every weight is replaced
            own = ctx.networks[self.arch](shape, len(classes)) if self.networks() else None
            network = build_arch(self.arch, len(classes)) if own is None else own
        network.load_state_dict(load_file(folder / WEIGHTS_FILE))
        return self._taught(network.to(ctx.device).eval().requires_grad_(False), classes, shape)

    def _shape(self, shape: Shape) -> Shape:
        """Of the images that a registered network is built for."""
        return (shape[0], self.size, self.size) if self.size else shape

    def _taught(self, network: torch.nn.Module, classes: tuple[str, ...], shape: Shape) -> Taught:
        if self.networks():
            return Taught(network, classes, shape[0], shape[1:])
        return Taught(network, classes, 3, (self.size, self.size) if self.size else None)


def resized(images: torch.Tensor, size: tuple[int, int], square: bool) -> torch.Tensor:
    """uint8 (N, C, H, W) -> float in [0, 1] of ``size``; with ``square`` the shorter side is resized and the centre
    kept. Bilinear, antialiased."""
    import torch.nn.functional as F

    x = images.float() / 255
    height, width = x.shape[2:]
    if square:
        side, short = size[0], min(height, width)
        if short != side:
            whole = (side * height // short, side * width // short)
            x = F.interpolate(x, size=whole, mode="bilinear", align_corners=False, antialias=True)
        top, left = (round((n - side) / 2) for n in x.shape[2:])
        return x[:, :, top : top + side, left : left + side]
    if (height, width) == size:
        return x
    return F.interpolate(x, size=size, mode="bilinear", align_corners=False, antialias=True)
