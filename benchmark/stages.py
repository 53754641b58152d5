"""Running one stage: the same function under every executor, in this process or on another machine.

It reads the task and its parents' artifacts, and writes an artifact or, for the evaluate stage, a record.
"""

from __future__ import annotations

import json
import os
import resource
import time
import traceback
import uuid
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmark.allocator import keep_freed_memory
from benchmark.errors import CorruptArtifact, InvalidOutput
from benchmark.keys import digest
from benchmark.provenance import provenance
from benchmark.store import Store
from benchmark.types import (
    Cell,
    Dataset,
    DistilledSet,
    Distiller,
    LabeledImages,
    Outcome,
    Preparation,
    Record,
    StageContext,
)
from benchmark.values import build

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmark.plan import Stage

IMAGES_FILE = "images.safetensors"


@dataclass(frozen=True)
class StageResult:
    """How one stage went. ``corrupt`` is (kind, key, reason) of a parent that must be made again first."""

    outcome: Outcome
    reason: str = ""
    seconds: float = 0.0
    corrupt: tuple[Any, ...] | None = None
    traceback: str = ""


@dataclass
class _Cost:
    seconds: float = 0.0
    log: dict[str, float] = field(default_factory=dict)


def run_stage(stage: Stage, root: str) -> StageResult:
    """Run ``stage`` in the store at ``root``. Whatever goes wrong is returned, not raised, but for an interrupt."""
    started, store = time.perf_counter(), Store(Path(root))
    run = {"shard": _distill, "distill": _distill, "evaluate": _evaluate}.get(stage.kind, _prepare)
    try:
        with _environment(stage):
            run(stage, store)
        result = StageResult("ok")
    except CorruptArtifact as error:
        result = StageResult("failed", reason=str(error), corrupt=error.args)
    except Exception as error:
        result = StageResult(_classify(error), reason=_one_line(error), traceback=traceback.format_exc())
    return replace(result, seconds=time.perf_counter() - started)


def load_distilled(store: Store, key: str, kind: str = "distill") -> LabeledImages:
    """The distilled set at ``key``, or the ``shard`` of one. Raises CorruptArtifact."""
    from safetensors import safe_open

    with safe_open(store.read(kind, key) / IMAGES_FILE, framework="pt") as file:
        classes = tuple(json.loads(file.metadata()["classes"]))
        return LabeledImages(images=file.get_tensor("images"), labels=file.get_tensor("labels"), classes=classes)


def lineage(store: Store, distilled: str) -> dict[str, dict[str, Any]]:
    """The manifests of a distilled set and of the preparations that it rests on, by kind of stage, itself last.

    Raises CorruptArtifact.
    """
    manifest = store.manifest("distill", distilled)
    chain = zip(manifest["task"]["state"], manifest["task"]["chain"], strict=True)
    prepared = {(kind := build(_plain(described)).stage): store.manifest(kind, key) for described, key in chain}
    return {**prepared, "distill": manifest}


def _prepare(stage: Stage, store: Store) -> None:
    task = stage.task
    preparation: Preparation = build(_plain(task["preparation"]))
    cost, context = _context(stage, store, seed=0)
    before = _load_state(store, task["before"], stage.parents, context)
    real = _dataset(stage).load("train", store.cache)
    with _timed(cost):
        state = preparation.run(real, before, context)
    store.write(stage.kind, stage.key, lambda folder: preparation.save(state, folder), _about(stage, cost))
    store.clear_scratch(stage.key)


def _distill(stage: Stage, store: Store) -> None:
    task = stage.task
    cost, context = _context(stage, store, seed=task["seed"])
    real = _dataset(stage).load("train", store.cache)
    if stage.kind == "shard":
        real = _only(real, task["classes"])
    if stage.kind == "distill" and list(stage.parents) != task["chain"]:
        made = _merge(store, stage.parents, real.classes)
        cost.seconds = sum(store.manifest("shard", key)["run"]["seconds"] for key in stage.parents)
    else:
        method: Distiller = build(_plain(task["method"]))
        state = _load_state(store, task["state"], stage.parents, context)
        with _timed(cost):
            made = method.distill(real, state, task["ipc"], context)
    _check(made, real, task["ipc"])

    def fill(folder: Path) -> None:
        from safetensors.torch import save_file

        tensors = {"images": made.images.contiguous(), "labels": made.labels.contiguous()}
        save_file(tensors, folder / IMAGES_FILE, metadata={"classes": json.dumps(made.classes)})

    store.write(stage.kind, stage.key, fill, _about(stage, cost))
    store.clear_scratch(stage.key)


def _only(real: LabeledImages, classes: list[str]) -> LabeledImages:
    """The images of some classes, labelled along them."""
    import torch

    position = torch.tensor([classes.index(name) if name in classes else -1 for name in real.classes])
    labels = position[real.labels]
    kept = (labels >= 0).nonzero()[:, 0]
    return LabeledImages(images=real.images[kept], labels=labels[kept], classes=tuple(classes))


