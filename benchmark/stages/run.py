"""Running one stage: the same function for every executor, in this process or on another machine.

It reads the task and the artifacts of its parents, and writes an artifact or, for the evaluate stage, a record.
"""

from __future__ import annotations

import time
import traceback
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ddbench import seeding, turns
from ddbench.computing import compiler
from ddbench.errors import CorruptArtifact, InvalidOutput
from ddbench.hyperparameters import Compilation
from ddbench.isolation import around, harness
from ddbench.plugins.files import load_plugins
from ddbench.plugins.loaded import changes_at_import
from ddbench.plugins.registry import PACKAGE
from ddbench.stages import attempt, determinism
from ddbench.stages.allocator import keep_freed_memory
from ddbench.stages.attempt import Attempt
from ddbench.stages.copies import CopiesJudged
from ddbench.stages.data import check_data
from ddbench.stages.evaluate import evaluate
from ddbench.stages.gpu import give_back, take
from ddbench.stages.hardware import compiles
from ddbench.stages.inputs import StageCost, about, context_of, dataset_of, load_split, load_state, timed
from ddbench.stages.shift import measure_shift
from ddbench.stages.smaller import OutOfMemory, halves, part_of, second_try
from ddbench.store.distilled import (
    check_distilled,
    merge_shards,
    only_classes,
    save_distilled,
)
from ddbench.store.folder import Store
from ddbench.store.opening import store_at
from ddbench.types import (
    Dataset,
    Distiller,
    LabeledImages,
    Outcome,
    Preparation,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

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
    about: dict[str, Any] = field(default_factory=dict)
    """what a failed stage found, for the ``run`` of its record"""
    said: str = ""
    """what the user is told of it besides its outcome"""
    gpu_mib: float | None = None
    """peak of the memory that it allocated on a card, MiB; None: it used none, or ran beside others"""


def run_stage(stage: Stage, root: str, trial: Attempt | None = None) -> StageResult:
    """Run ``stage`` in the store at ``root``. Errors are returned in the result; only an interrupt is raised."""
    if "skipped" in stage.task:
        return StageResult("skipped", reason=stage.task["skipped"])
    started, store = time.perf_counter(), store_at(root)
    trial = trial or Attempt()
    changed: list[str] = []
    short: list[OutOfMemory] = []
    try:
        whose = plugins_of(stage)
        if whose:
            harness.import_harness()  # before any plug-in, so that what one replaces is seen
        load_plugins(stage.plugins)
        changed += changes_at_import() if stage.plugins else []
        title = f"{stage.kind} {stage.label}"
        # ``_environment`` imports torch before the log begins, so that a timeout does not count the import.
        log = attempt.under_way(store.root, stage.key, trial, title)
        # The stream is the outer one: between the parts of a stage the generators are put back to its beginning.
        with _environment(stage), seeding.seeded(*_unnamed(stage)), around.stage(whose, changed), log:
            _take_card(stage, trial)
            written = _run(stage, store, short)
        alone = attempt.peaks() if trial.together == 1 else {}
        result = StageResult("ok", record=written or "", gpu_mib=alone.get("peak_gpu_mib"))
    except CorruptArtifact as error:
        result = StageResult("failed", reason=str(error), corrupt=error.args)
    except CopiesJudged as error:
        result = StageResult("failed", str(error), about={"copies": error.copies.to_json()})
    except (Exception, SystemExit) as error:
        outcome, reason = _classify(error), _one_line(error)
        about = {"out_of_memory": [one.to_json() for one in short]} if short else {}
        if outcome == "out_of_memory" and short:
            reason = f"{reason} ({'; then '.join(map(str, short))})"
        result = StageResult(outcome, reason=reason, traceback=traceback.format_exc(), about=about)
    give_back()
    said = str(short[0]) if short and short[0].halved else ""
    return replace(result, seconds=time.perf_counter() - started, changed=tuple(changed), said=said)


def _run(stage: Stage, store: Store, short: list[OutOfMemory]) -> str | None:
    """Run a stage, once more with half of its micro-batches where it runs out of memory; ``short`` is told of both."""
    run = RUN.get(stage.kind, _prepare)
    try:
        return run(stage, store)
    except _out_of_memory() as error:
        short.append(OutOfMemory(" ".join(str(error).split()), attempt.peaks(), halves(stage)))
        traceback.print_exc()
    if not short[0].halved or turns.taking():  # alone it may have memory enough
        raise _out_of_memory()(short[0].reason)
    print(short[0])
    attempt.note(out_of_memory=[short[0].to_json()])
    around.settle()
    give_back()
    attempt.measure_from_here()
    try:
        with second_try():
            return run(stage, store)
    except _out_of_memory() as error:
        short.append(OutOfMemory(" ".join(str(error).split()), attempt.peaks()))
        raise


def _out_of_memory() -> type[RuntimeError]:
    """What torch raises where a device has no memory left."""
    import torch

    return torch.OutOfMemoryError


def _take_card(stage: Stage, trial: Attempt) -> None:
    if stage.task["device"] == "cuda":
        take(trial.card, trial.share)
        _check_gpu(stage)


def plugins_of(stage: Stage) -> str:
    """The plug-ins whose code a stage may run, as text: files, and packages beside the harness; empty for none."""
    files = [f"the plug-in {Path(path).name}" for path in stage.plugins]
    modules = dict.fromkeys(address.partition(".")[0].partition(":")[0] for address in stage.addresses.values())
    stems = {Path(path).stem for path in stage.plugins}
    packages = [f"the package {top}" for top in modules if top != PACKAGE and top not in stems]
    return " or ".join([*files, *packages])


def _unnamed(stage: Stage) -> tuple[str | int, ...]:
    """The stream of what a stage draws from the process without a name of its own: its kind and its seed."""
    seed = stage.task.get("seed", stage.task.get("cell", {}).get("eval_seed", 0))
    return "stage", stage.kind, seed


def _check_gpu(stage: Stage) -> None:
    """Raises MemoryError, before any work, when the method declares more memory than the GPU has."""
    import torch

    if stage.memory_gib:
        available = torch.cuda.get_device_properties(torch.cuda.current_device()).total_memory / 2**30
        if stage.memory_gib > available:
            raise MemoryError(
                f"the method declares {stage.memory_gib:g} GiB of GPU memory, this GPU has {available:.3g}"
            )


def _write_set(store: Store, stage: Stage, images: LabeledImages, cost: StageCost) -> None:
    store.write(stage.kind, stage.key, lambda folder: save_distilled(images, folder), about(stage, cost))
    store.clear_scratch(stage.key)


def _prepare(stage: Stage, store: Store) -> None:
    task = stage.task
    preparation: Preparation = part_of(stage, "preparation")
    cost, context = context_of(stage, store, seed=0)
    before = load_state(store, task["before"], stage.parents, context, stage.addresses)
    real = load_split(dataset_of(stage), "train", store.cache)
    if preparation.reads_validation:
        context = replace(context, validation=load_split(dataset_of(stage), "validation", store.cache))
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
        method: Distiller = part_of(stage, "method")
        state = load_state(store, task["state"], stage.parents, context, stage.addresses)
        with timed(cost):
            images = method.distill(real, state, task["ipc"], context)
    check_distilled(images, real.classes, real.shape, task["ipc"])
    _write_set(store, stage, images, cost)


def write_external(store: Store, stage: Stage, images: LabeledImages, dataset: Dataset, log: dict[str, float]) -> None:
    """Write images that other code made into the store, as the artifact of the distill stage ``stage``.

    log: what reading them found, for the manifest. Raises InvalidOutput when they are not a distilled set of
    ``dataset``.
    """
    check_distilled(images, dataset.classes, dataset.shape, stage.task["ipc"])
    _write_set(store, stage, images, StageCost(log=log))


LONGEST = 2000
"""characters of a reason"""
RUN: dict[str, Callable[[Stage, Store], str | None]] = {
    "data": check_data,
    "shard": _distill,
    "distill": _distill,
    "evaluate": evaluate,
    "shift": measure_shift,
}
"""kind of stage -> the function that runs it and may return the name of a record; other kinds are preparations"""


@contextmanager
def _environment(stage: Stage) -> Iterator[None]:
    """Set threads and determinism as the task says; restore both afterwards."""
    import torch

    keep_freed_memory()
    threads = torch.get_num_threads()
    torch.set_num_threads(stage.threads)
    refuse = stage.task.get("nondeterministic") == "refuse"
    compilation: Compilation = "blocks" if compiles(stage.task) else "none"
    try:
        with determinism.deterministic(refuse, stage.task["device"]), compiler(compilation):
            yield
    finally:
        torch.set_num_threads(threads)


def _classify(error: BaseException) -> Outcome:
    import torch

    if isinstance(error, InvalidOutput):
        return "invalid_output"
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return "out_of_memory"
    return "failed"


def _one_line(error: BaseException) -> str:
    text = determinism.explained(error) or " ".join(str(error).split())
    if len(text) > LONGEST:  # a compiler's messages, for one
        text = f"{text[:LONGEST]} ... (the log of the stage has all of it)"
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
