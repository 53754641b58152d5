"""Capturing a call as a CUDA graph: the one file that knows torch's interface for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import torch

Outputs = Mapping[str, torch.Tensor]
"""small tensors that a step puts out, by name: losses, hits"""


@dataclass(frozen=True)
class Replay:
    """A captured call: ``again()`` repeats its work on the same memory, ``outputs`` then hold the new values."""

    again: Callable[[], None]
    outputs: Outputs


class Graphs(Protocol):
    """What captures calls on a device."""

    def warm(self, call: Callable[[], Outputs]) -> Outputs:
        """Run ``call`` eagerly, where a capture would run it."""

    def capture(self, call: Callable[[], Outputs]) -> Replay:
        """Record ``call`` without running it. Raises RuntimeError where it cannot be recorded, as when it reads a value
        from the device."""


class CudaGraphs:
    """CUDA graphs of one loop, which share a pool of memory: they never run at the same time."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.stream: Any = None
        self.pool: Any = None

    def warm(self, call: Callable[[], Outputs]) -> Outputs:
        """On the stream of the capture, as torch asks: gradients remember the stream that they were first made on."""
        self._choose_stream()
        here = torch.cuda.current_stream(self.device)
        self.stream.wait_stream(here)
        with torch.cuda.stream(self.stream):
            outputs = call()
        here.wait_stream(self.stream)
        return outputs

    def capture(self, call: Callable[[], Outputs]) -> Replay:
        self._choose_stream()
        graph, here = torch.cuda.CUDAGraph(), torch.cuda.current_stream(self.device)
        try:
            # thread_local: the thread that reads ahead may wait for its own copies meanwhile.
            with torch.cuda.graph(graph, pool=self.pool, stream=self.stream, capture_error_mode="thread_local"):
                outputs = call()
        except RuntimeError:
            torch.cuda.set_stream(here)  # the end of a capture that failed raises before it does so
            _end_of_capture(self.device)
            raise
        self.pool = graph.pool()
        return Replay(graph.replay, outputs)

    def _choose_stream(self) -> None:
        """Calls are captured on the thread's own stream, or on another where that is the default one, which cannot be.

        cuBLAS has a work space for each stream, and a graph keeps that of its capture: of threads that replay side by
        side each must have its own.
        """
        if self.stream is None:
            here = torch.cuda.current_stream(self.device)
            default = here == torch.cuda.default_stream(self.device)
            self.stream = torch.cuda.Stream(self.device) if default else here


def _end_of_capture(device: torch.device) -> None:
    """After a capture that failed the device's generator may still count itself captured, and refuse to draw: it gets a
    state of its own again."""
    torch.cuda.synchronize(device)
    generator = torch.cuda.default_generators[device.index or 0]
    generator.graphsafe_set_state(generator.clone_state())
