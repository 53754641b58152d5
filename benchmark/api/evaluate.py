"""Evaluating distilled images that other code made, like those of a method."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ddbench.api.stores import Say, say_on_stderr
from ddbench.config.schema import Config, load_config
from ddbench.config.study import ExternalSets, Study, resolve
from ddbench.data.external.read import read_external
from ddbench.errors import BenchError
from ddbench.images import LabeledImages
from ddbench.methods.external import ExternalImages
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
    sets: tuple[LabeledImages, ...]
    study: Study

    def add_sets(self, store: Store) -> None:
        """Write the images into a store, as the artifacts of the plan's distill stages."""
        (dataset,) = self.study.datasets.values()
        for stage in self.plan.stages.values():
            if stage.kind == "distill":
                write_external(store, stage, self.sets[stage.task["seed"]], dataset)  # seeds count the folders


def plan_judging(
    folders: Sequence[Path],
    *,
    config: str = "digits",
    method: str | None = None,
    resize: bool = False,
    plugins: Sequence[str] = (),
    changes: Mapping[str, Any] | None = None,
    assignments: Sequence[str] = (),
    say: Say = say_on_stderr,
) -> Judging:
    """Read ``folders``, a distilled set of one method each, and plan their evaluation as in the study ``config``.

    The IPC is counted. method: name in tables, by default that of the first folder; resize: resize images of another
    size, in the way of the dataset; changes: dotted key of the configuration -> value. Raises BenchError for the name
    of a registered method, a config with several datasets, and images that are not a distilled set of its dataset.
    """
    files = absolute(plugins)
    load_plugins(files)
    name = _name(method, folders[0])
    fixed = {"grid.methods": [name], "grid.ipc": [1], "grid.seeds": list(range(len(folders)))}
    named = {"plugins": files} if files else {}
    asked = load_config(config, {**(changes or {}), **named, **fixed}, assignments)
    if len(asked.grid.datasets) != 1:
        raise BenchError(f"{config} has the datasets {', '.join(asked.grid.datasets)}: name one with --dataset.")
    external = ExternalSets(ExternalImages(resized=resize), images=())
    study = resolve(asked, external)
    for remark in study.remarks():
        say(remark)
    (dataset,) = study.datasets.values()
    sets = tuple(read_external(folder, dataset, resize) for folder in folders)
    _check_soft_labels(sets[0], study, asked.grid.protocol, say)
    asked = asked.model_copy(update={"grid": asked.grid.model_copy(update={"ipc": (_ipc(folders, sets),)})})
    external = replace(external, images=tuple(images.digest() for images in sets))
    return Judging(asked, make_plan(replace(study, config=asked, external=external)), sets, study)


def _name(method: str | None, folder: Path) -> str:
    """The name in tables. Raises BenchError for the name of a registered method."""
    name = method or folder.resolve().name
    if name in entries("method"):
        raise BenchError(
            f"{name!r} is a registered method: images from elsewhere must be told from its own. Name them with "
            "--method NAME."
        )
    return name


def _ipc(folders: Sequence[Path], sets: Sequence[LabeledImages]) -> int:
    ipcs = [len(images) // len(images.classes) for images in sets]
    if len(set(ipcs)) > 1:
        other = next(i for i, ipc in enumerate(ipcs) if ipc != ipcs[0])
        raise BenchError(
            f"{folders[0]} has IPC {ipcs[0]} and {folders[other]} has IPC {ipcs[other]}: only sets of one IPC can be "
            "averaged. Give each IPC in a command of its own, with the same --method."
        )
    return ipcs[0]


def _check_soft_labels(images: LabeledImages, study: Study, protocol: str, say: Say) -> None:
    """Report soft labels that the protocol ignores. Raises BenchError when it needs soft labels and there are none."""
    uses = getattr(study.protocol, "labels", "hard")
    if uses == "set" and images.soft is None:
        raise BenchError(
            f"the protocol {protocol} trains on the soft labels of the set, and this one has none. Choose one with "
            "hard labels (`bench list protocols`)."
        )
    if uses != "set" and images.soft is not None:
        say(f"the images carry soft labels; {protocol} does not use them")
