"""The card of a stage: which one, how much of its memory, and giving that back.

A worker process runs many stages, which saves 13 to 16 s of imports each time; it keeps its CUDA context. So a stage
chooses its card when it begins, is held to its share of the memory, and leaves none cached at its end.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Mapping, Sequence

from ddbench import turns

CONTEXT_MIB = 1024
"""what a process holds of a card beside torch's tensors: the CUDA context and the work space of its libraries"""


def position(assigned: Sequence[str | int], environment: Mapping[str, str]) -> int | None:
    """The number by which this process knows the first card of ``assigned`` (Ray's ids); None where none is assigned.

    Ray's ids are those in CUDA_VISIBLE_DEVICES, by which the process sees its cards in that order.
    """
    if not assigned:
        return None
    visible = [name.strip() for name in environment.get("CUDA_VISIBLE_DEVICES", "").split(",") if name.strip()]
    first = str(assigned[0])
    if first in visible:
        return visible.index(first)
    return int(first) if not visible and first.isdigit() else 0


def allowed_fraction(share: float, total_mib: float) -> float:
    """The part of a card's memory that torch may allocate in a process that has ``share`` of the card."""
    return max(share - CONTEXT_MIB / total_mib, share / 8) if share < 1 else 1.0


def take(card: int | None, share: float) -> None:
    """Compute on the card ``card`` (None: the current one) from here on, in no more than ``share`` of its memory.

    What torch would allocate beyond that raises OutOfMemoryError, so that stages which share a card cannot take each
    other's memory. A stage that takes turns with others of its process has a stream of its own from here on.
    """
    import torch

    if not torch.cuda.is_available():
        return
    if card is not None:
        torch.cuda.set_device(card)
    if turns.taking():
        torch.cuda.set_stream(torch.cuda.Stream())
    else:
        torch.cuda.reset_peak_memory_stats()
    total = torch.cuda.get_device_properties(torch.cuda.current_device()).total_memory / 2**20
    torch.cuda.set_per_process_memory_fraction(allowed_fraction(min(share, 1.0), total))


def give_back() -> None:
    """Free what this process has cached of a card; nothing where it has used none."""
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        gc.collect()
        torch.cuda.empty_cache()
