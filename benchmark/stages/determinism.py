"""Operations that a device cannot repeat: refused, or on the record by name."""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

WARNING = re.compile(r"(\S.*?) (?:does not have a deterministic implement|defaults to a non-deterministic algorithm)")
"""how torch begins to say that an operation has no deterministic algorithm, or is not computed by it"""

_seen: ContextVar[set[str] | None] = ContextVar("nondeterministic", default=None)


def notes() -> dict[str, list[str]]:
    """For the ``run`` of a record or manifest: ``nondeterministic``, the operations of this stage that a second run
    need not repeat bit by bit; nothing where there were none."""
    return {"nondeterministic": sorted(seen)} if (seen := _seen.get()) else {}


@contextmanager
def deterministic(refuse: bool, device: str) -> Iterator[None]:
    """Ask torch for deterministic algorithms. What has none raises RuntimeError with ``refuse``, else it is noted.

    Attention on a GPU is deterministic under ``refuse`` alone: torch takes the mere warning for a permission.
    """
    import torch

    if device == "cuda":
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # read by cuBLAS when CUDA starts
    before = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    always = torch.is_warn_always_enabled()
    seen: set[str] = set()
    token = _seen.set(seen)
    torch.use_deterministic_algorithms(True, warn_only=not refuse)
    torch.set_warn_always(True)  # torch says some of it once a process, and a process runs many stages
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("always", message=f".*{WARNING.pattern}")
            shown = warnings.showwarning

            def note(message: Warning | str, *rest: Any, **options: Any) -> None:
                found = WARNING.match(str(message))
                if found and found[1] in seen:
                    return
                if found:
                    seen.add(found[1])
                shown(message, *rest, **options)

            warnings.showwarning = note
            yield
    finally:
        torch.set_warn_always(always)
        torch.use_deterministic_algorithms(before[0], warn_only=before[1])
        _seen.reset(token)


def explained(error: BaseException) -> str:
    """What a refused operation means for the user; empty for any other error."""
    found = WARNING.match(str(error)) if isinstance(error, RuntimeError) else None
    if not found:
        return ""
    return (
        f"{found[1]} has no deterministic implementation on this device, so that one key could have two numbers: leave "
        "it out, or say --set nondeterministic=record, which is part of the keys and names it on the record"
    )