def _merge(store: Store, shards: tuple[str, ...], classes: tuple[str, ...]) -> LabeledImages:
    """The shards of a distilled set as one, ordered by class."""
    import torch

    parts = [load_distilled(store, key, "shard") for key in shards]
    labels = [torch.tensor([classes.index(name) for name in part.classes])[part.labels] for part in parts]
    return LabeledImages(images=torch.cat([part.images for part in parts]), labels=torch.cat(labels), classes=classes)


def _evaluate(stage: Stage, store: Store) -> None:
    import numpy as np

    task = stage.task
    cell = Cell(**task["cell"])
    started = datetime.now(UTC)
    distilled = load_distilled(store, stage.parents[0])
    judged = _dataset(stage).load(task["split"], store.cache)
    cost, context = _context(stage, store, seed=cell.eval_seed)
    rests_on = lineage(store, stage.parents[0])
    seconds = {kind: manifest["run"]["seconds"] for kind, manifest in rests_on.items()}
    with _timed(cost):
        evaluation = build(_plain(task["protocol"])).evaluate(
            distilled, judged, build(_plain(task["network"])), context
        )
    store.write_record(
        Record(
            key=stage.key,
            cell=cell,
            outcome="ok",
            curve=evaluation.curve,
            correct=np.packbits(np.asarray(evaluation.correct, dtype=bool)).tobytes().hex(),
            n_images=len(evaluation.correct),
            config={**{kind: manifest["task"] for kind, manifest in rests_on.items()}, "evaluate": task},
            run={**_attempt(started), "seconds": {**seconds, "evaluate": cost.seconds}, "log": cost.log},
        )
    )


def failed_record(stage: Stage, outcome: Outcome, reason: str) -> Record:
    """The record of a cell whose evaluation, or a stage before it, did not succeed."""
    return Record(
        key=stage.key,
        cell=Cell(**stage.task["cell"]),
        outcome=outcome,
        reason=reason,
        config={"evaluate": stage.task},
        run=_attempt(datetime.now(UTC)),
    )


def _check(made: LabeledImages, real: LabeledImages, ipc: int) -> None:
    """Raises InvalidOutput when what a method returned is not a distilled set of ``real``."""
    if not isinstance(made, LabeledImages):
        raise InvalidOutput(f"the method returned a {type(made).__name__}, not LabeledImages")
    if made.classes != real.classes:
        raise InvalidOutput("the method returned other classes, or another order of them, than the dataset's")
    if made.shape != real.shape:
        raise InvalidOutput(f"the method returned images of shape {made.shape}, the dataset's are {real.shape}")
    DistilledSet(made, ipc)


def _load_state(store: Store, chain: list[dict[str, Any]], keys: tuple[str, ...], context: StageContext) -> Any:
    """The state of the last of a chain of preparations, each loaded on top of the one before; None for no chain."""
    state = None
    for described, key in zip(chain, keys, strict=True):
        preparation: Preparation = build(_plain(described))
        state = preparation.load(store.read(preparation.stage, key), state, context)
    return state


def _dataset(stage: Stage) -> Dataset:
    described = _plain(stage.task["dataset"])
    return build({k: v for k, v in described.items() if k not in {"name", "fingerprint"}} | stage.location)


def _plain(described: dict[str, Any]) -> dict[str, Any]:
    """A described value without the digest of its code, which is there for the key."""
    return {k: v for k, v in described.items() if k != "code"}


def _context(stage: Stage, store: Store, seed: int) -> tuple[_Cost, StageContext]:
    cost = _Cost()
    networks = {name: build(_plain(described)) for name, described in stage.task.get("networks", {}).items()}
    context = StageContext(
        seed=seed,
        device=stage.task["device"],
        data=digest(stage.task["dataset"]),
        networks=networks,
        log=cost.log.update,
        progress=store.progress(stage.key),
        cache=store.cache,
        scratch=store.scratch(stage.key),
    )
    return cost, context


@contextmanager
def _timed(cost: _Cost) -> Iterator[None]:
    started = time.perf_counter()
    yield
    cost.seconds = time.perf_counter() - started


@contextmanager
def _environment(stage: Stage) -> Iterator[None]:
    """Threads and determinism as the task says; what was set before is put back."""
    import torch

    keep_freed_memory()
    threads, deterministic = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    torch.set_num_threads(stage.threads)
    torch.use_deterministic_algorithms(True, warn_only=True)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        torch.use_deterministic_algorithms(deterministic)


def _about(stage: Stage, cost: _Cost) -> dict[str, Any]:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    run = {"seconds": cost.seconds, "process_peak_mib": round(peak), "provenance": provenance()}
    return {"task": stage.task, "log": cost.log, "run": run}


def _attempt(started: datetime) -> dict[str, Any]:
    return {
        "attempt": uuid.uuid4().hex,
        "started": started.isoformat(),
        "finished": datetime.now(UTC).isoformat(),
        "process": os.getpid(),
        "provenance": provenance(),
    }


def _classify(error: Exception) -> Outcome:
    import torch

    if isinstance(error, InvalidOutput):
        return "invalid_output"
    if isinstance(error, MemoryError | torch.cuda.OutOfMemoryError):
        return "out_of_memory"
    return "failed"


def _one_line(error: Exception) -> str:
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
