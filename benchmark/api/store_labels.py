"""Soft labels stored for distilled sets, for ``bench labels``: a teacher's outputs on views that a protocol draws."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ddbench.api.evaluate import plan_judging
from ddbench.api.run import run_preparations, waiting
from ddbench.api.stores import Say, say_on_stderr
from ddbench.config.values import override
from ddbench.config.variants import parse
from ddbench.errors import BenchError
from ddbench.evaluators.stored import StoredSoftLabels
from ddbench.execute.policy import Policy
from ddbench.plan.graph import Plan, Stage
from ddbench.plugins.files import absolute, load_plugins
from ddbench.plugins.registry import load
from ddbench.stages.inputs import context_of, load_state
from ddbench.stages.problems import refuse_problems
from ddbench.store.opening import open_store

if TYPE_CHECKING:
    from ddbench.learning.teacher import Taught


def write_labels(
    folders: Sequence[Path | str],
    out: Path,
    *,
    protocol: str,
    teacher: str,
    where: Path | str,
    config: str = "digits",
    dataset: str | None = None,
    seed: int = 0,
    half: bool = True,
    plugins: Sequence[str] = (),
    assignments: Sequence[str] = (),
    say: Say = say_on_stderr,
) -> list[Path]:
    """The folders of labels, one for each set: ``out`` for a single one, else ``out/0``, ``out/1`` and so on.

    ``protocol``: one that trains on stored labels, whose views are drawn from ``seed``; ``teacher``: a protocol whose
    teacher gives the outputs, trained or loaded once in the store ``where``; half: in half precision, else float32.
    Raises BenchError, before work is spent, for protocols of another kind, sets that are none, a teacher that does not
    fit, and folders that are there.
    """
    load_plugins(absolute(plugins))
    judge = _stored(protocol)
    targets = [out] if len(folders) == 1 else [out / str(i) for i in range(len(folders))]
    if taken := next((target for target in targets if target.exists()), None):
        raise BenchError(f"{taken} is there: name another folder with --out.")
    changes: dict[str, Any] = {"grid.protocol": teacher, "grid.eval_seeds": [0]}
    changes |= {"grid.datasets": [dataset]} if dataset else {}
    judging = plan_judging(
        folders, config=config, method="labelled", plugins=plugins, changes=changes, assignments=assignments, say=say
    )
    if len(judging.sets) != len(folders):
        raise BenchError(f"{len(folders)} places hold {len(judging.sets)} sets: name each set by its own folder.")
    evaluated = judging.plan.stages[next(iter(judging.plan.cells.values()))]
    if not evaluated.task.get("chain"):
        raise BenchError(f"{teacher} has no teacher: name a protocol that has one, such as --teacher rded@1.")
    taught = _taught(judging.plan, evaluated, where, Policy.of(judging.config))
    classes = len(judging.sets[0].images.classes)
    from ddbench.evaluators.relabel import store_labels

    for target, one in zip(targets, judging.sets, strict=True):
        say(f"storing labels of {one.where} in {target}")
        try:
            store_labels(
                judge.for_classes(classes),
                one.images,
                taught,
                target,
                seed=seed,
                device=evaluated.task["device"],
                half=half,
            )
        except ValueError as error:
            raise BenchError(f"{one.where}: {error}.") from None
    return targets


def _stored(protocol: str) -> StoredSoftLabels:
    """The protocol of that name. Raises BenchError where it does not train on stored labels."""
    selected = parse(protocol)
    judge = override(load("protocol", selected.name), selected.changes, protocol)
    if not isinstance(judge, StoredSoftLabels):
        raise BenchError(f"{protocol} does not train on stored soft labels: name one that does, such as fkd@1.")
    if judge.normalisation != "imagenet":
        raise BenchError(f"{protocol} normalises by the set, and teachers see ImageNet's constants: leave it at that.")
    return judge


def _taught(plan: Plan, evaluated: Stage, where: Path | str, policy: Policy) -> Taught:
    """The teacher of an evaluate stage, trained or loaded in the store if it is not there. Raises BenchError."""
    before = {stage.key: stage for stage in plan.ancestors(evaluated.key) if stage.kind in ("data", "teacher")}
    ahead = waiting(plan, where)
    missing = {key: stage for key, stage in before.items() if key in ahead}
    refuse_problems(missing.values())
    store = open_store(where, create=True)
    if failure := run_preparations(Plan(before, {}), missing, store, policy):
        raise BenchError(f"{failure}.")
    _, context = context_of(evaluated, store, seed=0)
    task = evaluated.task
    taught: Taught = load_state(store, task["state"], tuple(task["chain"]), context, evaluated.addresses)
    return taught
