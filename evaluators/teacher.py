"""The pretrained network whose outputs are soft labels."""

from __future__ import annotations

import hashlib
from pathlib import Path

import torch


def open_teacher(file: str, sha256: str, num_classes: int, device: str) -> torch.nn.Module:
    """torchvision's ResNet-18 with the weights in ``file``, in eval mode, its parameters frozen.

    ``file``: a path, or a name in the checkpoint folder of torch.hub. ``sha256``: at least the first eight hex digits
    of its SHA-256. Raises ValueError when the file is missing, another file, or of another number of classes.
    """
    from torchvision.models import resnet18

    path = _find(file)
    with path.open("rb") as stream:
        found = hashlib.file_digest(stream, "sha256").hexdigest()
    if len(sha256) < 8 or not found.startswith(sha256.lower()):
        raise ValueError(
            f"the teacher {path} has SHA-256 {found}, the protocol's field teacher_sha256 says {sha256!r} (eight "
            "digits or more): replace the file, or register a protocol that names this one"
        )
    weights = torch.load(path, map_location="cpu", weights_only=True)
    outputs = len(weights["fc.weight"])
    if outputs != num_classes:
        raise ValueError(
            f"the teacher {path} knows {outputs} classes, the dataset has {num_classes}: choose a protocol with hard "
            "labels, or register one whose field teacher names a network for these classes"
        )
    teacher = resnet18(num_classes=num_classes)
    teacher.load_state_dict(weights)
    return teacher.to(device).eval().requires_grad_(False)


def _find(file: str) -> Path:
    folder = Path(torch.hub.get_dir()) / "checkpoints"
    for path in (Path(file), folder / file):
        if path.is_file():
            return path
    raise ValueError(
        f"the protocol's teacher {file!r} is not there: put torchvision's checkpoint of that name into {folder} (set "
        "TORCH_HOME for another place), or register a protocol whose fields teacher and teacher_sha256 name your file"
    )
