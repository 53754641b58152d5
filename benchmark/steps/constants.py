"""Small constant tensors, made once a process and device: making one at each call copies it to a card each time."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import torch


def constant(values: Any, device: str | torch.device, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    """``values``, a number or nested tuples of numbers, as a tensor on ``device``. It is shared: do not change it."""
    return _kept(values, torch.device(device), dtype)


@lru_cache(maxsize=256)
def _kept(values: Any, device: torch.device, dtype: torch.dtype) -> torch.Tensor:
    # Made under inference mode it could not take part in a training later.
    with torch.inference_mode(False):
        made = torch.tensor(values, dtype=dtype).to(device)
    if device.type == "cuda" and not torch.cuda.is_current_stream_capturing():
        torch.cuda.current_stream(device).synchronize()  # threads with streams of their own share it
    return made
