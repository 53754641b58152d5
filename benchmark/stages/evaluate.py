"""The evaluate stage: a network trained on a distilled set and judged, and the record of that cell."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from ddbench import turns
from ddbench.config.values import build, plain
from ddbench.errors import InvalidOutput
from ddbench.isolation import guard
from ddbench.plan.lineage import lineage
from ddbench.stages import attempt, determinism
from ddbench.stages.copies import Copies, CopiesJudged, find_copies
from ddbench.stages.data import found_by_check
from ddbench.stages.hardware import hardware_of
from ddbench.stages.inputs import context_of, dataset_of, judged_view, load_split, load_state, timed
from ddbench.stages.provenance import provenance
from ddbench.stages.smaller import part_of
from ddbench.store.distilled import load_distilled
from ddbench.store.folder import Store
from ddbench.types import Cell, Dataset, Evaluation, LabeledImages, Outcome, Record

if TYPE_CHECKING:
    from ddbench.plan.graph import Stage


def evaluate(stage: Stage, store: Store) -> str:
    """Run an evaluate stage; the file name of the record that it wrote."""
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
    view, checked = judged_view(stage), found_by_check(store, stage)
    judged = load_split(dataset, task["judged"]["split"], store.cache, view)
    copies = _copies(stage, store, dataset, trained_on, None if view else judged)
    cost, context = context_of(stage, store, seed=cell.eval_seed)
    chain = tuple(task.get("chain", ()))
    state = load_state(store, task.get("state", []), chain, context, stage.addresses)
    context = replace(context, judged_view=view, dataset=dataset.name, state=state)
    judges = [
        store.manifest(described["stage"], key) for described, key in zip(task.get("state", []), chain, strict=True)
    ]
    seconds = {kind: manifest["run"]["seconds"] for kind, manifest in manifests.items()}
    addresses = {name: place for manifest in manifests.values() for name, place in manifest["addresses"].items()}
    with timed(cost):
        network = build(plain(task["network"]), stage.addresses)
        evaluation = part_of(stage, "protocol").evaluate(trained_on, judged, network, context)
    _check_evaluation(evaluation, len(judged))
    return store.write_record(
        Record(
            key=stage.key,
            cell=cell,
            outcome="ok",
            curve=evaluation.curve,
            correct=np.packbits(np.asarray(evaluation.correct, dtype=bool)).tobytes().hex(),
            n_images=len(evaluation.correct),
            by_class=_by_class(evaluation, judged),
            config={**{kind: manifest["task"] for kind, manifest in manifests.items()}, "evaluate": task},
            run={
                **_run(started),
                "addresses": {**addresses, **stage.addresses},
                "seconds": {**seconds, "evaluate": cost.seconds},
                **({"wall_seconds": cost.wall} if turns.taking() else {}),
                "hardware": _hardware(manifests, task),
                **({"data": checked} if checked else {}),
                "changed_state": _changed(manifests),
                "log": cost.log,
                **_out_of_memory(manifests),
                **({"judge": [_trained(manifest) for manifest in judges]} if judges else {}),
                **({"teacher": _trained(manifests["teacher"])} if "teacher" in manifests else {}),
                **({"copies": copies.to_json()} if copies else {}),
            },
        )
    )


def _by_class(evaluation: Evaluation, judged: LabeledImages) -> tuple[tuple[int, int], ...]:
    """(images right, images) of each class that has images, in order of class name."""
    import torch

    right, classes = torch.tensor(evaluation.correct), len(judged.classes)
    hits = judged.labels[right].bincount(minlength=classes).tolist()
    images = judged.labels.bincount(minlength=classes).tolist()
    return tuple((hits[k], images[k]) for k in sorted(range(classes), key=judged.classes.__getitem__) if images[k])


def _out_of_memory(manifests: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Stage -> when it ran out of memory and was tried again, for the stages behind a record that were; or nothing."""
    told = {kind: manifest["run"].get("out_of_memory") for kind, manifest in manifests.items()}
    own = attempt.notes().get("out_of_memory")
    by_stage = {kind: found for kind, found in {**told, "evaluate": own}.items() if found}
    return {"out_of_memory": by_stage} if by_stage else {}


def _hardware(manifests: dict[str, dict[str, Any]], task: dict[str, Any]) -> dict[str, Any]:
    """Stage -> what it ran on, for the stages behind a record that tell."""
    told = {kind: manifest["run"].get("hardware") for kind, manifest in manifests.items()}
    return {**{kind: hardware for kind, hardware in told.items() if hardware}, "evaluate": hardware_of(task)}


def _trained(manifest: dict[str, Any]) -> dict[str, Any]:
    """What a record says of a teacher, or another stage of its protocol, beside its recipe in ``config``."""
    return {"stage": manifest["task"]["stage"], "seconds": manifest["run"]["seconds"], "log": manifest["log"]}


def _changed(manifests: dict[str, dict[str, Any]]) -> dict[str, list[str]]:
    """Stage -> the process-wide state that it changed, for the stages behind a record that changed some."""
    by_stage = {kind: manifest["run"].get("changed_state", []) for kind, manifest in manifests.items()}
    return {kind: changes for kind, changes in {**by_stage, "evaluate": guard.changes()}.items() if changes}


def _copies(
    stage: Stage, store: Store, dataset: Dataset, made: LabeledImages, judged: LabeledImages | None
) -> Copies | None:
    """Judged images in a distilled set; None where the train split itself is trained on.

    judged: the judged images as the dataset gives them, loaded here when None. Raises CopiesJudged where there are
    any and the configuration does not allow it.
    """
    if not stage.parents:
        return None
    split = stage.task["judged"]["split"]
    judged = load_split(dataset, split, store.cache) if judged is None else judged
    found = find_copies(made, judged, lambda: load_split(dataset, "train", store.cache))
    if found.copied and not stage.task.get("allow_test_copies"):
        raise CopiesJudged(found, split)
    return found


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


def _run(started: datetime) -> dict[str, Any]:
    when = {"started": started.isoformat(), "finished": datetime.now(UTC).isoformat()}
    return {**when, **attempt.notes(), **determinism.notes(), "provenance": provenance()}
