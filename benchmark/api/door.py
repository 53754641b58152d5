"""The functions of ``import ddbench`` that run something: run, evaluate, check, worth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ddbench.api.check import Checked, check_method
from ddbench.api.choices import DEFAULT_STORE, Executor
from ddbench.api.evaluate import plan_judging
from ddbench.api.results import Results
from ddbench.api.run import Execution, Finished, run_plan
from ddbench.api.stores import Stores, say_on_stderr
from ddbench.api.study import plan_of_study
from ddbench.api.study import study as make_study
from ddbench.api.worth import FACTORS, Counted, count, counting
from ddbench.config.study import Study
from ddbench.plan.graph import Plan
from ddbench.results.statistics import Select
from ddbench.types import Watcher


def run(
    study: Study | str | Path = "digits",
    store: Path | str = DEFAULT_STORE,
    *,
    executor: Executor = "auto",
    ray_address: str | None = None,
    shard: str | None = None,
    watchers: Sequence[Watcher | str] = (),
) -> Results:
    """Run what is missing of a study in ``store`` and return the results of its cells.

    study: the result of ``ddbench.study``, or a name or file of a configuration; executor: ``inline``, ``ray`` or
    ``auto``; ray_address: address of a running Ray cluster; shard: run only the part ``i/n``; watchers: names or
    instances. Progress is shown on a terminal or in a notebook. The same call again runs only what is still missing.

    A failed cell raises nothing: it is a row with its reason and is listed in ``results.failures``. Raises BenchError
    for bad input, before anything is run, and KeyboardInterrupt when a stop was requested.
    """
    how = Execution(executor, ray_address, watchers)
    resolved = study if isinstance(study, Study) else make_study(study)
    for remark in resolved.remarks():
        say_on_stderr(remark)
    plan = plan_of_study(resolved, shard)
    return _results(run_plan(resolved.config, plan, store, how), plan)


def evaluate(
    *folders: Path | str,
    method: str,
    dataset: str | None = None,
    config: str = "digits",
    store: Path | str = DEFAULT_STORE,
    archs: Sequence[str] | None = None,
    protocol: str | None = None,
    eval_seeds: Sequence[int] | None = None,
    set: Mapping[str, Any] | None = None,
    plugins: Sequence[str | Path] = (),
    resize: bool = False,
    mean: Sequence[float] = (),
    sd: Sequence[float] = (),
    class_order: str | Path | None = None,
    labels: Sequence[str | Path] = (),
    allow_test_copies: bool = False,
    executor: Executor = "auto",
    ray_address: str | None = None,
    watchers: Sequence[Watcher | str] = (),
) -> Results:
    """Evaluate distilled images that other code made; several ``folders`` are several sets of one ``method``.

    A folder holds a sub-folder of images for each class, a Hugging Face dataset, or tensors; a file of tensors may be
    named too, or any of these on the hub (``hf://datasets/USER/NAME``). mean, sd: what floats were normalised with, one
    number or one for each channel; class_order: file that says which class a number is, or ``"dataset"``;
    labels: for each set the folder of its stored soft labels, or none; allow_test_copies: judge sets that hold judged
    images too.
    Dataset, archs, protocol and seeds default to those of the study ``config``. Raises BenchError for images that are
    not a distilled set of the dataset.
    """
    grid = {
        "grid.datasets": [dataset] if dataset else None,
        "grid.archs": archs and list(archs),
        "grid.protocol": protocol,
        "grid.eval_seeds": eval_seeds and list(eval_seeds),
        "allow_test_copies": allow_test_copies or None,
    }
    how = Execution(executor, ray_address, watchers)
    judging = plan_judging(
        list(folders),
        config=config,
        method=method,
        resize=resize,
        mean=tuple(mean),
        sd=tuple(sd),
        class_order=None if class_order is None else str(class_order),
        labels=list(labels),
        plugins=[str(plugin) for plugin in plugins],
        changes={**{key: value for key, value in grid.items() if value is not None}, **(set or {})},
    )
    done = run_plan(judging.config, judging.plan, store, how, judging.add_sets, external=judging.external)
    return _results(done, judging.plan)


def worth(
    study: Study | str | Path = "digits",
    store: Path | str = DEFAULT_STORE,
    *,
    factors: Sequence[int] = FACTORS,
    select: Select = "last",
    executor: Executor = "auto",
    ray_address: str | None = None,
    watchers: Sequence[Watcher | str] = (),
) -> Counted:
    """Count what the sets of a study are worth in plain samples of their generative models; the table of
    ``bench worth``.

    Runs what is missing in ``store`` of the sets, of plain sets of the same models, ``factors`` times as large, and of
    the whole train split. study: the result of ``ddbench.study``, or a name or file of a configuration; its methods
    that sample no generative model are left out. ``select``: accuracy of the ``last`` epoch or the ``best``.

    ``failed`` of the result counts cells that failed, whose numbers are missing. Raises BenchError for bad input,
    before anything is run, and KeyboardInterrupt when a stop was requested.
    """
    how = Execution(executor, ray_address, watchers)
    resolved = study if isinstance(study, Study) else make_study(study)
    for remark in resolved.remarks():
        say_on_stderr(remark)
    return count(counting(resolved.config, factors, "factors="), store, how, select)


def check(method: str | Path, *, plugins: Sequence[str | Path] = (), set: Mapping[str, Any] | None = None) -> Checked:
    """Check a method, given by name or as the plug-in file that registers it, against the rules for all methods.

    The result is true when every rule is kept, and prints as ``bench check`` does. Raises BenchError for a method that
    cannot be checked.
    """
    return check_method(str(method), [str(plugin) for plugin in plugins], changes=set)


def _results(done: Finished, plan: Plan) -> Results:
    return Results(Stores.of_store(done.store, plan.cells))
