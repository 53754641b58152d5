"""The surrogate of IGD: a classifier of the real images, kept as it was at several points of its training."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from ddbench.methods.embedder import Embedder, TrainedEmbedder
from ddbench.types import Count, LabeledImages, NonNegativeInt, StageContext

if TYPE_CHECKING:
    import torch

    from ddbench.methods.diffusion.model import DiffusionModel

NAME = "igd-surrogate"
"""under which the state stands beside the model"""


@dataclass(frozen=True)
class Surrogate:
    """A trained network, and its weights and buffers by name at each checkpoint, in the order of training."""

    embedder: Embedder
    checkpoints: tuple[dict[str, torch.Tensor], ...]


@dataclass(frozen=True)
class TrainedSurrogate(TrainedEmbedder):
    """A registered network trained on the train split: ConvNet-6 for 50 epochs, as the authors do. The optimisation is
    the embedder's (AdamW, no augmentation) and not theirs."""

    apart: ClassVar[bool] = True

    network: str = "convnet6"
    epochs: Count = 50
    checkpoints: tuple[NonNegativeInt, ...] = (0, 5, 16, 40)
    """epochs after which the weights are kept, 0 the untrained ones. The authors choose them by hand for each data set:
    these for ImageWoof, (0, 2, 11, 40) for ImageNette and (0, 5, 18, 52) for ImageNet-1K, each with ConvNet-6"""

    def run(self, real: LabeledImages, before: Any, ctx: StageContext) -> Any:
        """Raises ValueError when a checkpoint lies behind the end of training."""
        if not self.checkpoints or max(self.checkpoints) > self.epochs:
            raise ValueError(f"surrogate.checkpoints must name epochs from 0 to {self.epochs}, not {self.checkpoints}")
        kept: dict[int, dict[str, torch.Tensor]] = {}

        def keep(epoch: int, network: torch.nn.Module) -> None:
            if epoch in self.checkpoints:
                kept[epoch] = {name: value.detach().clone() for name, value in network.state_dict().items()}

        return Surrogate(self.train(real, ctx, keep), tuple(kept[epoch] for epoch in sorted(kept)))

    def save(self, state: Any, folder: Path) -> None:
        from safetensors.torch import save_file

        super().save(state.embedder, folder)
        for i, weights in enumerate(state.checkpoints):
            contiguous = {name: weights[name].cpu().contiguous() for name in sorted(weights)}
            save_file(contiguous, folder / f"checkpoint-{i}.safetensors")

    def load(self, folder: Path, before: DiffusionModel, ctx: StageContext) -> Any:
        from safetensors.torch import load_file

        paths = [folder / f"checkpoint-{i}.safetensors" for i in range(len(set(self.checkpoints)))]
        checkpoints = tuple(load_file(path, device=ctx.device) for path in paths)
        before.beside[NAME] = Surrogate(super().load(folder, None, ctx), checkpoints)
        return before
