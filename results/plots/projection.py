"""Distilled sets among the real images: a plane fitted to the real ones, and a panel for each method."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ddbench import seeding
from ddbench.results.plots.canvas import LETTER
from ddbench.results.plots.labels import shown
from ddbench.results.plots.palette import LIGHT, Look
from ddbench.types import LabeledImages

if TYPE_CHECKING:
    import numpy as np
    import torch
    from matplotlib.axes import Axes

MOST_FITTED = 2000
"""real images, drawn by seed, that the plane is fitted to"""
MOST_EMBEDDED = 1000
"""real images in t-SNE"""
PIXEL_SIDE = 32
"""larger images are averaged down to this side, so that the plane is of coarse structure"""
MOST_SHOWN = 350
"""real images that are drawn"""
CLASS_SIZE = 8.5
"""of their names, in points"""
LONGEST_CLASS_NAME = 10

Features = Callable[["torch.Tensor"], "torch.Tensor"]
"""uint8 (N, C, H, W) -> float (N, D)"""


@dataclass(frozen=True)
class Projected:
    """Points in a plane: of the first two principal components, or of t-SNE."""

    real: np.ndarray
    """(n, 2), the real images that are drawn"""
    centres: dict[str, np.ndarray]
    """class name -> (2,), mean of its fitted real images"""
    sets: dict[str, dict[str, np.ndarray]]
    """method -> class name -> (ipc, 2)"""
    explained: float | None
    """share of the variance of the real images that the plane keeps, a fraction; None for t-SNE"""
    fitted: int
    """number of real images that the plane was fitted to"""


def project(real: LabeledImages, sets: Mapping[str, LabeledImages], features: Features | None = None) -> Projected:
    """PCA of real images (exact, so nothing is random but the seeded draw of images), and the sets in its plane.

    features: the space to look in; None for the pixels.
    """
    space = features or _pixels
    order = _drawn(real)
    fitted = space(real.images[order]).numpy()
    mean, axes, explained = _principal(fitted)
    points = [(space(data.images).numpy() - mean) @ axes for data in sets.values()]
    return _projected(real, order, (fitted - mean) @ axes, sets, points, explained)


def _principal(points: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """(mean, axes (D, 2), share of the variance) of the first two principal components of points (n, D).

    From the eigenvectors of the smaller of covariance and inner products, whose non-zero eigenvalues agree; the largest
    coordinate of an axis is positive.
    """
    import numpy as np

    mean = points.mean(0)
    centred = points.astype(np.float64) - mean
    n, d = centred.shape
    values, vectors = np.linalg.eigh(centred.T @ centred if d <= n else centred @ centred.T)
    first = vectors[:, :-3:-1]
    axes = first if d <= n else centred.T @ first
    axes = np.pad(axes, ((0, 0), (0, 2 - axes.shape[1])))  # a single feature or image has one axis
    length = np.linalg.norm(axes, axis=0)
    signs = np.sign(axes[np.abs(axes).argmax(0), (0, 1)])
    total = values.sum()
    return mean, axes * signs / np.where(length > 0, length, 1), float(values[-2:].sum() / total) if total > 0 else 0.0


def embed(real: LabeledImages, sets: Mapping[str, LabeledImages], features: Features | None = None) -> Projected:
    """t-SNE of real images and all sets together (van der Maaten & Hinton 2008), begun from principal components.

    Fewer real images than for ``project``, for it takes longer; one thread, so that the plane is the same again.
    """
    import numpy as np
    from sklearn.manifold import TSNE
    from threadpoolctl import threadpool_limits

    space = features or _pixels
    order = _drawn(real)[:MOST_EMBEDDED]
    clouds = [space(real.images[order]).numpy(), *(space(data.images).numpy() for data in sets.values())]
    points = np.concatenate(clouds)
    perplexity = min(30.0, (len(points) - 1) / 3)
    with threadpool_limits(1):
        plane = TSNE(2, perplexity=perplexity, init="pca", random_state=0).fit_transform(points)
    own = np.split(plane, np.cumsum([len(cloud) for cloud in clouds])[:-1])
    return _projected(real, order, own[0], sets, own[1:], None)


def _drawn(real: LabeledImages) -> torch.Tensor:
    import torch

    return torch.randperm(len(real), generator=seeding.generator("projection"))[:MOST_FITTED]


def _projected(
    real: LabeledImages,
    order: torch.Tensor,
    plane: np.ndarray,
    sets: Mapping[str, LabeledImages],
    points: Sequence[np.ndarray],
    explained: float | None,
) -> Projected:
    """``plane``: the real images at ``order``; ``points``: those of each set."""
    labels = real.labels[order].numpy()
    centres = {name: plane[labels == k].mean(0) for k, name in enumerate(real.classes) if (labels == k).any()}
    found = {
        method: {name: at[data.labels.numpy() == k] for k, name in enumerate(data.classes)}
        for (method, data), at in zip(sets.items(), points, strict=True)
    }
    return Projected(plane[:MOST_SHOWN], centres, found, explained, len(order))


def projection(axes: Axes, projected: Projected, method: str, looks: Mapping[str, Look], where: str = "") -> None:
    """Real images as grey points, the distilled ones in the method's colour, each joined to the mean of its class.

    ``where`` is added to the title.
    """
    import numpy as np

    axes.plot(*projected.real.T, ".", color=LIGHT["muted"], markersize=3.2, alpha=0.4, markeredgewidth=0)
    look, nowhere = looks[method], np.full(2, np.nan)
    by_class = projected.sets[method]
    lines = [
        end
        for name, points in by_class.items()
        for point in (points if name in projected.centres else ())
        for end in (point, projected.centres[name], nowhere)
    ]
    if lines:
        axes.plot(*np.array(lines).T, color=look.colour, linewidth=0.6, alpha=0.5, zorder=2)
    points = np.concatenate(list(by_class.values()))
    axes.plot(*points.T, look.marker, color=look.colour, markersize=4, markeredgewidth=0, zorder=3)
    axes.set_title(shown(method) + where, color=look.colour)
    axes.set_axis_off()
    box = axes.get_window_extent()
    across, up = _limits(projected, box.width / box.height)
    axes.set_xlim(across)
    axes.set_ylim(up)
    points_per_unit = box.width / axes.figure.dpi * 72 / (across[1] - across[0])
    for name in _named(projected.centres, points_per_unit):
        x, y = projected.centres[name].tolist()
        place: dict[str, Any] = {"ha": "center", "va": "center", "zorder": 4}
        axes.text(x, y, shown(name, LONGEST_CLASS_NAME), fontsize=CLASS_SIZE, weight="bold", **place)


def _named(centres: Mapping[str, np.ndarray], points_per_unit: float) -> list[str]:
    """The classes whose names can stand at their centres without lying on one another; none where most cannot."""
    found: list[str] = []
    for name, (x, y) in centres.items():
        wide = len(shown(name, LONGEST_CLASS_NAME)) * LETTER * CLASS_SIZE / points_per_unit
        tall = CLASS_SIZE / points_per_unit
        others = ((centres[other], len(shown(other, LONGEST_CLASS_NAME))) for other in found)
        if not any(
            abs(x - ox) < (wide + n * LETTER * CLASS_SIZE / points_per_unit) / 2 and abs(y - oy) < tall
            for (ox, oy), n in others
        ):
            found.append(name)
    return found if 2 * len(found) > len(centres) else []


def _limits(projected: Projected, aspect: float) -> list[tuple[float, float]]:
    """The range of all points on both axes, the same in every panel, in one scale for a panel of ``aspect``."""
    import numpy as np

    clouds = [projected.real, *(points for by_class in projected.sets.values() for points in by_class.values())]
    points = np.concatenate(clouds)
    middle, span = (points.max(0) + points.min(0)) / 2, 1.06 * (points.max(0) - points.min(0))
    tall = max(float(span[1]), float(span[0]) / aspect) or 1.0
    half = np.array([tall * aspect, tall]) / 2
    return [(float(m - h), float(m + h)) for m, h in zip(middle, half, strict=True)]


def pixel_space(side: int) -> str:
    """What ``project`` looks at without features, for images of ``side``."""
    return "the pixels" if side <= PIXEL_SIDE else f"the pixels, averaged down to {PIXEL_SIDE} x {PIXEL_SIDE}"


def _pixels(images: torch.Tensor) -> torch.Tensor:
    import torch
    from torch.nn.functional import adaptive_avg_pool2d

    if max(images.shape[2:]) <= PIXEL_SIDE:
        return images.flatten(1).float() / 255
    small = [adaptive_avg_pool2d(part.float() / 255, PIXEL_SIDE) for part in images.split(256)]
    return torch.cat(small).flatten(1)
