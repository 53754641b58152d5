"""Names of classes and exact soft labels in a file of tensors, as `bench export --form pt` writes them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ddbench.data.external.names import ClassOrder
from ddbench.errors import BenchError

CLASSES, SOFT = "classes", "soft_labels"


def named_classes(file: Path, loaded: Any) -> ClassOrder | None:
    """The classes that ``loaded`` lists under ``classes``, in the order of its numbers; None where it lists none.

    Raises BenchError when they are no list of different names.
    """
    if not isinstance(loaded, Mapping) or CLASSES not in loaded:
        return None
    names = loaded[CLASSES]
    if not isinstance(names, list | tuple) or not all(isinstance(n, str) for n in names) or len({*names}) < len(names):
        raise BenchError(f"{file}: what it holds under {CLASSES!r} is no list of different names of classes.")
    return ClassOrder(f"the list of classes in {file}", tuple(names))


def soft_rows(file: Path, loaded: Mapping[str, Any], order: ClassOrder, images: int) -> list[dict[str, float]] | None:
    """Class -> probability for each image, exactly as under ``soft_labels``; None where there are none. Raises
    BenchError for another shape."""
    import torch

    if SOFT not in loaded:
        return None
    rows = torch.as_tensor(loaded[SOFT])
    if rows.shape != (images, len(order.names)) or not rows.is_floating_point():
        raise BenchError(
            f"{file}: its {SOFT} are {tuple(rows.shape)} of {rows.dtype}, and {images} rows of {len(order.names)} "
            "floats are meant."
        )
    return [{order.names[k]: p for k, p in enumerate(row) if p} for row in rows.tolist()]
