"""What a method may not do while it runs, watched from outside."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmark.types import Dataset

DATA_SUFFIXES = {".arrow", ".bin", ".bmp", ".csv", ".gz", ".jpeg", ".jpg", ".npy", ".npz", ".parquet", ".pickle"}
DATA_SUFFIXES |= {".pkl", ".png", ".pt", ".pth", ".safetensors", ".tar", ".webp", ".zip"}


class Touched(BaseException):
    """A method did what it may not: what and where. No Exception, which the method might catch and pass over."""


@contextmanager
def no_data(allowed: Path) -> Iterator[None]:
    """Inside, loading a split of any dataset, opening a data file outside ``allowed`` or looking for another host
    raises Touched. Native code that opens files by itself is not seen."""
    patched = [(cls, cls.__dict__["load"]) for cls in _below(Dataset) if "load" in cls.__dict__]

    def refuse(self: Dataset, split: str, cache: Any = None) -> Any:
        raise Touched(f"loads the {split} split of {self.name} itself, at {_line()}")

    for cls, _ in patched:
        cls.load = refuse  # type: ignore[method-assign]
    _watched.append(allowed)
    if not _hooked:
        sys.addaudithook(_audit)
        _hooked.append(True)
    try:
        yield
    finally:
        _watched.pop()
        for cls, load in patched:
            cls.load = load  # type: ignore[method-assign]


_watched: list[Path] = []
_hooked: list[bool] = []
"""not empty once the audit hook is in place: Python has no way to take one out"""


def _audit(event: str, arguments: tuple[Any, ...]) -> None:
    if not _watched:
        return
    if event == "socket.getaddrinfo" or (event == "socket.connect" and isinstance(arguments[1], tuple)):
        raise Touched(f"connects to the network, at {_line()}")
    if event != "open" or not isinstance(arguments[0], str | bytes):
        return
    path = Path(os.fsdecode(arguments[0]))
    if path.suffix.lower() in DATA_SUFFIXES and not path.absolute().is_relative_to(_watched[-1].absolute()):
        raise Touched(f"opens the file {path.name}, at {_line()}")


def _below(base: Any) -> Iterator[type[Dataset]]:
    for cls in base.__subclasses__():
        yield cls
        yield from _below(cls)


def _line() -> str:
    """The line nearest to the data that is neither the harness's nor a library's, or else the nearest."""
    frames = [f for f in traceback.extract_stack() if "/benchmark/" not in f.filename]
    own = [f for f in frames if "site-packages" not in f.filename and "/lib/python" not in f.filename]
    frame = (own or frames)[-1]
    return f"{Path(frame.filename).name}, line {frame.lineno}"


@contextmanager
def gradients() -> Iterator[dict[str, Any]]:
    """Inside, every optimiser step is watched: ``{"idle": ..., "not finite": ...}`` as sets of parameter shapes."""
    import torch
    from torch.optim.optimizer import register_optimizer_step_pre_hook

    seen: dict[int, torch.nn.Parameter] = {}
    moved: set[int] = set()
    bad: set[tuple[int, ...]] = set()

    def watch(optimiser: torch.optim.Optimizer, *_: Any) -> None:
        for group in optimiser.param_groups:
            for p in group["params"]:
                seen[id(p)] = p
                if p.grad is not None:
                    moved.add(id(p))
                    if not torch.isfinite(p.grad).all():
                        bad.add(tuple(p.shape))

    found: dict[str, Any] = {}
    handle = register_optimizer_step_pre_hook(watch)
    try:
        yield found
    finally:
        handle.remove()
        found["idle"] = sorted(tuple(p.shape) for key, p in seen.items() if key not in moved)
        found["not finite"] = sorted(bad)
