"""A method under test: run on a handful of real images in the same way as in a stage."""

from __future__ import annotations

import math
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ddbench.config.addresses import addresses_of
from ddbench.config.values import build, describe
from ddbench.data.sample import Sample
from ddbench.images import LabeledImages
from ddbench.isolation.guard import GENERATORS, guarded
from ddbench.stages.inputs import load_split
from ddbench.types import Dataset, Distiller, Network, StageContext

PER_CLASS = 12
"""real images of a class: few, for speed, but more than the largest ipc that is tried"""
CLASSES = 4


def in_sample(dataset: Dataset) -> Sample:
    """The sample of ``dataset`` as a dataset."""
    return Sample(dataset, CLASSES, PER_CLASS)


def sample_of(dataset: Dataset) -> LabeledImages:
    """The first images of the first classes of the train split of ``dataset``. Raises BenchError."""
    return in_sample(dataset).taken_from(load_split(dataset, "train"))


@dataclass
class MethodUnderTest:
    """``method`` with the train images ``real``; preparations run once and are kept in ``folder``."""

    method: Distiller
    real: LabeledImages
    networks: Mapping[str, Network]
    folder: Path
    """holds scratch folders, caches and saved preparations"""
    logged: dict[str, float] = field(default_factory=dict)
    """name -> the last value that was logged, or the first that was not finite"""
    prepared: dict[tuple[str, ...], Any] = field(default_factory=dict)
    """descriptions of a chain of preparations -> folder of the saved state"""
    changed: list[str] = field(default_factory=list)
    """what it changed of the state of this process, which was put back; generators are checked apart"""
    done: float = 0.0
    """share of the work at hand that is done, as the method reports it"""
    elsewhere: Callable[[int, int], str] = lambda ipc, seed: ""
    """``elsewhere(ipc, seed)``: digest of the set that another process distils"""

    @property
    def most(self) -> int:
        """The largest ipc that is tried."""
        return min(3, int(self.real.labels.bincount().min()))

    def context(self, seed: int, data: str = "") -> StageContext:
        """A context as in a worker. ``data``: digest of the train split, by default that of ``real``."""
        scratch = self.folder / f"scratch-{seed}"
        scratch.mkdir(parents=True, exist_ok=True)
        return StageContext(
            seed=seed,
            data=data or self.real.digest(),
            networks=self.networks,
            log=self._log,
            progress=self._progress,
            cache=self._cache,
            scratch=scratch,
            validation=self.real,
        )

    def _progress(self, done: int, total: int) -> None:
        self.done = done / total if total else 0.0

    def _log(self, values: Mapping[str, float]) -> None:
        for name, value in values.items():
            if math.isfinite(self.logged.get(name, 0.0)):
                self.logged[name] = value

    def _cache(self, name: str, fill: Callable[[Path], None]) -> Path:
        folder = self.folder / "cache" / name
        if not folder.exists():
            folder.mkdir(parents=True)
            fill(folder)
        return folder

    def state(self, seed: int) -> Any:
        """The state of the last preparation for ``seed``; each is saved and loaded again, as between two workers."""
        state, chain = None, self.method.preparations(seed)
        for n, preparation in enumerate(chain, 1):
            key = tuple(str(describe(p)) for p in chain[:n])
            if key not in self.prepared:
                prepared = preparation.run(self.real, None if preparation.apart else state, self.context(0))
                folder = self.folder / f"prepared-{uuid.uuid4().hex}"
                folder.mkdir(parents=True)
                preparation.save(prepared, folder)
                self.prepared[key] = folder
            state = preparation.load(self.prepared[key], state, self.context(0))
        return state

    def distil(
        self, ipc: int = 2, seed: int = 0, real: LabeledImages | None = None, part: bool = False
    ) -> LabeledImages:
        """The distilled set of a copy of the method that has only the fields in ``reads()``, as in a worker.

        ``real``: other train images; with ``part``, those of some classes, cached under the digest of all.
        """
        described = describe(self.method)
        read = {key: described[key] for key in ("type", *self.method.reads())}
        method: Distiller = build(read, addresses_of(self.method))
        data = real.digest() if real and not part else ""
        with deterministic(), guarded(leaving=GENERATORS) as guard:
            try:
                return method.distill(real or self.real, self.state(seed), ipc, self.context(seed, data))
            finally:
                guard.put_back()
                self.changed += guard.changes


@contextmanager
def deterministic() -> Iterator[None]:
    """One thread and deterministic algorithms, as in a stage."""
    import torch

    threads, before = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True, warn_only=True)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        torch.use_deterministic_algorithms(before, warn_only=True)
