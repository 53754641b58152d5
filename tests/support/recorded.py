"""Graphs on a CPU, for tests: a capture records the operations of a call, a replay repeats them on the same memory.

Like a CUDA graph, a recording knows tensors and nothing else: numbers of Python are those of the capture, a value that
is read from a tensor ends the capture, and captured work has no effect until it is replayed.
"""

import contextlib

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from ddbench import steps
from ddbench.steps.graphs import Replay

READS = {"aten::_local_scalar_dense", "aten::nonzero", "aten::masked_select", "aten::lift_fresh", "aten::_unique2"}
"""operations that a card refuses in a capture: a value comes from the device, or a constant goes to it"""

UNDECLARED = {"aten::native_batch_norm"}
"""operations that change tensors, here running statistics, and do not say so"""


def storages(values):
    return {t.untyped_storage().data_ptr() for t in tree_leaves(values) if isinstance(t, torch.Tensor)}


class Recorder(TorchDispatchMode):
    def __init__(self):
        super().__init__()
        self.operations, self.before, self.kept = [], {}, []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if func._schema.name in READS:
            raise RuntimeError(f"{func._schema.name} is not permitted when stream is capturing")
        changes = func._schema.is_mutable or func._schema.name in UNDECLARED
        if changes:
            self.remember([args, kwargs])
        found = func(*args, **kwargs)
        self.kept.append(found)
        known = storages([args, kwargs])
        made = [t for t in tree_leaves(found) if isinstance(t, torch.Tensor) and storages(t) - known]
        if changes or made:
            self.operations.append((func, args, kwargs, tree_leaves(found), made))
        return found

    def remember(self, values):
        for t in tree_leaves(values):
            if isinstance(t, torch.Tensor):
                storage = t.untyped_storage()
                self.before.setdefault(storage.data_ptr(), (storage, storage.clone()))

    def undo(self):
        for storage, content in self.before.values():
            storage.copy_(content)

    def again(self):
        with torch.no_grad():
            for func, args, kwargs, found, made in self.operations:
                now = tree_leaves(func(*args, **kwargs))
                for old, new in zip(found, now, strict=True):
                    if any(old is t for t in made):
                        old.copy_(new)


class Recordings:
    """``Graphs`` for a CPU; counts what happens."""

    def __init__(self, refuse=False):
        self.refuse, self.warm_ups, self.captures, self.replays = refuse, 0, 0, 0

    def warm(self, call):
        self.warm_ups += 1
        return call()

    def capture(self, call):
        if self.refuse:
            raise RuntimeError("no capture here")
        recorder = Recorder()
        try:
            with recorder:
                outputs = {name: value.detach() for name, value in call().items()}
        finally:
            recorder.undo()
        self.captures += 1

        def again():
            self.replays += 1
            recorder.again()

        return Replay(again, outputs)


@contextlib.contextmanager
def card(monkeypatch, refuse=False, kept=5):
    """Inside, loops on the CPU run as on a card; gives the recordings."""
    recordings = Recordings(refuse)

    def mode(device, graphs=True):
        return steps.Mode(torch.device(device), recordings if graphs else None, ahead=True, kept=kept, apart=True)

    with monkeypatch.context() as patch:
        patch.setattr(steps, "mode", mode)
        yield recordings
