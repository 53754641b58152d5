"""Distribution matching (Zhao & Bilen, WACV 2023): pixels whose mean embedding equals that of the real images.

For a class with real images R and synthetic images S, a random network psi and one augmentation A for both, SGD on S
minimises |mean psi(A(R)) - mean psi(A(S))|^2. Values follow VICO-UoE/DatasetCondensation (main_DM.py, utils.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from ddbench import seeding
from ddbench.finite import check_loss
from ddbench.hyperparameters import Compilation, Precision
from ddbench.methods.embedder import Scaling
from ddbench.methods.real import draw
from ddbench.types import Count, Distiller, Fraction, LabeledImages, Positive, StageContext

if TYPE_CHECKING:
    import torch

    from ddbench.learning.dsa import Parameters


@dataclass(frozen=True)
class DM(Distiller):
    """SGD on the pixels of a set that starts from real images. At each iteration a network is drawn afresh and,
    for each class, the squared distance between the mean embeddings of augmented real and synthetic images falls.

    Pixels are normalised by mean and standard deviation of each channel over the train images, so that what crop,
    cutout, scale and rotate leave empty has the mean colour. Version 1 had pixels in [-1, 1], where a step of the same
    rate is several times larger in grey levels, and drew real images with replacement.
    """

    version: ClassVar[int] = 2

    iterations: Count = 20000
    """20,000 in the paper"""
    batch_real: Count = 256
    """real images of a class at each iteration, drawn without replacement: at most all of them"""
    lr: Positive = 1.0
    """on normalised pixels; 0.1 to 0.01 for BatchNorm or deeper embedders"""
    momentum: Fraction = 0.5
    embedder: str = "convnet3"
    """network drawn untrained at each iteration; its input to the head is the embedding"""
    augmentations: str = "color_crop_cutout_flip_scale_rotate"
    """DSA operations, joined by underscores; leave out what changes the class (flip, for digits)"""
    augment_with: Literal["one", "all"] = "one"
    """of the operations at each step: one drawn for the step, or all in order"""
    at_once: Count = 1
    """images that the network sees at once, of as many whole classes as fit, at least one: real ones without, synthetic
    ones with gradient. 1: each class by itself. More is faster; sums over batches of other sizes differ in the last
    bits, which many iterations enlarge, so that this is part of the key"""
    precision: Precision = "tf32"
    """of the network's passes. fp32: every product in float32. tf32: in TF32 where a GPU has it, which torch's
    convolutions are by themselves. bf16: weights and activations in bfloat16; means, distances, pixels and their
    gradients stay in float32"""
    compile: Compilation = "none"
    """blocks: torch compiles the network: seconds to minutes at first, then faster iterations"""
    mean: tuple[float, ...] = ()
    """of each channel, in 0..255, to normalise by; (): that of the train images"""
    sd: tuple[Positive, ...] = ()
    """standard deviation of each channel, in 0..255, to normalise by; (): that of the train images. VICO has (51.6,
    50.8, 51.3) for CIFAR-10, a fifth below that of its train images"""

    def networks(self) -> tuple[str, ...]:
        return (self.embedder,)

    def distill(self, real: LabeledImages, state: Any, ipc: int, ctx: StageContext) -> LabeledImages:
        """The real images stay uint8 where they are, perhaps a file mapped into memory: only those of a pass are
        converted and moved, so memory is that of ``at_once`` images, or of one class's batch, whatever the dataset.

        A batch of one image, at ipc 1, has no variance for batch norm to divide by: there the images of all classes go
        through a network with batch norm together, as in VICO's code for such networks. Elsewhere each class has passes
        of its own through a network with batch norm, or one that draws while it is trained. Raises FloatingPointError,
        naming the iteration, when the loss is not finite.
        """
        import torch

        from ddbench import steps
        from ddbench.computing import products
        from ddbench.learning.dsa import Siamese
        from ddbench.methods.matching import Passes, joined, passes

        augment = Siamese(tuple(self.augmentations.split("_")), self.augment_with)
        scaling = self._scaling(real)
        by_class = [(real.labels == k).nonzero()[:, 0] for k in range(len(real.classes))]
        start = draw(real, ipc, ctx.seed)
        # A leaf for each class: its gradient is as large as its own images, not as the whole set.
        synthetic = [scaling(real.images[mine], ctx.device).requires_grad_(True) for mine in start.split(ipc)]
        mode = steps.mode(ctx.device)
        optimiser = steps.sgd(synthetic, mode, lr=self.lr, momentum=self.momentum)
        sizes = [min(len(members), self.batch_real) for members in by_class]

        def fresh(iteration: int) -> torch.nn.Module:
            with seeding.seeded("dm-embedder", ctx.seed, iteration):
                network = ctx.networks[self.embedder](real.shape, len(real.classes))
            return network.to(ctx.device).train().requires_grad_(False)

        def seen(at: int, outputs: Mapping[str, torch.Tensor]) -> None:
            where = f"iteration {at + 1} of {self.iterations}"
            check_loss(float(outputs["loss"]), "dm's pixels", where, "lower dm.lr")

        network, results, matching = fresh(0), steps.Results(mode, seen), Passes(mode, self.precision, self.compile)
        alone = self._alone(network, synthetic[0], smallest=min(ipc, *sizes))
        groups = _groups(real.classes, alone) if alone else passes([ipc] * len(sizes), self.at_once)
        # Of each group the classes whose real images pass together; with ``alone`` all of them do.
        parts = [
            [group] if alone else [[group[i] for i in part] for part in passes([sizes[k] for k in group], self.at_once)]
            for group in groups
        ]
        drawn_for: dict[int, Parameters] = {}

        def draws() -> Iterator[dict[str, torch.Tensor]]:
            streams = [seeding.generator("dm", ctx.seed, name) for name in real.classes]
            for _ in range(self.iterations):
                for part in (part for group in parts for part in group):
                    chosen = []
                    for k in part:
                        drawn = torch.randperm(len(by_class[k]), generator=streams[k])[: self.batch_real]
                        chosen.append(by_class[k][drawn])
                        drawn_for[k] = augment.draw(streams[k], real.shape)
                    yield {"images": real.images[joined(chosen)]}

        def changed(images: Sequence[torch.Tensor], part: Sequence[int], by: Mapping[int, Parameters]) -> torch.Tensor:
            return joined([augment(mine, by[k]) for mine, k in zip(images, part, strict=True)])

        with (
            products(self.precision),
            seeding.seeded("dm-network", ctx.seed) as at,
            steps.read_ahead(draws(), mode, drawn_for.copy) as batches,
        ):
            for iteration in range(self.iterations):
                matching.use(fresh(iteration) if iteration else network)
                optimiser.zero_grad(set_to_none=True)
                losses = []
                for group, its_parts in zip(groups, parts, strict=True):
                    if alone:
                        at(iteration, *(real.classes[k] for k in group))
                    targets = []
                    for part in its_parts:
                        batch, counts = next(batches), [sizes[k] for k in part]
                        by = batch.after
                        with torch.no_grad():
                            scaled = scaling(batch["images"], ctx.device)
                            images = changed(scaled.split(counts) if len(part) > 1 else [scaled], part, by)
                            targets.append(matching.means(images, counts))
                    made = changed([synthetic[k] for k in group], group, by)
                    # Backward for each group, so that memory does not grow with the number of classes.
                    losses.append(matching.backward(made, [ipc] * len(group), joined(targets)))
                optimiser.step()
                results.put(iteration, {"loss": torch.cat(losses).sum()})
                ctx.progress(iteration + 1, self.iterations)
        results.settle()
        with torch.no_grad():
            named = zip(synthetic, real.classes, strict=True)
            images = torch.cat([scaling.levels(mine, [name] * ipc) for mine, name in named]).cpu()
        return LabeledImages(images=images, labels=real.labels[start], classes=real.classes)

    @staticmethod
    def _alone(network: torch.nn.Module, images: torch.Tensor, smallest: int) -> str:
        """How classes must pass where what a class sees depends on the others: "each" by itself, or all "together";
        empty where it does not. ``smallest``: number of images of the smallest batch."""
        import torch

        from ddbench import steps

        if _normalises_batches(network):
            return "together" if smallest == 1 else "each"
        with torch.no_grad(), seeding.seeded("dm-draws"):
            draws = steps.draws_itself(lambda: network.features(images.detach()), images.device)  # type: ignore[operator]
        return "each" if draws else ""

    def _scaling(self, real: LabeledImages) -> Scaling:
        """Raises ValueError when ``mean`` or ``sd`` are given for another number of channels."""
        for name, given in (("mean", self.mean), ("sd", self.sd)):
            if given and len(given) != real.shape[0]:
                raise ValueError(f"dm.{name} has {len(given)} values, the images have {real.shape[0]} channels")
        if self.mean and self.sd:
            return Scaling(self.mean, self.sd, min_side=1)
        own = Scaling.of(real.images, min_side=1)
        return Scaling(self.mean or own.mean, self.sd or own.sd, min_side=1)


def _groups(classes: tuple[str, ...], alone: str) -> list[list[int]]:
    """The classes, as indices, whose images go through the network at once: each alone, or all in order of name."""
    ordered = sorted(range(len(classes)), key=lambda k: classes[k])
    return [ordered] if alone == "together" else [[k] for k in range(len(classes))]


def _normalises_batches(network: torch.nn.Module) -> bool:
    from torch.nn.modules.batchnorm import _BatchNorm

    return any(isinstance(module, _BatchNorm) for module in network.modules())
