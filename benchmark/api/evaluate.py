"""Evaluating distilled images that other code made, like those of a method."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ddbench.api.hub import fetched, hub_place
from ddbench.api.stores import Say, say_on_stderr
from ddbench.config.schema import Config, load_config
from ddbench.config.study import ExternalSets, Study, resolve
from ddbench.data.external.levels import Normalisation
from ddbench.data.external.read import ExternalSet, Reading, holds_set, read_sets
from ddbench.data.external.stored import read_stored
from ddbench.errors import BenchError
from ddbench.evaluators.stored import StoredSoftLabels
from ddbench.methods.external import ExternalImages
from ddbench.methods.external_tensors import ExternalTensors
from ddbench.plan.build import make_plan
from ddbench.plan.graph import Plan
from ddbench.plugins.files import absolute, load_plugins
from ddbench.plugins.registry import entries
from ddbench.stages.run import write_external
from ddbench.store.folder import Store


@dataclass(frozen=True)
class Judging:
    """External sets, read and checked, and the plan that evaluates them."""

    config: Config
    plan: Plan
    sets: tuple[ExternalSet, ...]
    study: Study
    external: ExternalSets

    def add_sets(self, store: Store) -> None:
        """Write the images into a store, as the artifacts of the plan's distill stages."""
        (dataset,) = self.study.datasets.values()
        for stage in self.plan.stages.values():
            if stage.kind == "distill":
                one = self.sets[stage.task["seed"]]  # seeds count the sets
                write_external(
                    store, stage, one.images, dataset, {} if one.clipped is None else {"clipped": one.clipped}
                )


def plan_judging(
    folders: Sequence[Path | str],
    *,
    config: str = "digits",
    method: str | None = None,
    resize: bool = False,
    mean: Sequence[float] = (),
    sd: Sequence[float] = (),
    class_order: str | None = None,
    labels: Sequence[Path | str] = (),
    plugins: Sequence[str] = (),
    changes: Mapping[str, Any] | None = None,
    typed: Mapping[str, str] | None = None,
    assignments: Sequence[str] = (),
    say: Say = say_on_stderr,
) -> Judging:
    """Read ``folders``, files of tensors or places on the hub (``hf://datasets/USER/NAME/...``), and plan
    the evaluation of their sets as in the study ``config``.

    They are sets of one method; the IPC is counted. method: name in tables, by default that of the first folder;
    resize: resize images of another size, in the way of the dataset; mean, sd: what floats were normalised with, one
    number or one for each channel; class_order: a file that says which class a number is, or ``dataset``; labels:
    for each set the folder of its stored soft labels, or none; changes:
    dotted key of the configuration -> value; typed: such a key -> the option that it came by. Raises BenchError for the
    name of a registered method, a config with several datasets, and images that are not a distilled set of its dataset.
    """
    files = absolute(plugins)
    load_plugins(files)
    name = _name(method, folders[0])
    paths = [_local(folder) for folder in folders]
    fixed = {"grid.methods": [name], "grid.ipc": [1], "grid.seeds": [0]}
    named = {"plugins": files} if files else {}
    asked = load_config(config, {**(changes or {}), **named, **fixed}, assignments, typed)
    if len(asked.grid.datasets) != 1:
        raise BenchError(f"{config} has the datasets {', '.join(asked.grid.datasets)}: name one with --dataset.")
    reading = Reading(resize, class_order, Normalisation.stated(tuple(mean), tuple(sd)))
    study = resolve(asked, ExternalSets(_as_method(reading), images=()))
    for remark in study.remarks():
        say(remark)
    (dataset,) = study.datasets.values()
    sets = tuple(one for path in paths for one in read_sets(path, dataset, reading, say))
    sets = _with_labels(sets, labels, study, asked.grid.protocol)
    _check_soft_labels(sets, study, asked.grid.protocol, say)
    counted = {"ipc": (_ipc(sets),), "seeds": tuple(range(len(sets)))}
    asked = asked.model_copy(update={"grid": asked.grid.model_copy(update=counted)})
    external = ExternalSets(_as_method(reading), images=tuple(one.images.digest() for one in sets))
    return Judging(asked, make_plan(replace(study, config=asked, external=external)), sets, study, external)


def _as_method(reading: Reading) -> ExternalImages:
    """What stands for the sets' method in keys and records."""
    if reading.normalisation is None:
        return ExternalImages(resized=reading.resize)
    return ExternalTensors(reading.resize, reading.normalisation.mean, reading.normalisation.sd)


def _local(folder: Path | str) -> Path:
    """Where a set lies on this machine; one on the hub is fetched. Raises BenchError."""
    place = hub_place(str(folder))
    return fetched(place, holds_set) if place else Path(folder)


def _name(method: str | None, folder: Path | str) -> str:
    """The name in tables. Raises BenchError for the name of a registered method."""
    place = hub_place(str(folder))
    path = Path(place.repo, place.path) if place else Path(folder).resolve()
    name = method or (path.stem if path.is_file() else path.name)
    if name in entries("method"):
        raise BenchError(
            f"{name!r} is a registered method: images from elsewhere must be told from its own. Name them with "
            "--method NAME."
        )
    return name


def _ipc(sets: Sequence[ExternalSet]) -> int:
    ipcs = [len(one.images) // len(one.images.classes) for one in sets]
    if len(set(ipcs)) > 1:
        other = next(i for i, ipc in enumerate(ipcs) if ipc != ipcs[0])
        raise BenchError(
            f"{sets[0].where} has IPC {ipcs[0]} and {sets[other].where} has IPC {ipcs[other]}: only sets of one IPC "
            "can be averaged. Give each IPC in a command of its own, with the same --method."
        )
    return ipcs[0]


def _with_labels(
    sets: tuple[ExternalSet, ...], folders: Sequence[Path | str], study: Study, protocol: str
) -> tuple[ExternalSet, ...]:
    """``sets`` with the soft labels stored in ``folders``. Raises BenchError for labels that do not fit the set or the
    protocol, or that it lacks."""
    judge, ipc = study.protocol, _ipc(sets)
    if not isinstance(judge, StoredSoftLabels):
        if folders:
            raise BenchError(
                f"the protocol {protocol} does not train on stored soft labels: leave out --labels, or name one that "
                "does with --protocol fkd@1."
            )
        return sets
    if folders and len(folders) != len(sets):
        raise BenchError(
            f"there are {len(sets)} sets and {len(folders)} folders of labels: give --labels once for each set, in the "
            "order of the sets."
        )
    given: Sequence[Path | str | None] = folders or [None] * len(sets)
    found = []
    for one, folder in zip(sets, given, strict=True):
        stored = None if folder is None else read_stored(Path(folder), len(one.images), len(one.images.classes))
        if wrong := judge.unfit(stored, ipc):
            raise BenchError(f"the protocol {protocol} {wrong} ({folder or one.where}).")
        found.append(replace(one, images=replace(one.images, stored=stored)))
    return tuple(found)


def _check_soft_labels(sets: Sequence[ExternalSet], study: Study, protocol: str, say: Say) -> None:
    """Report soft labels that the protocol ignores. Raises BenchError when it needs soft labels and there are none."""
    uses = getattr(study.protocol, "labels", "hard")
    lacking = next((one for one in sets if one.images.soft is None), None)
    if uses == "set" and lacking:
        raise BenchError(
            f"the protocol {protocol} trains on the soft labels of the set, and this one has none: {lacking.where}. "
            "Choose one with hard labels (`bench list protocols`)."
        )
    if uses != "set" and any(one.images.soft is not None for one in sets):
        say(f"the images carry soft labels; {protocol} does not use them")
