"""Stored soft labels in the published form of SRe2L and its successors (``relabel/`` of VILA-Lab/SRe2L).

    epoch_E/batch_B.tar     a torch file, E and B from 0: a list of
                            coordinates  float (n, 4): top, left, height, width of each crop, as shares of the image
                            flips        bool (n,)
                            mix index    int (n,), the partner of each view in its batch; None where nothing is mixed
                            mix lambda   a number, or None
                            mix box      four whole numbers, first and last row, first and last column, ends excluded
                            outputs      float16 or float32 (n, classes): logits of the teacher

Nothing in it says which image a view is of. That follows from the way in which the files are made and read: torch's
``RandomSampler`` with a generator of seed 42 over images ordered by class folder, then by file name
(``stored_labels.orders``).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ddbench.data.external.pickled import load_pt
from ddbench.errors import BenchError
from ddbench.stored_labels import StoredBatch, StoredLabels, orders

if TYPE_CHECKING:
    import torch

FORM = "a list of coordinates, flips, mix index, mix lambda, mix box and outputs"
ROUNDING = 1e-5
"""by which the float32 shares of a crop may leave [0, 1]"""


def read_stored(folder: Path, images: int, classes: int) -> StoredLabels:
    """The labels in ``folder`` for a set of so many images and classes; every file is read once and checked.

    Raises BenchError for a missing or damaged file, one that would run code, another number of images or classes, a
    crop outside its image, batches of different sizes, and outputs that are not finite.
    """
    epochs = _counted(folder, "epoch_", "")
    batches = _counted(folder / "epoch_0", "batch_", ".tar")
    first = _batch(_file(folder, 0, 0), classes)
    size, mixed, reach, taken = len(first.flips), first.box is not None, 0, 0
    checksum = hashlib.sha256()
    for epoch in range(epochs):
        if (here := _counted(folder / f"epoch_{epoch}", "batch_", ".tar")) != batches:
            raise BenchError(f"{folder / f'epoch_{epoch}'} holds {here} batches and epoch_0 holds {batches}.")
        for at in range(batches):
            file = _file(folder, epoch, at)
            batch = _batch(file, classes)
            _check_size(folder, file, len(batch.flips), size, at, batches, images)
            if (batch.box is not None) != mixed:
                raise BenchError(f"{file} is {'not ' * mixed}mixed and {_file(folder, 0, 0)} is{' not' * (not mixed)}.")
            if batch.box is not None:
                reach = max(reach, *batch.box.tolist())
            taken += batch.outputs.numel() * batch.outputs.element_size()
            for tensor in (batch.crops, batch.flips, batch.outputs, batch.box, batch.partners):
                checksum.update(b"" if tensor is None else tensor.numpy().tobytes())
    checksum.update(f"{images} {classes} {epochs} {size} {first.outputs.dtype}".encode())

    walk = orders(images)
    known: list[torch.Tensor] = []

    def read(epoch: int) -> Sequence[StoredBatch]:
        while len(known) <= epoch:
            known.append(next(walk))
        parts = known[epoch].split(size)
        return [_batch(_file(folder, epoch, at), classes, part) for at, part in enumerate(parts)]

    return StoredLabels(images, classes, epochs, size, mixed, reach, taken, checksum.hexdigest(), read)


def _file(folder: Path, epoch: int, batch: int) -> Path:
    return folder / f"epoch_{epoch}" / f"batch_{batch}.tar"


def _counted(folder: Path, before: str, after: str) -> int:
    """How many entries of ``folder`` are called ``before`` NUMBER ``after``. Raises BenchError where one is missing."""
    pattern = re.compile(re.escape(before) + r"(\d+)" + re.escape(after))
    names = [path.name for path in folder.iterdir()] if folder.is_dir() else []
    found = sorted(int(match[1]) for name in names if (match := pattern.fullmatch(name)))
    missing = next((n for n in range(len(found) + 1) if n not in found[n : n + 1]), 0)
    if not found or missing < len(found):
        raise BenchError(
            f"{folder} has no {before}{missing}{after}: stored soft labels are the files epoch_E/batch_B.tar, E and B "
            "from 0, as SRe2L's relabel writes them. Name the folder of epoch_0 with --labels."
        )
    return len(found)


def _check_size(folder: Path, file: Path, views: int, size: int, at: int, batches: int, images: int) -> None:
    wanted = size if at < batches - 1 else images - size * (batches - 1)
    if views == wanted:
        return
    if at < batches - 1:
        raise BenchError(f"{file} holds {views} views and {_file(folder, 0, 0).name} of epoch_0 holds {size}.")
    raise BenchError(
        f"{folder} holds labels of {size * (batches - 1) + views} images and the set has {images}: they were stored "
        "for another set."
    )


def _batch(file: Path, classes: int, index: torch.Tensor | None = None) -> StoredBatch:
    """The batch in ``file``, checked; its ``index`` is empty where none is given. Raises BenchError."""
    import torch

    loaded = load_pt(file)
    if not isinstance(loaded, list | tuple) or len(loaded) != 6:
        raise BenchError(f"{file} is no stored soft labels: {FORM} is meant.")
    coordinates, flipped, mix, _, box, outputs = loaded
    for name, value in (("coordinates", coordinates), ("outputs", outputs)):
        if not isinstance(value, torch.Tensor) or value.ndim != 2 or not value.is_floating_point():
            raise BenchError(f"{file}: its {name} are no table of floats; {FORM} is meant.")
    crops, flips = coordinates.float().contiguous(), torch.as_tensor(flipped).reshape(-1).bool()
    views = len(outputs)
    if crops.shape != (views, 4) or len(flips) != views or not views:
        shape = " x ".join(map(str, crops.shape))
        raise BenchError(f"{file} holds {shape} coordinates, {len(flips)} flips and {views} rows of outputs.")
    if outputs.shape[1] != classes:
        raise BenchError(
            f"{file} holds outputs of {outputs.shape[1]} classes and the set has {classes}: they are a teacher's of "
            "another dataset."
        )
    if not bool(outputs.isfinite().all()):
        raise BenchError(f"{file} holds outputs that are not finite: store them again, in float32 if they overflowed.")
    for row in _outside(crops):
        raise BenchError(
            f"{file}: the crop {', '.join(f'{x:.4g}' for x in row)} (top, left, height, width as shares of the image) "
            "does not lie in its image, [0, 1]."
        )
    outputs = outputs.contiguous() if outputs.dtype == torch.float16 else outputs.float().contiguous()
    place = torch.empty(0, dtype=torch.int64) if index is None else index
    return StoredBatch(place, crops, flips, outputs, *_mixing(file, mix, box, views))


def _outside(crops: torch.Tensor) -> Iterator[list[float]]:
    ends = crops[:, :2] + crops[:, 2:]
    inside = ((crops[:, :2] >= 0) & (crops[:, 2:] > 0) & (ends <= 1 + ROUNDING)).all(1)  # of NaN nothing holds
    yield from crops[~inside].tolist()


def _mixing(file: Path, mix: Any, box: Any, views: int) -> tuple[torch.Tensor | None, torch.Tensor | None]:
    """CutMix's box and partners, or None twice where nothing is mixed."""
    import torch

    if mix is None:
        return None, None
    if box is None:
        raise BenchError(f"{file} holds images mixed as a whole (mixup): only CutMix, or no mixing, can be trained on.")
    partners, edges = torch.as_tensor(mix).reshape(-1).long(), torch.tensor([int(edge) for edge in box])
    if len(edges) != 4 or not 0 <= edges[0] <= edges[1] or not 0 <= edges[2] <= edges[3]:
        raise BenchError(f"{file}: the box {edges.tolist()} of CutMix is not two rows and two columns, in order.")
    if not torch.equal(partners.sort().values, torch.arange(views)):
        raise BenchError(f"{file}: the partners of CutMix are no permutation of its {views} views.")
    return edges, partners
