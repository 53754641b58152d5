"""The checkpoint of a pretrained network whose outputs are soft labels."""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ddbench import seeding
from ddbench.errors import BenchError, nearest
from ddbench.learning.matching import names_in_file
from ddbench.learning.sizes import sizes_in
from ddbench.learning.zoo import check_timm, torchvision_classifiers
from ddbench.weights import Shapes, check_file, differences, read_weights, shapes_of

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Fields:
    """What the options that name a teacher are called, for messages, and what to type."""

    file: str
    sha256: str
    arch: str
    example: str


OF_PROTOCOL = Fields(
    "the protocol's teacher",
    "the protocol's teacher_sha256",
    "the protocol's teacher_arch",
    "[teacher=FILE,teacher_sha256=DIGITS,teacher_arch=torchvision:NAME]",
)
"""of the protocols rded-1k"""
OF_FILE = Fields(
    "teacher.file",
    "teacher.sha256",
    "teacher.arch",
    "[teacher=TeacherFile,file=FILE,sha256=DIGITS,arch=torchvision:NAME]",
)
"""of ``TeacherFile``"""

Build = Callable[[], "torch.nn.Module"]
"""makes the network whose weights a file holds, untrained"""


def teacher_problems(
    file: str,
    sha256: str,
    num_classes: int,
    arch: str,
    light: bool,
    fields: Fields = OF_PROTOCOL,
    build: Build | None = None,
) -> list[str]:
    """Why ``open_teacher`` would refuse this teacher, without building its network in memory; ``light``: without torch,
    which tells no more of the weights than that none of them is that of a layer for so many classes."""
    try:
        check_arch(arch, fields)
        path = _checked(file, sha256, fields)
        found = shapes_of(path, light)
        if light:
            _check_classes(path, list(found.values()) if found else sizes_in(path), num_classes, fields)
        if found is not None and not light and (build or not registered(arch)):
            _matched(path, found, _expected(build or _builder(arch, num_classes)), arch, num_classes, fields)
    except BenchError as error:
        return [str(error)]
    return []


def open_teacher(
    file: str,
    sha256: str,
    num_classes: int,
    device: str,
    arch: str = "torchvision:resnet18",
    fields: Fields = OF_PROTOCOL,
    build: Build | None = None,
) -> torch.nn.Module:
    """The network ``arch`` with the weights in ``file``, in eval mode, its parameters frozen.

    ``file``: a path, or a name in the checkpoint folder of torch.hub; ``.safetensors``, or what torch.load reads
    without executing code, also inside the usual wrappings (``ddbench.weights.unwrapped``). ``sha256``: at least the
    first eight hex digits of its SHA-256. ``arch``: ``torchvision:NAME``, ``timm:NAME``, or with ``build`` a registered
    one, whose weights may have the names of other code (``names_in_file``). Raises BenchError when the file is missing,
    another file, not of ``arch``, or of another number of classes.
    """
    check_arch(arch, fields)
    path = _checked(file, sha256, fields)
    with seeding.seeded("teacher-file"):  # every weight is replaced
        teacher = (build or _builder(arch, num_classes))()
    weights = read_weights(path)
    names = _matched(path, _shapes(weights), _shapes(teacher.state_dict()), arch, num_classes, fields)
    teacher.load_state_dict({name: weights[names[name]] for name in names})
    return teacher.to(device).eval().requires_grad_(False)


def _matched(
    path: Path, found: Shapes, expected: Shapes, arch: str, num_classes: int, fields: Fields
) -> Mapping[str, str]:
    """Name in the network -> name in the file. Raises BenchError when the weights are not those of the network."""
    names = names_in_file(found, expected, ordered=path.suffix != ".safetensors")
    there = {name: found[other] for name, other in names.items()} if names else found
    if not differences(there, expected):
        return names
    few = {name: shape[1:] for name, shape in expected.items() if shape and shape[0] == num_classes}
    known = next((s[0] for n, s in there.items() if few.get(n) == tuple(s[1:]) and s[0] != num_classes), None)
    if known is None and not names:  # under other names: the head is what comes last
        known = _classes_under_other_names(found, expected, num_classes)
    if known is not None:
        raise BenchError(
            f"the teacher {path} knows {known} classes, the dataset has {num_classes}: choose a protocol with "
            f"hard labels, or name a teacher of these classes behind the protocol: {fields.example}."
        )
    advice = f"Name its architecture behind the protocol: {fields.example}"
    if registered(arch) and arch in torchvision_classifiers():
        advice += f"; torchvision's own {arch} is arch=torchvision:{arch}"
    elif fields is OF_FILE:
        advice += ", or a registered arch (`bench list archs`)"
    raise BenchError(
        f"the teacher {path} does not hold the weights of {fields.arch} {arch!r}: {differences(there, expected)}. "
        f"{advice}."
    )


