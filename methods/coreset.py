"""Coresets: real images chosen one after another by their features, under an embedder trained on the train split."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from ddbench.methods.embedder import TrainedEmbedder
from ddbench.types import Distiller, LabeledImages, Preparation, StageContext

if TYPE_CHECKING:
    import torch

    from ddbench.methods.embedder import Embedder


@dataclass(frozen=True)
class Coreset(Distiller):
    """Chooses ``ipc`` train images of each class by their features alone. The embedder of a distilled set is trained
    with the set's seed, which is the only difference between seeds. The images of a smaller ipc are the first of a
    larger one."""

    embedder: TrainedEmbedder = field(default_factory=TrainedEmbedder)

    def preparations(self, seed: int) -> tuple[Preparation, ...]:
        return (replace(self.embedder, seed=seed),)

    def networks(self) -> tuple[str, ...]:
        return self.embedder.networks()  # the embedder is built again, untrained, before its weights are loaded

    def reads(self) -> tuple[str, ...]:
        return ()  # everything is in the trained embedder

    @abstractmethod
    def choose(self, features: torch.Tensor, count: int) -> torch.Tensor:
        """Indices int64 (count,), all different, into the features (N, D) of a class, in the order of choice."""

    def distill(self, real: LabeledImages, state: Embedder, ipc: int, ctx: StageContext) -> LabeledImages:
        import torch

        chosen = []
        for label in range(len(real.classes)):
            members = (real.labels == label).nonzero()[:, 0]
            chosen.append(members[self.choose(state.features(real.images[members]), ipc)])
            ctx.progress(label + 1, len(real.classes))
        index = torch.cat(chosen)
        return LabeledImages(images=real.images[index], labels=real.labels[index], classes=real.classes)


@dataclass(frozen=True)
class Herding(Coreset):
    """Herding (Welling, ICML 2009; as exemplars of a class in iCaRL, CVPR 2017)."""

    def choose(self, features: torch.Tensor, count: int) -> torch.Tensor:
        return herd(features, count)


@dataclass(frozen=True)
class KCenter(Coreset):
    """Greedy k-center (Sener & Savarese, ICLR 2018), starting from the image nearest to the class mean. Herding starts
    from the same one: at ipc 1 the two are equal."""

    def choose(self, features: torch.Tensor, count: int) -> torch.Tensor:
        return k_center(features, count)


def herd(features: torch.Tensor, count: int) -> torch.Tensor:
    """The k-th choice brings the mean of the first k nearest to the mean of all: iCaRL's equation in Algorithm 4,
    p_k = argmin_x |mu - (phi(x) + sum_j<k phi(p_j)) / k|, here of features as they are, not scaled to length one.

    features: (N, D), N >= count -> int64 (count,), no index twice. Of equally good ones the first is taken.
    """
    import torch

    x = _centred(features)
    squares = x.square().sum(1)
    total = torch.zeros_like(x[0])
    chosen = torch.zeros(count, dtype=torch.int64)
    for k in range(count):
        # With the mean at zero, |total + x|^2 without its constant part.
        gap = squares + 2 * (x @ total)
        gap[chosen[:k]] = torch.inf
        chosen[k] = gap.argmin()
        total += x[chosen[k]]
    return chosen


def k_center(features: torch.Tensor, count: int) -> torch.Tensor:
    """First the one nearest to the mean, then always the one farthest from its nearest chosen one: at most twice the
    smallest radius with which ``count`` balls cover all.

    features: (N, D), N >= count -> int64 (count,), no index twice. Of equally far ones the first is taken.
    """
    import torch

    x = _centred(features)
    squares = x.square().sum(1)
    chosen = torch.zeros(count, dtype=torch.int64)
    chosen[0] = squares.argmin()
    nearest = torch.full_like(squares, torch.inf)
    for k in range(1, count):
        last = chosen[k - 1]
        nearest = nearest.minimum(squares + squares[last] - 2 * (x @ x[last]))
        nearest[chosen[:k]] = -torch.inf
        chosen[k] = nearest.argmax()
    return chosen


def _centred(features: torch.Tensor) -> torch.Tensor:
    """Features minus their mean, in float64, so that distances may be computed as differences of squares."""
    x = features.double()
    return x - x.mean(0)
