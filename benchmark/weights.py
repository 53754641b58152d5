"""Files of weights: names and shapes from a header without torch, tensors without executing code, usual wrappings."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ddbench.errors import BenchError

if TYPE_CHECKING:
    import torch

Shapes = Mapping[str, tuple[int, ...]]
"""name of a tensor -> its shape"""

POINTER = b"version https://git-lfs.github.com/spec/"
"""how the text file begins that Git leaves in place of a large one"""
PREFIXES = ("module.", "_orig_mod.")
"""what DistributedDataParallel and torch.compile put before each name"""


def check_file(path: Path) -> None:
    """Raises BenchError for a file that is missing, cannot be read, is empty or is a pointer of Git LFS."""
    try:
        with path.open("rb") as stream:
            start = stream.read(len(POINTER))
    except OSError as error:
        raise BenchError(f"{path} cannot be read: {error.strerror}.") from None
    if start == POINTER:
        raise BenchError(
            f"{path} is a pointer of Git LFS in place of the weights: run `git lfs install` and `git lfs pull` in its "
            "repository, or download the file."
        )
    if not start:
        raise BenchError(f"{path} is empty: copy or download it again.")


def shapes_of(path: Path, light: bool, averaged: bool = False) -> Shapes | None:
    """Names and shapes of the tensors in a file, none of which is read.

    The header of ``.safetensors`` is JSON. Other files need torch: with ``light`` the answer for them is None. Names
    are those under the usual wrappings (``unwrapped``), with ``averaged`` those of the average. Raises BenchError for a
    file that ``check_file`` refuses, and for a damaged or truncated one.
    """
    check_file(path)
    if path.suffix == ".safetensors":
        return _header(path)
    if light:
        return None
    tensors = unwrapped(_load(path, shapes_only=True), path, averaged)
    return {name: tuple(tensor.shape) for name, tensor in tensors.items()}


def read_weights(path: Path, averaged: bool = False) -> dict[str, torch.Tensor]:
    """The tensors in a file by name, on the CPU, out of the usual wrappings; no code of the file is executed.

    averaged: of a file that holds weights and their moving average, take the average. Raises BenchError as
    ``shapes_of``.
    """
    check_file(path)
    if path.suffix == ".safetensors":
        from safetensors.torch import load_file

        _header(path)
        return unwrapped(load_file(path), path)
    return unwrapped(_load(path), path, averaged)


WEIGHTS = ("state_dict", "model", "model_state_dict", "model_state", "net", "network", "weights")
"""keys under which training code puts a network's weights"""
AVERAGES = ("ema", "model_ema", "state_dict_ema", "ema_state_dict")
"""keys under which it puts their moving average"""


def unwrapped(content: Any, path: Path, averaged: bool = False) -> dict[str, torch.Tensor]:
    """The tensors in what a file holds: itself, or under one of the keys ``WEIGHTS`` and ``AVERAGES``; names without
    the prefixes of DistributedDataParallel and torch.compile.

    Raises BenchError when there are none, and when a file holds weights and their average and the choice is not made.
    """
    tensors = _tensors(content)
    while tensors is None:
        found = [key for key in (*WEIGHTS, *AVERAGES) if isinstance(content, Mapping) and _inside(content.get(key))]
        average = [key for key in found if key in AVERAGES]
        if averaged and average:
            found = average[:1]
        if len(found) != 1:
            raise BenchError(f"{path} {_what(content, found)}. Save the network's state_dict() alone into a file.")
        content = content[found[0]]
        tensors = _tensors(content)
    for prefix in PREFIXES * 2:
        if tensors and all(name.startswith(prefix) for name in tensors):
            tensors = {name.removeprefix(prefix): tensor for name, tensor in tensors.items()}
    return tensors


