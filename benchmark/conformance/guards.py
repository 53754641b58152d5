"""Guards that detect forbidden actions of a method while it runs: reading data, using the network, bad gradients."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ddbench.data.imagefile import SUFFIXES
from ddbench.types import Dataset

DATA_SUFFIXES = {".arrow", ".bin", ".ckpt", ".csv", ".dat", ".gz", ".h5", ".hdf5", ".json", ".lmdb", ".mat", ".mdb"}
DATA_SUFFIXES |= {".npy", ".npz", ".parquet", ".pickle", ".pkl", ".pt", ".pth", ".safetensors", ".tar", ".tfrecord"}
DATA_SUFFIXES |= {".zip", *SUFFIXES}

PROCESSES = {"subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.spawn"}
WATCHED = {"open", "socket.getaddrinfo", "socket.connect", *PROCESSES}


class Touched(BaseException):
    """A method did something forbidden: what and where. Not an Exception, which the method might catch."""


@contextmanager
def no_data(allowed: Path) -> Iterator[list[str]]:
    """Inside, loading a split of a dataset, opening a data file outside ``allowed``, connecting to another host or
    starting a process raises Touched. Violations are also added to the list, in case the exception is caught or lost in
    a thread.

    Not detected: files that native code opens by itself, and data that was loaded before.
    """
    patched = [(cls, cls.__dict__["load"]) for cls in _below(Dataset) if "load" in cls.__dict__]
    touched: list[str] = []

    def refuse(self: Dataset, split: str, cache: Any = None) -> Any:
        _touch(f"loads the {split} split of {self.name} itself")

    for cls, _ in patched:
        cls.load = refuse  # type: ignore[method-assign]
    _watched.append((allowed, touched))
    if not _hooked:
        sys.addaudithook(_audit)
        _hooked.append(True)
    try:
        yield touched
    finally:
        _watched.pop()
        for cls, load in patched:
            cls.load = load  # type: ignore[method-assign]


_watched: list[tuple[Path, list[str]]] = []
_hooked: list[bool] = []
"""not empty once the audit hook is installed; Python cannot remove one"""


def _audit(event: str, arguments: tuple[Any, ...]) -> None:
    if event not in WATCHED or not _watched or _importing():
        return
    if event == "socket.getaddrinfo" or (event == "socket.connect" and isinstance(arguments[1], tuple)):
        _touch("connects to the network")  # a string would be the path of a local socket
    elif event in PROCESSES:
        if not _by_a_package():  # packages do, to count processors and the like
            _touch("starts another process")
    elif event == "open" and isinstance(arguments[0], str | bytes):
        path = Path(os.fsdecode(arguments[0]))
        if path.suffix.lower() in DATA_SUFFIXES and not _allowed(path):
            _touch(f"opens the file {path.name}")


def _importing() -> bool:
    """Whether a library is being imported, which may open any file."""
    for name in _files():
        if name.startswith("<frozen importlib"):
            return True
        if not _of_a_library(name):
            return False
    return False


def _by_a_package() -> bool:
    """Whether an installed package, and not the method itself, called the standard library."""
    return next((("site-packages" in name) for name in _files() if not _of_python(name)), False)


def _files() -> Iterator[str]:
    """File names of the call stack, innermost first, without this module."""
    frame = sys._getframe(1)
    while frame is not None:
        if frame.f_code.co_filename != __file__:
            yield frame.f_code.co_filename
        frame = frame.f_back  # type: ignore[assignment]


def _of_python(filename: str) -> bool:
    return filename.startswith("<") or ("/lib/python" in filename and "site-packages" not in filename)


def _of_a_library(filename: str) -> bool:
    return "site-packages" in filename or _of_python(filename)


def _allowed(path: Path) -> bool:
    """Whether a file lies in the folder that the method may use, or is an entry of the import path (a zip file)."""
    return str(path) in sys.path or path.absolute().is_relative_to(_watched[-1][0].absolute())


def _touch(what: str) -> None:
    """Record a violation and raise it."""
    violation = f"{what}, at {_line()}"
    _watched[-1][1].append(violation)
    raise Touched(violation)


def _below(base: Any) -> Iterator[type[Dataset]]:
    for cls in base.__subclasses__():
        yield cls
        yield from _below(cls)


def _line() -> str:
    """The innermost line of the call stack outside the harness and libraries, or else the innermost one."""
    frames = [f for f in traceback.extract_stack() if "/benchmark/" not in f.filename]
    own = [f for f in frames if not _of_a_library(f.filename)]
    frame = (own or frames)[-1]
    return f"{Path(frame.filename).name}, line {frame.lineno}"


@contextmanager
def gradients() -> Iterator[dict[str, Any]]:
    """Inside, every optimiser step is inspected. Afterwards the dictionary holds sorted shapes of parameters: ``idle``,
    which never had a gradient, and ``not finite``, whose gradient had a NaN or an infinity."""
    import torch
    from torch.optim.optimizer import register_optimizer_step_pre_hook

    seen: dict[int, torch.nn.Parameter] = {}
    moved: set[int] = set()
    bad: set[tuple[int, ...]] = set()

    def watch(optimiser: torch.optim.Optimizer, *_: Any) -> None:
        for group in optimiser.param_groups:
            for p in group["params"]:
                if not p.requires_grad:
                    continue
                seen[id(p)] = p
                if p.grad is not None:
                    moved.add(id(p))
                    values = p.grad.coalesce().values() if p.grad.is_sparse else p.grad
                    if not torch.isfinite(values).all():
                        bad.add(tuple(p.shape))

    shapes: dict[str, Any] = {}
    handle = register_optimizer_step_pre_hook(watch)
    try:
        yield shapes
    finally:
        handle.remove()
        shapes["idle"] = sorted(tuple(p.shape) for key, p in seen.items() if key not in moved)
        shapes["not finite"] = sorted(bad)
