"""Draws of many steps made ahead in a thread beside the steps, and moved to the device in one transfer."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch

from ddbench import turns
from ddbench.steps.batch import Batch, Layout, layout_of, row_bytes, write
from ddbench.steps.modes import Mode

Draw = Mapping[str, torch.Tensor]
"""what one step draws: tensors on the CPU, by name"""

BLOCK_STEPS = 64
BLOCK_BYTES = 2**26
"""a block ends with the step that reaches either: a large step is a block of its own"""


@contextmanager
def read_ahead(
    draws: Iterable[Draw], mode: Mode, remember: Callable[[], Any] | None = None
) -> Iterator[Iterator[Batch]]:
    """The batches of ``draws``, on the device, in their order.

    On a card ``draws`` runs in a thread, ahead of the steps: what it draws from must be its own (named generators, not
    the process-wide ones). ``remember`` is called after each draw, in the same thread; its value is the batch's
    ``after``. The state of a generator remembered so is that of the step, however far ahead the reader is. What
    ``draws`` raises is raised where the batch would have come.
    """
    drawn = ((draw, remember() if remember else None) for draw in draws)
    if not mode.ahead:
        yield (Batch({name: t.to(mode.device) for name, t in draw.items()}, after=after) for draw, after in drawn)
        return
    reader = _Reader(drawn, mode.device)
    try:
        yield reader.batches()
    finally:
        reader.close()


@dataclass
class _Block:
    """The draws of several steps in one buffer on the CPU."""

    buffer: torch.Tensor
    layouts: list[Layout] = field(default_factory=list)
    after: list[Any] = field(default_factory=list)
    moved: Any = None
    """a CUDA event after which the buffer may be written again"""


class _Reader:
    """A thread that fills one block while the steps use another."""

    def __init__(self, drawn: Iterator[tuple[Draw, Any]], device: torch.device) -> None:
        self.drawn, self.device = drawn, device
        self.cuda = device.type == "cuda"
        self.filled: queue.Queue[_Block | BaseException | None] = queue.Queue(maxsize=1)
        self.free: queue.Queue[_Block] = queue.Queue()
        for _ in range(2):
            self.free.put(_Block(torch.empty(0, dtype=torch.uint8)))
        self.closed = threading.Event()
        self.thread = threading.Thread(target=self._work, name="draws", daemon=True)
        self.thread.start()

    def batches(self) -> Iterator[Batch]:
        row = torch.empty(0, dtype=torch.uint8, device=self.device)
        while (block := self._next_filled()) is not None:
            if isinstance(block, BaseException):
                raise block
            size = sum(map(row_bytes, block.layouts))
            if len(row) < size:
                row = torch.empty(size, dtype=torch.uint8, device=self.device)
            # Work queued on the device before is done with the former block when this copy begins.
            row[:size].copy_(block.buffer[:size], non_blocking=True)
            if self.cuda:
                block.moved = torch.cuda.Event()
                block.moved.record()
            layouts, after = block.layouts, block.after
            self.free.put(block)
            start = 0
            for layout, remembered in zip(layouts, after, strict=True):
                end = start + row_bytes(layout)
                yield Batch.of_row(row[start:end], layout, remembered)
                start = end

    def _next_filled(self) -> _Block | BaseException | None:
        if self.filled.empty():
            turns.give_way()
        return self.filled.get()

    def close(self) -> None:
        """Stop the thread, wherever it is."""
        self.closed.set()
        while self.thread.is_alive():
            try:
                self.filled.get_nowait()
            except queue.Empty:
                self.thread.join(0.01)

    def _work(self) -> None:
        try:
            if self.cuda:
                torch.cuda.set_device(self.device)
            for part in self._parts():
                if not self._hand_over(self._filled(part)):
                    return
            self._hand_over(None)
        except BaseException as error:  # raised again where the batch is asked for
            self._hand_over(error)

    def _parts(self) -> Iterator[list[tuple[Draw, Any]]]:
        part: list[tuple[Draw, Any]] = []
        size = 0
        for draw, remembered in self.drawn:
            if self.closed.is_set():
                return
            part.append((draw, remembered))
            size += row_bytes(layout_of(draw))
            if len(part) == BLOCK_STEPS or size >= BLOCK_BYTES:
                yield part
                part, size = [], 0
        if part:
            yield part

    def _filled(self, part: list[tuple[Draw, Any]]) -> _Block | None:
        block = self._next_free()
        if block is None:
            return None
        if block.moved is not None:
            block.moved.synchronize()
        layouts = [layout_of(draw) for draw, _ in part]
        size = sum(map(row_bytes, layouts))
        buffer = block.buffer
        if len(buffer) < size:
            buffer = torch.empty(size, dtype=torch.uint8, pin_memory=self.cuda)
        start = 0
        for (draw, _), layout in zip(part, layouts, strict=True):
            end = start + row_bytes(layout)
            write(buffer[start:end], draw, layout)
            start = end
        return _Block(buffer, layouts, [remembered for _, remembered in part])

    def _next_free(self) -> _Block | None:
        while not self.closed.is_set():
            try:
                return self.free.get(timeout=0.1)
            except queue.Empty:
                continue
        return None

    def _hand_over(self, item: _Block | BaseException | None) -> bool:
        """Whether it was taken; not where the steps have ended."""
        while not self.closed.is_set():
            try:
                self.filled.put(item, timeout=0.1)
                return True
            except queue.Full:
                continue
        return False
