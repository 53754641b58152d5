"""Running one stage: the same function for every executor, in this process or on another machine.

It reads the task and the artifacts of its parents, and writes an artifact or, for the evaluate stage, a record.
"""

from __future__ import annotations

import time
import traceback
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ddbench.config.values import build, plain
from ddbench.errors import CorruptArtifact, InvalidOutput
from ddbench.isolation import around, guard, harness
from ddbench.plan.lineage import lineage
from ddbench.plugins.files import load_plugins
from ddbench.plugins.loaded import changes_at_import
from ddbench.plugins.registry import PACKAGE
from ddbench.stages import attempt
from ddbench.stages.allocator import keep_freed_memory
from ddbench.stages.attempt import Attempt
from ddbench.stages.inputs import StageCost, about, context_of, dataset_of, judged_view, load_split, load_state, timed
from ddbench.stages.provenance import provenance
from ddbench.stages.shift import measure_shift
from ddbench.store.distilled import (
    check_distilled,
    load_distilled,
    merge_shards,
    only_classes,
    save_distilled,
)
from ddbench.store.folder import Store
from ddbench.store.opening import store_at
from ddbench.types import (
    Cell,
    Dataset,
    Distiller,
    Evaluation,
    LabeledImages,
    Outcome,
    Preparation,
    Record,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ddbench.plan.graph import Stage


@dataclass(frozen=True)
class StageResult:
    """The result of one stage.

    corrupt: (kind, key, reason) of a damaged parent that must be made again first; lost: whether its worker or machine
    went away, so that the stage may be tried again; record: file name of the record that it wrote, if any; changed: the
    process-wide state that it changed, as text, which was put back.
    """

    outcome: Outcome
    reason: str = ""
    seconds: float = 0.0
    corrupt: tuple[Any, ...] | None = None
    traceback: str = ""
    lost: bool = False
    record: str = ""
    changed: tuple[str, ...] = ()


def run_stage(stage: Stage, root: str, trial: Attempt | None = None) -> StageResult:
    """Run ``stage`` in the store at ``root``. Errors are returned in the result; only an interrupt is raised."""
    if "skipped" in stage.task:
        return StageResult("skipped", reason=stage.task["skipped"])
    started, store = time.perf_counter(), store_at(root)
    run = {"shard": _distill, "distill": _distill, "evaluate": _evaluate, "shift": measure_shift}.get(
        stage.kind, _prepare
    )
    changed: list[str] = []
    try:
        whose = plugins_of(stage)
        if whose:
            harness.import_harness()  # before any plug-in, so that what one replaces is seen
        load_plugins(stage.plugins)
        changed += changes_at_import() if stage.plugins else []
        title = f"{stage.kind} {stage.label}"
        # ``_environment`` imports torch before the log begins, so that a timeout does not count the import.
        log = attempt.under_way(store.root, stage.key, trial or Attempt(), title)
        with _environment(stage), around.stage(whose, changed), log:
            _check_gpu(stage)
            written = run(stage, store)
        result = StageResult("ok", record=written or "")
    except CorruptArtifact as error:
        result = StageResult("failed", reason=str(error), corrupt=error.args)
    except (Exception, SystemExit) as error:
        result = StageResult(_classify(error), reason=_one_line(error), traceback=traceback.format_exc())
    return replace(result, seconds=time.perf_counter() - started, changed=tuple(changed))


def plugins_of(stage: Stage) -> str:
    """The plug-ins whose code a stage may run, as text: files, and packages beside the harness; empty for none."""
    files = [f"the plug-in {Path(path).name}" for path in stage.plugins]
    modules = dict.fromkeys(address.partition(".")[0].partition(":")[0] for address in stage.addresses.values())
    stems = {Path(path).stem for path in stage.plugins}
    packages = [f"the package {top}" for top in modules if top != PACKAGE and top not in stems]
    return " or ".join([*files, *packages])


def _check_gpu(stage: Stage) -> None:
    """Raises MemoryError, before any work, when the method declares more memory than the GPU has."""
    import torch

    if stage.task["device"] == "cuda" and stage.memory_gib:
        available = torch.cuda.get_device_properties(0).total_memory / 2**30
        if stage.memory_gib > available:
            raise MemoryError(
                f"the method declares {stage.memory_gib:g} GiB of GPU memory, this GPU has {available:.3g}"
            )


def _write_set(store: Store, stage: Stage, images: LabeledImages, cost: StageCost) -> None:
    store.write(stage.kind, stage.key, lambda folder: save_distilled(images, folder), about(stage, cost))
    store.clear_scratch(stage.key)


def _prepare(stage: Stage, store: Store) -> None:
    task = stage.task
    preparation: Preparation = build(plain(task["preparation"]), stage.addresses)
    cost, context = context_of(stage, store, seed=0)
    before = load_state(store, task["before"], stage.parents, context, stage.addresses)
    real = load_split(dataset_of(stage), "train", store.cache)
    with timed(cost):
        state = preparation.run(real, before, context)

    manifest = about(stage, cost)

    def save(folder: Path) -> None:
        preparation.save(state, folder)
        around.settle()
        manifest["run"] |= attempt.notes()

    store.write(stage.kind, stage.key, save, manifest)
    store.clear_scratch(stage.key)


def _distill(stage: Stage, store: Store) -> None:
    task = stage.task
    cost, context = context_of(stage, store, seed=task["seed"])
    real = load_split(dataset_of(stage), "train", store.cache)
    if stage.kind == "shard":
        real = only_classes(real, task["classes"])
    if stage.kind == "distill" and list(stage.parents) != task["chain"]:
        images = merge_shards(store, stage.parents, real.classes)
        cost.seconds = sum(store.manifest("shard", key)["run"]["seconds"] for key in stage.parents)
    else:
        method: Distiller = build(plain(task["method"]), stage.addresses)
        state = load_state(store, task["state"], stage.parents, context, stage.addresses)
        with timed(cost):
            images = method.distill(real, state, task["ipc"], context)
    check_distilled(images, real.classes, real.shape, task["ipc"])
    _write_set(store, stage, images, cost)


def write_external(store: Store, stage: Stage, images: LabeledImages, dataset: Dataset) -> None:
    """Write images that other code made into the store, as the artifact of the distill stage ``stage``.

    Raises InvalidOutput when they are not a distilled set of ``dataset``.
    """
    check_distilled(images, dataset.classes, dataset.shape, stage.task["ipc"])
    _write_set(store, stage, images, StageCost())


def _evaluate(stage: Stage, store: Store) -> str:
    import numpy as np

    task = stage.task
    cell = Cell(**task["cell"])
    started = datetime.now(UTC)
    dataset = dataset_of(stage)
    manifests: dict[str, dict[str, Any]] = {}
    if stage.parents:
        trained_on, manifests = load_distilled(store, stage.parents[0]), lineage(store, stage.parents[0])
    else:
        trained_on = load_split(dataset, "train", store.cache)
    view = judged_view(stage)
    judged = load_split(dataset, task["judged"]["split"], store.cache, view)
    cost, context = context_of(stage, store, seed=cell.eval_seed)
    context = replace(context, judged_view=view)
    seconds = {kind: manifest["run"]["seconds"] for kind, manifest in manifests.items()}
    addresses = {name: place for manifest in manifests.values() for name, place in manifest["addresses"].items()}
    with timed(cost):
        network = build(plain(task["network"]), stage.addresses)
        evaluation = build(plain(task["protocol"]), stage.addresses).evaluate(trained_on, judged, network, context)
    _check_evaluation(evaluation, len(judged))
    return store.write_record(
        Record(
            key=stage.key,
            cell=cell,
            outcome="ok",
            curve=evaluation.curve,
            correct=np.packbits(np.asarray(evaluation.correct, dtype=bool)).tobytes().hex(),
            n_images=len(evaluation.correct),
            config={**{kind: manifest["task"] for kind, manifest in manifests.items()}, "evaluate": task},
            run={
                **_run(started),
                "addresses": {**addresses, **stage.addresses},
                "seconds": {**seconds, "evaluate": cost.seconds},
                "changed_state": _changed(manifests),
                "log": cost.log,
            },
        )
    )


def _changed(manifests: dict[str, dict[str, Any]]) -> dict[str, list[str]]:
    """Stage -> the process-wide state that it changed, for the stages behind a record that changed some."""
    by_stage = {kind: manifest["run"].get("changed_state", []) for kind, manifest in manifests.items()}
    return {kind: changes for kind, changes in {**by_stage, "evaluate": guard.changes()}.items() if changes}


def _check_evaluation(evaluation: Evaluation, judged: int) -> None:
    """Raises InvalidOutput when curve and correctness, for ``judged`` images, are invalid or contradict each other."""
    curve, correct = evaluation.curve, evaluation.correct
    wrong = [(epoch, accuracy) for epoch, accuracy in curve if not 0 <= accuracy <= 1]  # true of NaN as well
    if wrong or not curve:
        what = f"the accuracy {wrong[0][1]} at epoch {wrong[0][0]}" if wrong else "no accuracy"
        raise InvalidOutput(f"the protocol returned {what}; an accuracy is a fraction from 0 to 1")
    epochs = [epoch for epoch, _ in curve]
    if epochs != sorted(set(epochs)):
        raise InvalidOutput(f"the protocol returned a curve whose epochs do not rise: {epochs}")
    if len(correct) != judged:
        raise InvalidOutput(f"the protocol said of {len(correct)} images whether it was right, and there are {judged}")
    if abs(sum(correct) / judged - curve[-1][1]) > 1e-6:
        right = f"{sum(correct)} of {judged} images right"
        raise InvalidOutput(f"the protocol returned {right} and, at the last epoch, the accuracy {curve[-1][1]}")


def failed_record(stage: Stage, outcome: Outcome, reason: str, tried: dict[str, Any]) -> Record:
    """The record of a cell whose evaluation or a stage before it failed; ``tried``: that attempt as JSON."""
    return Record(
        key=stage.key,
        cell=Cell(**stage.task["cell"]),
        outcome=outcome,
        reason=reason,
        config={"evaluate": stage.task},
        run={**_run(datetime.now(UTC)), "addresses": stage.addresses, **tried},
    )


@contextmanager
def _environment(stage: Stage) -> Iterator[None]:
    """Set threads and determinism as the task says; restore both afterwards."""
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


def _run(started: datetime) -> dict[str, Any]:
    when = {"started": started.isoformat(), "finished": datetime.now(UTC).isoformat()}
    return {**when, **attempt.notes(), "provenance": provenance()}


def _classify(error: BaseException) -> Outcome:
    import torch

    if isinstance(error, InvalidOutput):
        return "invalid_output"
    if isinstance(error, MemoryError | torch.cuda.OutOfMemoryError):
        return "out_of_memory"
    return "failed"


def _one_line(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