def differences(found: Shapes, expected: Shapes) -> str:
    """In what the weights ``found`` are not those of a network, with names; empty where they are."""
    missing = [name for name in expected if name not in found]
    extra = [name for name in found if name not in expected]
    shaped = [name for name in expected if name in found and tuple(found[name]) != tuple(expected[name])]
    if missing and (prefix := _prefix(found, missing)):
        return f"their names begin with {prefix!r} ({prefix}{missing[0]}), which the network's do not"
    parts = [f"{what} {_some(names)}" for what, names in (("lack", missing), ("have the unknown", extra)) if names]
    if shaped:
        sizes = f"{_size(found[shaped[0]])} in place of {_size(expected[shaped[0]])}"
        parts.append(f"have {shaped[0]} of shape {sizes} ({len(shaped)} of another shape)")
    return "they " + ", ".join(parts) if parts else ""


def _prefix(found: Iterable[str], missing: list[str]) -> str:
    """What stands before every one of the missing names in ``found``; empty where nothing does."""
    known = set(found)
    for name in known:
        if name.endswith(f".{missing[0]}"):
            prefix = name.removesuffix(missing[0])
            if all(prefix + other in known for other in missing):
                return prefix
    return ""


def _some(names: list[str]) -> str:
    shown = ", ".join(names[:3])
    return shown if len(names) <= 3 else f"{shown} and {len(names) - 3} more"


def _size(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape)) or "a single number"


def _header(path: Path) -> Shapes:
    """Names and shapes from the first bytes of a safetensors file: the length of the header (8 bytes, little-endian),
    then the header, JSON, whose offsets count from its end."""
    size = path.stat().st_size
    try:
        with path.open("rb") as stream:
            length = int.from_bytes(stream.read(8), "little")
            header = json.loads(stream.read(length)) if length < size else None
        entries = {name: entry for name, entry in header.items() if name != "__metadata__"}  # type: ignore[union-attr]
        end = 8 + length + max((entry["data_offsets"][1] for entry in entries.values()), default=0)
        shapes = {name: tuple(entry["shape"]) for name, entry in entries.items()}
    except (ValueError, AttributeError, KeyError, TypeError):
        raise BenchError(f"{path} is no safetensors file: copy or download it again.") from None
    if end != size:
        raise BenchError(f"{path} is damaged: it has {size} bytes, its header says {end}. Copy or download it again.")
    return shapes


def _load(path: Path, shapes_only: bool = False) -> Any:
    """What torch.save wrote. A namespace of command-line options, which training scripts save beside the weights, is
    data as well, and is let through."""
    import argparse
    import pickle

    import torch

    try:
        mapped = zipfile.is_zipfile(path)  # files of torch before 1.6 are no archives, and cannot be mapped
        with torch.serialization.safe_globals([argparse.Namespace]):
            where = "meta" if shapes_only else "cpu"
            return torch.load(path, map_location=where, weights_only=True, mmap=mapped)
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, OSError, AttributeError) as error:
        what = "is no file of weights, or is damaged"
        if "allowed global" in str(error):
            what = "holds objects that only running code can make (it is read with weights_only=True)"
        raise BenchError(f"{path} {what}. Save the network's state_dict() alone into a file.") from None


def _tensors(content: Any) -> dict[str, torch.Tensor] | None:
    """``content`` if it is a dictionary of tensors by name, without entries of modules that are no tensors."""
    import torch

    if not isinstance(content, Mapping) or not content or not all(isinstance(name, str) for name in content):
        return None
    if not all(isinstance(value, torch.Tensor) for value in content.values()):
        return None
    return dict(content)


def _inside(content: Any) -> bool:
    """Whether there are tensors in ``content``, perhaps one wrapping deeper."""
    if _tensors(content):
        return True
    return isinstance(content, Mapping) and any(_tensors(content.get(key)) for key in (*WEIGHTS, *AVERAGES))


def _what(content: Any, found: list[str]) -> str:
    if len(found) > 1:
        return f"holds several networks: the weights under {' and '.join(map(repr, found))}"
    if isinstance(content, Mapping):
        keys = [str(key) for key in content]
        return f"holds no weights by name under {', '.join(map(repr, WEIGHTS[:2]))}, but {_some(keys) or 'nothing'}"
    return f"holds a {type(content).__name__} and no dictionary of weights"
