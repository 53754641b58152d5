"""The pretrained network whose outputs are soft labels."""

from __future__ import annotations

import hashlib
from pathlib import Path

import torch


def open_teacher(
    file: str, sha256: str, num_classes: int, device: str, arch: str = "torchvision:resnet18"
) -> torch.nn.Module:
    """The network ``arch`` with the weights in ``file``, in eval mode, its parameters frozen.

    ``file``: a path, or a name in the checkpoint folder of torch.hub; ``.safetensors``, or what torch.load reads
    without executing code. ``sha256``: at least the first eight hex digits of its SHA-256. ``arch``:
    ``torchvision:NAME`` or ``timm:NAME``. Raises ValueError when the file is missing, another file, not of ``arch``, or
    of another number of classes.
    """
    path = _find(file)
    with path.open("rb") as stream:
        found = hashlib.file_digest(stream, "sha256").hexdigest()
    if len(sha256) < 8 or not found.startswith(sha256.lower()):
        raise ValueError(
            f"the teacher {path} has SHA-256 {found}, the protocol's field teacher_sha256 says {sha256!r} (eight "
            "digits or more): replace the file, or register a protocol that names this one"
        )
    teacher, weights = _build(arch, num_classes), _read(path)
    for name, own in teacher.state_dict().items():
        given = weights.get(name)
        if given is None or not own.ndim or len(own) != num_classes:
            continue
        if len(given) != num_classes and given.shape[1:] == own.shape[1:]:
            raise ValueError(
                f"the teacher {path} knows {len(given)} classes, the dataset has {num_classes}: choose a protocol with "
                "hard labels, or register one whose field teacher names a network for these classes"
            )
    try:
        teacher.load_state_dict(weights)
    except RuntimeError as error:
        problem = " ".join(str(error).split())[:200]
        raise ValueError(
            f"the teacher {path} does not hold the weights of the protocol's teacher_arch {arch!r}: {problem}"
        ) from error
    return teacher.to(device).eval().requires_grad_(False)


def _build(arch: str, num_classes: int) -> torch.nn.Module:
    library, _, name = arch.partition(":")
    if library == "timm":
        import timm

        from ddbench.evaluators.from_timm import Timm

        return timm.create_model(Timm(name).model, pretrained=False, num_classes=num_classes)
    from torchvision import models

    if library != "torchvision" or name not in models.list_models(module=models):
        raise ValueError(
            f"the protocol's teacher_arch {arch!r} is no classifier of torchvision or timm: write torchvision:resnet18 "
            "or timm:NAME"
        )
    return models.get_model(name, weights=None, num_classes=num_classes)


def _read(path: Path) -> dict[str, torch.Tensor]:
    if path.suffix == ".safetensors":
        from safetensors.torch import load_file

        return load_file(path)
    return torch.load(path, map_location="cpu", weights_only=True)


def _find(file: str) -> Path:
    folder = Path(torch.hub.get_dir()) / "checkpoints"
    for path in (Path(file), folder / file):
        if path.is_file():
            return path
    raise ValueError(
        f"the protocol's teacher {file!r} is not there: put torchvision's checkpoint of that name into {folder} (set "
        "TORCH_HOME for another place), or register a protocol whose fields teacher and teacher_sha256 name your file"
    )
