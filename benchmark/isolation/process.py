"""The state of the process that a stage has made its own, kept while other stages of the process have their turns."""

from __future__ import annotations

import contextlib
import os
import sys
import warnings
from typing import Any

from ddbench.isolation import imports
from ddbench.isolation.guard import SETTINGS
from ddbench.isolation.libraries import GPUS

FILTERS = "warnings filters"
SWAPPED = tuple(
    setting
    for setting in SETTINGS
    if setting.name == FILTERS or not (setting.by_imports or setting.by_thread or setting.name == GPUS)
)
"""what each stage has of its own. Of what libraries set up while they are imported they all have one; generators of
GPUs are exchanged, not read"""
OUTPUTS = (1, 2)
"""descriptors of what a process prints"""


class ProcessState:
    """Settings of Python, torch and numpy, generators, and where output goes, as noted last."""

    def __init__(self) -> None:
        self._values: dict[str, Any] = {}
        self._generators: list[Any] = []
        self._streams: tuple[Any, Any] = sys.stdout, sys.stderr
        self._showwarning = warnings.showwarning
        self._outputs = {number: os.dup(number) for number in OUTPUTS}
        self.leave()

    def another(self) -> ProcessState:
        """The state of the process as it is now, to be changed by a stage of its own."""
        other = ProcessState()
        # A graph reads its seed from the state that its generator had at the capture: two may not share one.
        other._generators = [generator.clone_state() for generator in _generators()]
        return other

    def leave(self) -> None:
        """Note the state of the process."""
        _flush()
        self._values = {s.name: s.read() for s in SWAPPED if not s.library or imports.ready(s.library)}
        self._generators = [generator.graphsafe_get_state() for generator in _generators()]
        self._streams, self._showwarning = (sys.stdout, sys.stderr), warnings.showwarning
        for number, kept in self._outputs.items():
            os.dup2(number, kept)

    def enter(self, last: ProcessState) -> None:
        """Put the process into the state noted; ``last``: its state now."""
        for number, kept in self._outputs.items():
            os.dup2(kept, number)
        (sys.stdout, sys.stderr), warnings.showwarning = self._streams, self._showwarning
        for setting in SWAPPED:
            if setting.name in self._values and self._values[setting.name] != last._values.get(setting.name):
                setting.restore(self._values[setting.name])
        for generator, state in zip(_generators(), self._generators, strict=False):
            generator.graphsafe_set_state(state)

    def close(self) -> None:
        for kept in self._outputs.values():
            os.close(kept)
        self._outputs = {}


def _generators() -> tuple[Any, ...]:
    """The generators of the GPUs; none while CUDA is not in use."""
    torch = sys.modules.get("torch")
    return tuple(torch.cuda.default_generators) if torch is not None and torch.cuda.is_initialized() else ()


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
