"""From a study to the stages that its cells need, each once: a pure function of the configuration.

Stages form a graph: prior -> fit -> distill -> evaluate. The key of a stage is the digest of what it reads, so two
methods that ask for the same fine-tuning share it without knowing of each other.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any

from benchmark.code import STAGE_FORMAT, code_digest
from benchmark.config import STAGE_KINDS, StageKind
from benchmark.keys import digest
from benchmark.study import Study
from benchmark.types import Cell, Dataset, Distiller
from benchmark.values import describe


@dataclass(frozen=True)
class Stage:
    """One piece of work. ``task`` is all that it reads, as JSON; ``key`` is its digest."""

    kind: StageKind
    key: str
    task: dict[str, Any]
    parents: tuple[str, ...]
    """keys of the stages whose artifacts it reads"""
    label: str
    """for people: the first cell or configuration that asked for it"""

    @property
    def threads(self) -> int:
        return int(self.task["threads"])


@dataclass(frozen=True)
class Plan:
    """Stages by key, parents before children, and the key of the evaluate stage of every cell."""

    stages: dict[str, Stage]
    cells: dict[Cell, str]

    def counts(self) -> dict[str, int]:
        """Number of stages of each kind."""
        counted = Counter(stage.kind for stage in self.stages.values())
        return {kind: counted.get(kind, 0) for kind in STAGE_KINDS}

    def ancestors(self, key: str) -> Iterator[Stage]:
        """The stages that the stage at ``key`` rests on, each once, parents before children, itself last."""
        seen: dict[str, Stage] = {}

        def visit(k: str) -> None:
            for parent in self.stages[k].parents:
                visit(parent)
            seen.setdefault(k, self.stages[k])

        visit(key)
        return iter(seen.values())


def make_plan(study: Study) -> Plan:
    """The plan of a study. Cells vary fastest in their seeds, slowest in their dataset."""
    builder = _Builder(study)
    grid, config = study.config.grid, study.config
    for dataset, method, ipc, seed, arch, eval_seed in product(
        grid.datasets, grid.methods, grid.ipc, grid.seeds, grid.archs, grid.eval_seeds
    ):
        cell = Cell(
            dataset=dataset,
            split=f"{study.datasets[dataset].split_name}/{config.split}",
            arch=arch,
            ipc=ipc,
            method=method,
            protocol=grid.protocol,
            seed=seed,
            eval_seed=eval_seed,
        )
        builder.cells[cell] = builder.evaluate(cell)
    order = {kind: i for i, kind in enumerate(STAGE_KINDS)}
    stages = dict(sorted(builder.stages.items(), key=lambda item: order[item[1].kind]))
    return Plan(stages=stages, cells=builder.cells)


class _Builder:
    def __init__(self, study: Study) -> None:
        self.study = study
        self.stages: dict[str, Stage] = {}
        self.cells: dict[Cell, str] = {}
        self.described = {name: self._describe_dataset(dataset) for name, dataset in study.datasets.items()}
        self.distilled: dict[tuple[str, str, int, int], str] = {}
        networks = {name: describe(network) for name, network in study.networks.items()}
        self.networks = {name: {**described, "code": code_digest(described)} for name, described in networks.items()}
        protocol = describe(study.protocol)
        self.protocol = {**protocol, "code": code_digest(protocol)}

    def evaluate(self, cell: Cell) -> str:
        distilled = self._distill(cell.dataset, cell.method, cell.ipc, cell.seed)
        return self._add(
            "evaluate",
            parents=(distilled,),
            label=str(cell),
            cell=dataclasses.asdict(cell),
            dataset=self.described[cell.dataset],
            split=self.study.config.split,
            protocol=self.protocol,
            network=self.networks[cell.arch],
        )

    def _distill(self, dataset: str, name: str, ipc: int, seed: int) -> str:
        coordinates = (dataset, name, ipc, seed)
        if coordinates not in self.distilled:
            method = self.study.methods[dataset, name]
            chain = self._prepare(dataset, name, method, seed)
            whole = describe(method)
            read = {key: whole[key] for key in ("type", *method.reads())}
            self.distilled[coordinates] = self._add(
                "distill",
                parents=tuple(chain),
                label=f"{dataset}/{name}/ipc{ipc}/seed{seed}",
                dataset=self.described[dataset],
                method={**read, "code": code_digest(read)},
                state=list(chain.values()),
                networks={network: self.networks[network] for network in method.networks()},
                ipc=ipc,
                seed=seed,
            )
        return self.distilled[coordinates]

    def _prepare(self, dataset: str, name: str, method: Distiller, seed: int) -> dict[str, dict[str, Any]]:
        """The preparations of a method, key -> described, in the order in which each starts from the one before."""
        chain: dict[str, dict[str, Any]] = {}
        for preparation in method.preparations(seed):
            described = describe(preparation)
            described = {**described, "code": code_digest(described)}
            key = self._add(
                preparation.stage,
                parents=tuple(chain),
                label=f"{dataset}/{name}/{preparation.stage}" if chain else f"{dataset}/{preparation.stage}",
                dataset=self.described[dataset],
                preparation=described,
                before=list(chain.values()),
                networks={network: self.networks[network] for network in preparation.networks()},
            )
            chain[key] = described
        return chain

    def _add(self, kind: StageKind, *, parents: tuple[str, ...], label: str, **reads: Any) -> str:
        config = self.study.config
        task = {
            "stage": kind,
            "format": STAGE_FORMAT,
            "parents": list(parents),
            "threads": getattr(config.threads, kind),
            "device": config.device,
            **reads,
        }
        key = digest(task)
        self.stages.setdefault(key, Stage(kind=kind, key=key, task=task, parents=parents, label=label))
        return key

    @staticmethod
    def _describe_dataset(dataset: Dataset) -> dict[str, Any]:
        described = describe(dataset)
        return {
            **described,
            "name": dataset.name,
            "fingerprint": dataset.fingerprint(),
            "code": code_digest(described),
        }
