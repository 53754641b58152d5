"""The checkpoint of a pretrained network whose outputs are soft labels."""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from ddbench.errors import BenchError, nearest
from ddbench.learning.zoo import check_timm, torchvision_classifiers
from ddbench.weights import Shapes, check_file, differences, read_weights, shapes_of

if TYPE_CHECKING:
    import torch


def teacher_problems(file: str, sha256: str, num_classes: int, arch: str, light: bool) -> list[str]:
    """Why ``open_teacher`` would refuse this teacher, without building its network in memory; ``light``: without torch,
    which for files other than safetensors leaves the weights' names and shapes unread."""
    try:
        check_arch(arch)
        path = _checked(file, sha256)
        found = shapes_of(path, light)
        if found is not None and not light:
            _check_weights(path, found, _expected(arch, num_classes), arch, num_classes)
    except BenchError as error:
        return [str(error)]
    return []


def open_teacher(
    file: str, sha256: str, num_classes: int, device: str, arch: str = "torchvision:resnet18"
) -> torch.nn.Module:
    """The network ``arch`` with the weights in ``file``, in eval mode, its parameters frozen.

    ``file``: a path, or a name in the checkpoint folder of torch.hub; ``.safetensors``, or what torch.load reads
    without executing code, also inside the usual wrappings (``ddbench.weights.unwrapped``). ``sha256``: at least the
    first eight hex digits of its SHA-256. ``arch``: ``torchvision:NAME`` or ``timm:NAME``. Raises BenchError when the
    file is missing, another file, not of ``arch``, or of another number of classes.
    """
    check_arch(arch)
    path = _checked(file, sha256)
    teacher, weights = build_arch(arch, num_classes), read_weights(path)
    _check_weights(path, _shapes(weights), _shapes(teacher.state_dict()), arch, num_classes)
    teacher.load_state_dict(weights)
    return teacher.to(device).eval().requires_grad_(False)


def _check_weights(path: Path, found: Shapes, expected: Shapes, arch: str, num_classes: int) -> None:
    """Raises BenchError when the weights ``found`` are not those of the network."""
    for name, own in expected.items():
        given = found.get(name)
        if not given or not own or own[0] != num_classes:
            continue
        if given[0] != num_classes and given[1:] == own[1:]:
            raise BenchError(
                f"the teacher {path} knows {given[0]} classes, the dataset has {num_classes}: choose a protocol with "
                "hard labels, or register one whose field teacher names a network for these classes"
            )
    if wrong := differences(found, expected):
        raise BenchError(
            f"the teacher {path} does not hold the weights of the protocol's teacher_arch {arch!r}: {wrong}"
        )


def _shapes(weights: Mapping[str, torch.Tensor]) -> Shapes:
    return {name: tuple(tensor.shape) for name, tensor in weights.items()}


def _expected(arch: str, num_classes: int) -> Shapes:
    """The weights of a network, none of which is allocated."""
    import torch

    with torch.device("meta"):
        return _shapes(build_arch(arch, num_classes).state_dict())


def check_arch(arch: str) -> None:
    """Raises BenchError for a name that neither library has; neither is imported."""
    library, _, name = arch.partition(":")
    if library == "timm":
        try:
            check_timm(name)
        except ValueError as error:
            raise BenchError(f"the protocol's teacher_arch {arch!r}: {error}") from None
    elif library != "torchvision" or name not in torchvision_classifiers():
        close = nearest(name, torchvision_classifiers()) if library == "torchvision" else None
        raise BenchError(
            f"the protocol's teacher_arch {arch!r} is no classifier of torchvision or timm: write torchvision:resnet18 "
            "or timm:NAME" + (f"; nearest: torchvision:{close}" if close else "")
        )


def build_arch(arch: str, num_classes: int) -> torch.nn.Module:
    """The untrained network ``torchvision:NAME`` or ``timm:NAME``."""
    library, _, name = arch.partition(":")
    if library == "timm":
        import timm

        return timm.create_model(name, pretrained=False, num_classes=num_classes)
    from torchvision import models

    return models.get_model(name, weights=None, num_classes=num_classes)


def _checked(file: str, sha256: str) -> Path:
    """The file of a teacher. Raises BenchError when it is missing, or another file than ``sha256`` says."""
    path = _find(file)
    check_file(path)
    with path.open("rb") as stream:
        found = hashlib.file_digest(stream, "sha256").hexdigest()
    if len(sha256) >= 8 and found.startswith(sha256.lower()):
        return path
    raise BenchError(
        f"the teacher {path} has SHA-256 {found}, the protocol's field teacher_sha256 says {sha256!r} (eight digits or "
        "more): replace the file, or register a protocol that names this one"
    )


def _find(file: str) -> Path:
    folder = _hub() / "checkpoints"
    for path in (Path(file).expanduser(), folder / file):
        if path.is_file():
            return path
        if path.is_dir():
            raise BenchError(f"the protocol's teacher {path} is a folder: name the file of weights in it.")
    raise BenchError(
        f"the protocol's teacher {file!r} is not there: put torchvision's checkpoint of that name into {folder} (set "
        "TORCH_HOME for another place), or register a protocol whose fields teacher and teacher_sha256 name your file"
    )


def _hub() -> Path:
    """torch.hub's folder, also before torch is imported."""
    if torch := sys.modules.get("torch"):
        return Path(torch.hub.get_dir())
    caches = os.environ.get("XDG_CACHE_HOME", "~/.cache")
    return Path(os.environ.get("TORCH_HOME", Path(caches) / "torch")).expanduser() / "hub"
