"""What a method requires of a cell, and what it knows from outside the train split."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ddbench.images import Shape


@dataclass(frozen=True)
class Needs:
    """What a method requires of a cell. Other cells are skipped, and their records say why."""

    inputs: Literal["images", "latents", "class-conditional prior"] = "images"
    """what the method works on, shown by ``bench info``"""
    ipc: tuple[int, int | None] = (1, None)
    """smallest and largest ipc; None: no upper bound"""
    channels: tuple[int, ...] = ()
    """supported numbers of channels; empty: any"""
    gpu: bool = False
    memory_gib: float = 0.0
    """device memory that ``distill`` uses, without that of the process and its libraries; 0: unknown"""
    knowledge: str = ""
    """information from outside the train split (pretrained networks, other data), named below tables"""

    def unmet(self, shape: Shape, ipc: int, device: str, memory_gib: float | None = None) -> str:
        """Why a cell must be skipped, or empty. ``memory_gib``: what is configured for distill stages, or None."""
        least, most = self.ipc
        if ipc < least or (most is not None and ipc > most):
            bounds = f"{least} or more" if most is None else f"{least} to {most}"
            return f"the method needs an ipc of {bounds}"
        if self.channels and shape[0] not in self.channels:
            return f"the method needs images of {' or '.join(map(str, self.channels))} channels, these have {shape[0]}"
        if self.gpu and device == "cpu":
            return "the method needs a GPU, and the configuration says device: cpu"
        if memory_gib is not None and self.memory_gib > memory_gib:
            given = f"resources.distill.memory_gib is {memory_gib:g}"
            return f"the method needs {self.memory_gib:g} GiB of memory, and {given}"
        return ""
