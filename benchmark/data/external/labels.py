"""Labels of a file of tensors: numbers of classes, names, or a row of soft labels for each image."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ddbench.data.external.names import ClassOrder
from ddbench.errors import BenchError
from ddbench.images import SOFT_LABEL_TOLERANCE

if TYPE_CHECKING:
    import torch

Soft = list[dict[str, float]]
"""for each image: number of a class, as text -> probability"""


def read_labels(
    where: str, labels: Any, images: int, order: ClassOrder | None, say: Callable[[str], None]
) -> tuple[list[str], Soft | None]:
    """The label of each image as written, a number or a name, and its soft labels if it has any.

    Rows of soft labels are probabilities, or logits, whose softmax is taken as DATM does. The class of an image is
    that of its largest soft label; where this does not give all classes equally many images, as after DATM has trained
    labels, it is that of its place: all images of class 0 come first. Raises BenchError.
    """
    import numpy as np
    import torch

    if isinstance(labels, np.ndarray) and labels.dtype.kind == "U":
        _check_count(where, labels.size, images)
        return [str(name) for name in labels.ravel()], None
    values = torch.as_tensor(labels).detach()
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if values.ndim == 1:
        _check_count(where, len(values), images)
        return [str(number) for number in _numbers(where, values)], None
    if values.ndim != 2:
        raise BenchError(f"the labels of {where} are neither a number nor a row of numbers for each image.")
    _check_count(where, len(values), images)
    assert order is not None
    if values.shape[1] != len(order.names):
        raise BenchError(
            f"the soft labels of {where} are of {values.shape[1]} classes, and {order.source} has {len(order.names)}."
        )
    rows = _probabilities(where, values.double(), say)
    numbers = [str(number) for number in _places(where, rows, say)]
    if bool(((rows == 0) | (rows == 1)).all()):
        return numbers, None
    return numbers, [{str(k): p for k, p in enumerate(row) if p} for row in rows.float().tolist()]


def _check_count(where: str, labels: int, images: int) -> None:
    if labels != images:
        raise BenchError(f"{where} has {images} images and {labels} labels.")


def _numbers(where: str, values: torch.Tensor) -> list[int]:
    numbers = values.long()
    if not bool((numbers == values).all()) or bool((numbers < 0).any()):
        wrong = values[(numbers != values) | (numbers < 0)][0].item()
        raise BenchError(f"the labels of {where} must be whole numbers from 0; one is {wrong:g}.")
    return list(map(int, numbers.tolist()))


def _probabilities(where: str, rows: torch.Tensor, say: Callable[[str], None]) -> torch.Tensor:
    if not rows.isfinite().all():
        raise BenchError(f"the soft labels of {where} hold numbers that are not finite.")
    sums = rows.sum(1, keepdim=True)
    if bool((rows >= 0).all()) and bool(((sums - 1).abs() < SOFT_LABEL_TOLERANCE).all()):
        return rows / sums
    say(f"the soft labels of {where} do not sum to 1: they are taken as logits, and their softmax as probabilities")
    return rows.softmax(1)


def _places(where: str, rows: torch.Tensor, say: Callable[[str], None]) -> list[int]:
    import torch

    n, classes = rows.shape
    largest = rows.argmax(1)
    if n % classes or len(set(largest.bincount(minlength=classes).tolist())) == 1:
        return list(map(int, largest.tolist()))
    place = torch.arange(n) // (n // classes)
    agreeing = int((largest == place).sum())
    if 2 * agreeing > n:
        say(
            f"{where}: the largest soft label of {n - agreeing} of {n} images is not that of their place, by which "
            "the images are ordered by class; the class is that of the place"
        )
        return list(map(int, place.tolist()))
    return list(map(int, largest.tolist()))
