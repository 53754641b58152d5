"""Distilled sets in the store: writing, reading, checking them, and merging their shards."""

from __future__ import annotations

import json
from pathlib import Path

from ddbench.errors import InvalidOutput
from ddbench.images import DistilledSet, LabeledImages, Shape
from ddbench.store.folder import Store
from ddbench.store.stored_labels import load_stored, save_stored

IMAGES_FILE = "images.safetensors"


def load_distilled(store: Store, key: str, kind: str = "distill") -> LabeledImages:
    """The distilled set at ``key``, or with ``kind="shard"`` a shard of one. Raises CorruptArtifact."""
    from safetensors import safe_open

    folder = store.read(kind, key)
    with safe_open(folder / IMAGES_FILE, framework="pt") as file:
        classes = tuple(json.loads(file.metadata()["classes"]))
        soft = file.get_tensor("soft") if "soft" in file.keys() else None  # noqa: SIM118 (safe_open is no mapping)
        images, labels = file.get_tensor("images"), file.get_tensor("labels")
        return LabeledImages(images, labels, classes, soft, load_stored(folder))


def save_distilled(distilled: LabeledImages, folder: Path) -> None:
    """Write a distilled set into ``folder``, as safetensors files that ``load_distilled`` reads."""
    from safetensors.torch import save_file

    tensors = {"images": distilled.images.contiguous(), "labels": distilled.labels.contiguous()}
    if distilled.soft is not None:
        tensors["soft"] = distilled.soft.contiguous()
    save_file(tensors, folder / IMAGES_FILE, metadata={"classes": json.dumps(distilled.classes)})
    if distilled.stored is not None:
        save_stored(distilled.stored, folder)


def check_distilled(distilled: LabeledImages, classes: tuple[str, ...], shape: Shape, ipc: int) -> None:
    """Raises InvalidOutput when the result of a method is not ``ipc`` images of each class, of that shape."""
    if not isinstance(distilled, LabeledImages):
        raise InvalidOutput(f"the method returned a {type(distilled).__name__}, not LabeledImages")
    if distilled.classes != classes:
        raise InvalidOutput("the method returned other classes, or another order of them, than the dataset's")
    if distilled.shape != shape:
        raise InvalidOutput(f"the method returned images of shape {distilled.shape}, the dataset's are {shape}")
    DistilledSet(distilled, ipc)


def only_classes(real: LabeledImages, classes: list[str]) -> LabeledImages:
    """The images of the given classes alone, with labels that index ``classes``."""
    import torch

    position = torch.tensor([classes.index(name) if name in classes else -1 for name in real.classes])
    labels = position[real.labels]
    kept = (labels >= 0).nonzero()[:, 0]
    return LabeledImages(images=real.images[kept], labels=labels[kept], classes=tuple(classes))


def merge_shards(store: Store, shards: tuple[str, ...], classes: tuple[str, ...]) -> LabeledImages:
    """The distilled set whose groups of classes are ``shards``, in their order, with labels that index ``classes``."""
    import torch

    parts = [load_distilled(store, key, "shard") for key in shards]
    places = [torch.tensor([classes.index(name) for name in part.classes]) for part in parts]
    labels = torch.cat([place[part.labels] for place, part in zip(places, parts, strict=True)])
    images, soft = torch.cat([part.images for part in parts]), None
    rows = [
        torch.zeros(len(part), len(classes)).index_copy(1, place, part.soft)
        for place, part in zip(places, parts, strict=True)
        if part.soft is not None
    ]
    if len(rows) == len(parts):
        soft = torch.cat(rows)
    return LabeledImages(images, labels, classes, soft)
