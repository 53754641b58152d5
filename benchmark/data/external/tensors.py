"""Distilled sets as files of tensors, in the forms that the authors' code of methods writes.

    res_METHOD_DATASET_MODEL_nipc.pt    DC, DSA, DM: a dict whose ``data`` holds [images, labels] of each experiment
    images_best.pt, labels_best.pt      MTT, DATM and others: two tensors; lr_best.pt is a learned learning rate
    NAME.pt, NAME.npz                   a dict or archive of ``images`` and ``labels``; `bench export` adds ``classes``,
                                        a list of names, and ``soft_labels``

Images are (N, C, H, W) or (N, H, W, C) or (N, H, W); labels are numbers, or in an npz names, or one row a class of
soft labels. Nothing in such a file says which class a number is or how pixels were normalised: that has to be stated.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ddbench.data.external.folder import ExternalImage
from ddbench.data.external.labels import read_labels
from ddbench.data.external.levels import Normalisation, as_levels, as_nchw
from ddbench.data.external.named import named_classes, soft_rows
from ddbench.data.external.names import AS_DATASET, ClassOrder
from ddbench.data.external.pickled import load_pt
from ddbench.errors import BenchError
from ddbench.types import Dataset

if TYPE_CHECKING:
    import torch

Say = Callable[[str], None]
PICKLED, ARCHIVES = (".pt", ".pth"), (".npz",)
IMAGES = re.compile(r"images?(_.*)?")
BESIDE = re.compile(r"(labels?|lr)(_.*)?")
"""names of files that hold no images: labels and a learned learning rate"""
KEYS = {"images": ("images", "image", "x", "data"), "labels": ("labels", "label", "y", "targets")}
FORMS = "images and labels in a dict, or a list of [images, labels] under the key data"


@dataclass(frozen=True)
class TensorSet:
    """A set from a file of tensors."""

    images: list[ExternalImage]
    clipped: float
    """share of its values that lay outside [0, 1] and were clipped there"""


def is_tensors(path: Path) -> bool:
    """Whether ``path`` is a file of tensors, or a folder of such files without class folders."""
    if path.is_file():
        return path.suffix.lower() in (*PICKLED, *ARCHIVES)
    return path.is_dir() and bool(_files(path)) and not any(p.is_dir() and p.name[0] != "." for p in path.iterdir())


def read(
    path: Path, dataset: Dataset, order: ClassOrder | None, normalisation: Normalisation | None, say: Say
) -> list[TensorSet]:
    """The sets in ``path``: one, or one for each experiment of a ``res_*.pt``.

    ``say`` is told what is not used and what was decided. Raises BenchError for a file that is none of the forms
    above, that would run code, or whose numbers nothing explains.
    """
    file = _chosen(path) if path.is_dir() else path
    _refuse_whitened(file)
    loaded = _loaded(file)
    pairs = _pairs(file, loaded)
    own = named_classes(file, loaded)
    if own and order:
        raise BenchError(f"{file} names its classes: leave out --class-order.")
    order = own or order
    _refuse_unexplained(file, pairs, dataset, order, normalisation)
    _say_unread(file, path, say)
    sets = []
    for i, (images, labels) in enumerate(pairs):
        where = f"{file}, experiment {i}" if len(pairs) > 1 else str(file)
        levels, clipped = as_levels(where, as_nchw(where, images), normalisation)
        if clipped:
            say(f"{where}: {clipped:.2%} of its values lie outside [0, 1] and are clipped: sets hold 8-bit pixels here")
        names, soft = read_labels(where, labels, len(levels), order, say)
        if own:
            names = [own.name(int(number), where) for number in names]
            soft = soft_rows(file, loaded, own, len(levels)) or soft
        sets.append(
            TensorSet(
                [
                    ExternalImage(
                        f"{where}, image {n}", names[n], partial(_portable, levels[n]), soft[n] if soft else {}
                    )
                    for n in range(len(levels))
                ],
                clipped,
            )
        )
    return sets


def _files(folder: Path) -> list[Path]:
    return sorted(p for p in folder.iterdir() if p.suffix.lower() in (*PICKLED, *ARCHIVES) and p.is_file())


def _chosen(folder: Path) -> Path:
    """The file of images in ``folder``: the only one, or ``images_best.pt``. Raises BenchError for several."""
    files = [p for p in _files(folder) if not BESIDE.fullmatch(p.stem)]
    best = [p for p in files if p.stem == "images_best"]
    if len(files) == 1 or best:
        return (best or files)[0]
    names = ", ".join(p.name for p in files[:4]) + (", ..." if len(files) > 4 else "")
    raise BenchError(f"{folder} holds {len(files)} files of tensors ({names}): name the one that is meant.")


def _say_unread(file: Path, given: Path, say: Say) -> None:
    """Tell which files beside ``file`` are not read: other images where a folder was given, a learned learning rate."""
    others = [p for p in _files(file.parent) if not BESIDE.fullmatch(p.stem) and p != file]
    if others and given.is_dir():
        more = f" and {len(others) - 1} more" if len(others) > 1 else ""
        say(f"{file} is read, {others[0].name}{more} in its folder not")
    rates = [p for p in _files(file.parent) if re.fullmatch(r"lr(_.*)?", p.stem)]
    if rates and IMAGES.fullmatch(file.stem):
        say(f"{rates[-1]} is a learned learning rate and is not used: the protocol has its own")


def _refuse_whitened(file: Path) -> None:
    """Raises BenchError when the name says that the images are ZCA-whitened, which no file itself tells."""
    for name in (file.name, file.absolute().parent.name):
        if re.search(r"(?<![a-z])zca(?![a-z])", name.lower()):
            raise BenchError(
                f"the name of {file} says ZCA-whitened ({name}): whitened values are no pixels, and judged images "
                "would have to be whitened alike. Undo the whitening first (MTT's images_zca_N.pt is such a file: "
                "rename it, and state --mean 0 --sd 1)."
            )


def _loaded(file: Path) -> Any:
    """What ``file`` holds. Raises BenchError."""
    if not file.exists():
        raise BenchError(f"there is no file {file}.")
    if BESIDE.fullmatch(file.stem):
        raise BenchError(f"{file} holds no images by its name: name the file of images, such as images_best.pt.")
    return _archive(file) if file.suffix.lower() in ARCHIVES else load_pt(file)


def _pairs(file: Path, loaded: Any) -> list[tuple[Any, Any]]:
    """(images, labels) of each set in ``loaded``, as tensors or arrays. Raises BenchError."""
    if _is_array(loaded):
        return [(loaded, _labels_beside(file))]
    if isinstance(loaded, Mapping) and isinstance(loaded.get("data"), list | tuple):
        loaded = loaded["data"]
    if isinstance(loaded, list | tuple) and loaded:
        pairs = [loaded] if len(loaded) == 2 and all(map(_is_array, loaded)) else loaded
        if all(isinstance(p, list | tuple) and len(p) == 2 and all(map(_is_array, p)) for p in pairs):
            return [(images, labels) for images, labels in pairs]
    if isinstance(loaded, Mapping):
        found = {what: next((loaded[key] for key in keys if key in loaded), None) for what, keys in KEYS.items()}
        if all(map(_is_array, found.values())):
            return [(found["images"], found["labels"])]
    raise BenchError(f"{file} is none of the known forms ({FORMS}): it holds {_shown(loaded)}.")


def _labels_beside(file: Path) -> Any:
    """The labels of ``images_NAME.pt``, in ``labels_NAME.pt`` beside it."""
    if not IMAGES.fullmatch(file.stem):
        raise BenchError(f"{file} holds one tensor and no labels. Save {FORMS}, or call it images_NAME.pt.")
    beside = file.with_stem(re.sub(r"^image", "label", file.stem))
    if not beside.is_file():
        raise BenchError(f"{file} has no labels beside it: {beside.name} is missing.")
    labels = load_pt(beside)
    if not _is_array(labels):
        raise BenchError(f"{beside} must hold one tensor of labels; it holds {_shown(labels)}.")
    return labels


def _archive(file: Path) -> dict[str, Any]:
    """The arrays of an npz; none of them may be pickled."""
    import numpy as np

    try:
        with np.load(file, allow_pickle=False) as arrays:
            return {name: arrays[name] for name in arrays.files}
    except (ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
        why = " ".join(str(error).split())
        if "allow_pickle" in why:
            why = "an array of it holds Python objects, which could run code when loaded"
        raise BenchError(f"{file} cannot be read as arrays: {why}.") from None


def _refuse_unexplained(
    file: Path,
    pairs: Sequence[tuple[Any, Any]],
    dataset: Dataset,
    order: ClassOrder | None,
    normalisation: Normalisation | None,
) -> None:
    """Raises one BenchError with everything that has to be stated and is not, or is and means nothing here."""
    floats = any(_kind(images) == "f" for images, _ in pairs)
    lacks = []
    if floats and normalisation is None:
        lacks.append(
            "its pixels are floats: state what they were normalised with, as --mean 0.4914,0.4822,0.4465 --sd "
            "0.2023,0.1994,0.2010 (--mean 0 --sd 1 for pixels in [0, 1])"
        )
    if order is None and any(_kind(labels) != "U" for _, labels in pairs):
        lacks.append(
            "its classes are numbers: state which is which with --class-order FILE, a class on each line, or "
            f"--class-order {AS_DATASET} ({', '.join(dataset.classes[:3])}, ...)"
        )
    if lacks:
        raise BenchError(f"{file}: {'; '.join(lacks)}.")
    if normalisation is not None and not floats:
        raise BenchError(f"{file} holds whole levels, not normalised floats: leave out --mean and --sd.")


def _is_array(value: Any) -> bool:
    import numpy as np
    import torch

    return isinstance(value, torch.Tensor | np.ndarray)


def _kind(array: Any) -> str:
    """numpy's letter: f floats, i and u whole numbers, U text, b truth values."""
    import torch

    if isinstance(array, torch.Tensor):
        return "f" if array.is_floating_point() else "i"
    return str(array.dtype.kind)


def _shown(value: Any) -> str:
    if isinstance(value, Mapping):
        return f"the keys {', '.join(map(str, list(value)[:6])) or '(none)'}"
    if isinstance(value, list | tuple):
        return f"a list of {len(value)} {type(value[0]).__name__}" if value else "an empty list"
    return f"a {type(value).__name__}"


def _portable(levels: torch.Tensor) -> bytes:
    """uint8 (C, H, W) as a PGM or PPM file: a header and the levels."""
    channels, height, width = levels.shape
    header = f"P{6 if channels == 3 else 5} {width} {height} 255\n".encode()
    return header + levels.permute(1, 2, 0).contiguous().numpy().tobytes()