def _check_classes(path: Path, sizes: list[tuple[int, ...]], num_classes: int, fields: Fields) -> None:
    """Raises BenchError where no weight has a row for each class; nothing is said of a file whose sizes are unknown."""
    if sizes and not any(size and size[0] == num_classes for size in sizes):
        raise BenchError(
            f"the teacher {path} does not know the {num_classes} classes of the dataset: none of its weights has so "
            f"many rows. Choose a protocol with hard labels, or name a teacher of these classes: {fields.example}."
        )


def _classes_under_other_names(found: Shapes, expected: Shapes, num_classes: int) -> int | None:
    """The classes of a file that would fit under other names, were it not for their number; None where it would not."""
    last = [shape[0] for shape in found.values() if len(shape) == 2]
    if not last or last[-1] == num_classes:
        return None
    classes = last[-1]
    other = {n: (classes, *s[1:]) if s and s[0] == num_classes else s for n, s in expected.items()}
    return classes if names_in_file(found, other, ordered=True) else None


def _shapes(weights: Mapping[str, torch.Tensor]) -> Shapes:
    return {name: tuple(tensor.shape) for name, tensor in weights.items()}


def _expected(build: Build) -> Shapes:
    """The weights of a network, none of which is allocated."""
    import torch

    with torch.device("meta"), seeding.seeded("teacher-file"):
        return _shapes(build().state_dict())


def registered(arch: str) -> bool:
    """Whether ``arch`` is the name of a registered arch, and not ``torchvision:NAME`` or ``timm:NAME``."""
    return ":" not in arch


def check_arch(arch: str, fields: Fields = OF_PROTOCOL) -> None:
    """Raises BenchError for a name that the library which it names lacks; none is imported. Names of registered archs
    are checked where they are looked up."""
    library, _, name = arch.partition(":")
    if library == "timm":
        try:
            check_timm(name)
        except ValueError as error:
            raise BenchError(f"{fields.arch} {arch!r}: {error}.") from None
    elif (fields is OF_PROTOCOL or not registered(arch)) and not (
        library == "torchvision" and name in torchvision_classifiers()
    ):
        close = nearest(name or library, torchvision_classifiers())
        known = "torchvision:resnet18 or timm:NAME" + (", or a registered arch" if fields is OF_FILE else "")
        raise BenchError(
            f"{fields.arch} {arch!r} is no classifier of torchvision or timm: write {known}"
            + (f"; nearest: torchvision:{close}." if close else ".")
        )


def _builder(arch: str, num_classes: int) -> Build:
    return lambda: build_arch(arch, num_classes)


def build_arch(arch: str, num_classes: int) -> torch.nn.Module:
    """The untrained network ``torchvision:NAME`` or ``timm:NAME``."""
    library, _, name = arch.partition(":")
    if library == "timm":
        import timm

        return timm.create_model(name, pretrained=False, num_classes=num_classes)
    from torchvision import models

    return models.get_model(name, weights=None, num_classes=num_classes)


def _checked(file: str, sha256: str, fields: Fields) -> Path:
    """The file of a teacher. Raises BenchError when it is missing, or another file than ``sha256`` says."""
    path = _find(file, fields)
    check_file(path)
    with path.open("rb") as stream:
        found = hashlib.file_digest(stream, "sha256").hexdigest()
    if len(sha256) >= 8 and found.startswith(sha256.lower()):
        return path
    raise BenchError(
        f"the teacher {path} has SHA-256 {found}, {fields.sha256} says {sha256!r} (eight digits or more): replace the "
        f"file, or if it is the one that is meant, type {_typed(fields, path.name, found[:8])}."
    )


def _typed(fields: Fields, file: str, digits: str) -> str:
    return fields.example.replace("FILE", file).replace("DIGITS", digits)


def _find(file: str, fields: Fields) -> Path:
    folder = _hub() / "checkpoints"
    for path in (Path(file).expanduser(), folder / file):
        if path.is_file():
            return path
        if path.is_dir():
            raise BenchError(f"{fields.file} {path} is a folder: name the file of weights in it.")
    raise BenchError(
        f"{fields.file} {file!r} is not there: put torchvision's checkpoint of that name into {folder} (set "
        f"TORCH_HOME for another place), or name your own behind the protocol: {fields.example}, DIGITS being eight or "
        "more of its SHA-256 (sha256sum FILE)."
    )


def _hub() -> Path:
    """torch.hub's folder, also before torch is imported."""
    if torch := sys.modules.get("torch"):
        return Path(torch.hub.get_dir())
    caches = os.environ.get("XDG_CACHE_HOME", "~/.cache")
    return Path(os.environ.get("TORCH_HOME", Path(caches) / "torch")).expanduser() / "hub"
