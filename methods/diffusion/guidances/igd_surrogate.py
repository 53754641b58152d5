"""The surrogate of IGD: a classifier of the real images, kept as it was at several points of its training."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from ddbench.methods.embedder import Embedder, Scaling, TrainedEmbedder
from ddbench.types import Count, Fraction, LabeledImages, NonNegative, NonNegativeInt, Positive, Shape, StageContext

if TYPE_CHECKING:
    import torch

    from ddbench.methods.diffusion.model import DiffusionModel

NAME = "igd-surrogate"
"""under which the state stands beside the model"""

DATASETS = {"imagenette": (10, "n01440764"), "imagewoof": (10, "n02086240"), "imagenet1k": (1000, "n01440764")}
"""number of classes, and one of them, by which a data set is known here: methods are not told its name"""

CHECKPOINTS = {
    ("imagenette", "convnet6"): (0, 2, 11, 40),
    ("imagenette", "resnetap10"): (0, 6, 16, 39),
    ("imagenette", "resnet18"): (0, 8, 27),
    ("imagewoof", "convnet6"): (0, 5, 16, 40),
    ("imagewoof", "resnetap10"): (0, 6, 16, 39),
    ("imagewoof", "resnet18"): (0, 16, 33),
    ("imagenet1k", "convnet6"): (0, 5, 18, 52),
}
"""the epochs that the authors chose by hand (``rand_ckpts`` of DD_IGD's sample.py), 0 the untrained network. Their
``resnet`` is built with whatever depth is passed, 10 in their scripts"""

ELSEWHERE = CHECKPOINTS["imagewoof", "convnet6"]
"""where they chose none"""


@dataclass(frozen=True)
class Surrogate:
    """A trained network, and its weights and buffers by name at each checkpoint, in the order of training."""

    embedder: Embedder
    checkpoints: tuple[dict[str, torch.Tensor], ...]


@dataclass(frozen=True)
class TrainedSurrogate(TrainedEmbedder):
    """A registered network trained on the train split as IGD's authors do it (``train_ckpts.py``): SGD without a
    schedule, on random resized crops, mirror images, jittered colours and lighting. Training ends with the last
    checkpoint."""

    version: ClassVar[int] = 2
    """1: AdamW on a cosine, no augmentation"""
    apart: ClassVar[bool] = True

    network: str = "convnet6"
    epochs: Count = 60
    """how far training may go; their script says 50, their last checkpoint for ImageNet-1K is 52"""
    lr: Positive = 0.01
    """constant"""
    momentum: Fraction = 0.9
    weight_decay: NonNegative = 5e-4
    many_classes: bool = True
    """above 100 classes a rate of 0.1, a weight decay of 1e-4 and batches of at least 128 take the place of those
    named here (``argument.py``)"""
    crop: tuple[Fraction, Fraction] = (0.5, 1.0)
    """share of the area that a random resized crop keeps"""
    mirror: bool = True
    """mirror images with probability one half; wrong where a mirrored image is of another class, as of digits"""
    jitter: Fraction = 0.4
    """of brightness, contrast and saturation"""
    lighting: NonNegative = 0.1
    """standard deviation along the axes of colour"""
    checkpoints: tuple[NonNegativeInt, ...] = ()
    """epochs after which the weights are kept, 0 the untrained ones. None named: those of the authors for the data set
    and the network (``CHECKPOINTS``), elsewhere those for ImageWoof and ConvNet-6; in proportion where ``epochs`` are
    fewer than the last of them"""

    def __post_init__(self) -> None:
        if self.checkpoints and max(self.checkpoints) > self.epochs:
            raise ValueError(
                f"surrogate.checkpoints {list(self.checkpoints)} name an epoch that the surrogate lacks: it is trained "
                f"for surrogate.epochs={self.epochs}"
            )

    def for_classes(self, classes: int) -> TrainedSurrogate:
        """This surrogate as it is trained on so many classes."""
        if not self.many_classes or classes <= 100:
            return self
        return replace(self, lr=0.1, weight_decay=1e-4, batch=max(self.batch, 128))

    def chosen(self, classes: tuple[str, ...]) -> tuple[int, ...]:
        """The checkpoints for a data set of these classes, in order and each once."""
        if self.checkpoints:
            return tuple(sorted(set(self.checkpoints)))
        known = [name for name, (n, member) in DATASETS.items() if n == len(classes) and member in classes]
        listed = CHECKPOINTS.get((known[0] if known else "", self.network), ELSEWHERE)
        share = min(1.0, self.epochs / listed[-1])
        return tuple(sorted({round(share * epoch) for epoch in listed}))

    def run(self, real: LabeledImages, before: Any, ctx: StageContext) -> Any:
        """Raises FloatingPointError when the loss is not finite."""
        chosen = self.chosen(real.classes)
        scaling = Scaling.of(real.images, self.min_side)
        network = self._untrained(scaling, real.shape, real.classes, ctx).train()
        kept = [_copied(network)] if 0 in chosen else []
        for epoch, _ in enumerate(self._epochs(network, scaling, real, chosen[-1], ctx), start=1):
            if epoch in chosen:
                kept.append(_copied(network))
        ctx.log({f"checkpoint-{i}": epoch for i, epoch in enumerate(chosen)})
        return Surrogate(Embedder(network.eval(), scaling, real.shape, real.classes, ctx.device), tuple(kept))

    def _epochs(
        self, network: torch.nn.Module, scaling: Scaling, real: LabeledImages, epochs: int, ctx: StageContext
    ) -> Any:
        """Train ``network`` in place and yield after each epoch."""
        from ddbench import steps
        from ddbench.learning.fitting import Fitting

        own = self.for_classes(len(real.classes))
        mode = steps.mode(ctx.device)
        fitting = Fitting(
            name="surrogate",
            streams="igd-surrogate",
            seed=self.seed,
            batch=own.batch,
            optimiser=steps.sgd(
                network.parameters(), mode, lr=own.lr, momentum=own.momentum, weight_decay=own.weight_decay
            ),
            draw=self._draw,
            inputs=lambda images, drawn: scaling(_changed(images, drawn), ctx.device),
        )
        for found in fitting.epochs(network, real, epochs, mode, ctx):
            ctx.log(found)
            yield

    def _draw(self, n: int, shape: Shape, random: torch.Generator) -> dict[str, torch.Tensor]:
        """The parameters of ``_changed`` for ``n`` images; what is switched off draws nothing and has none."""
        from ddbench.learning import augment

        drawn = {}
        if self.crop != (1.0, 1.0):
            drawn["boxes"] = augment.draw_boxes(n, *shape[1:], self.crop, random)
        if self.mirror:
            drawn["mirrored"] = augment.draw_mirrored(n, random)
        if self.jitter:
            drawn["factors"], drawn["orders"] = augment.draw_jitter(n, self.jitter, random)
        if self.lighting:
            drawn["shifts"] = augment.draw_lighting(n, self.lighting, random)
        return drawn

    def save(self, state: Any, folder: Path) -> None:
        from safetensors.torch import save_file

        super().save(state.embedder, folder)
        for i, weights in enumerate(state.checkpoints):
            contiguous = {name: weights[name].cpu().contiguous() for name in sorted(weights)}
            save_file(contiguous, folder / f"checkpoint-{i}.safetensors")

    def load(self, folder: Path, before: DiffusionModel, ctx: StageContext) -> Any:
        from safetensors.torch import load_file

        embedder = super().load(folder, None, ctx)
        paths = [folder / f"checkpoint-{i}.safetensors" for i in range(len(self.chosen(embedder.classes)))]
        checkpoints = tuple(load_file(path, device=ctx.device) for path in paths)
        before.beside[NAME] = Surrogate(embedder, checkpoints)
        return before


def _changed(images: torch.Tensor, drawn: Mapping[str, torch.Tensor]) -> torch.Tensor:
    """uint8 images -> floats in grey levels, each changed by its own draw."""
    from ddbench.learning import augment

    x = images.float() / 255
    if "boxes" in drawn:
        x = augment.resized_crops(x, drawn["boxes"])
    if "mirrored" in drawn:
        x = augment.flips(x, drawn["mirrored"])
    if "factors" in drawn:
        x = augment.jitter(x, drawn["factors"], drawn["orders"])
    if "shifts" in drawn:
        x = augment.lighting(x, drawn["shifts"])
    return x * 255


def _copied(network: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {name: value.detach().clone() for name, value in network.state_dict().items()}
