"""Stored labels of a distilled set in the store: a safetensors file for each epoch."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path

from ddbench.stored_labels import StoredBatch, StoredLabels

FOLDER, ABOUT = "labels", "labels.json"


def save_stored(labels: StoredLabels, folder: Path) -> None:
    """Write ``labels`` into the sub-folder ``labels`` of ``folder``, one epoch at a time."""
    import torch
    from safetensors.torch import save_file

    into = folder / FOLDER
    into.mkdir()
    for epoch in range(labels.epochs):
        batches = labels.epoch(epoch)
        tensors = {
            name: torch.cat([getattr(batch, name) for batch in batches])
            for name in ("index", "crops", "flips", "outputs", *(("partners",) if labels.mixed else ()))
        }
        if labels.mixed:
            tensors["boxes"] = torch.stack([batch.box for batch in batches if batch.box is not None])
        save_file(tensors, into / _name(epoch))
    about = {f.name: getattr(labels, f.name) for f in dataclasses.fields(labels) if f.name != "epoch"}
    (into / ABOUT).write_text(json.dumps(about, indent=1))


def load_stored(folder: Path) -> StoredLabels | None:
    """The labels that ``save_stored`` wrote into ``folder``; None where there are none. Epochs are read when asked."""
    about = folder / FOLDER / ABOUT
    if not about.exists():
        return None
    told = json.loads(about.read_text())
    batch = int(told["batch"])

    def read(epoch: int) -> Sequence[StoredBatch]:
        from safetensors.torch import load_file

        tensors = load_file(folder / FOLDER / _name(epoch))
        boxes = tensors.pop("boxes", None)
        parts = zip(*(tensor.split(batch) for tensor in tensors.values()), strict=True)
        return [
            StoredBatch(**dict(zip(tensors, part, strict=True)), box=None if boxes is None else boxes[i])
            for i, part in enumerate(parts)
        ]

    return StoredLabels(**told, epoch=read)


def _name(epoch: int) -> str:
    return f"epoch_{epoch:05d}.safetensors"
