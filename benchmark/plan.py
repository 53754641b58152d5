"""From a study to the stages that its cells need, each once: a pure function of the configuration.

Stages form a graph: prior -> fit -> distill -> evaluate. The key of a stage is the digest of what it reads, so two
methods that ask for the same fine-tuning share it without knowing of each other.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
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
    location: dict[str, Any] = field(default_factory=dict)
    """where the dataset is: options of it that are no part of the key"""
    plugins: tuple[str, ...] = ()
    """files that register what the task names, for a worker to run first"""
    memory_gib: float = 0.0
    """of the device, that its method declares; 0 is unknown"""

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
        whole = study.methods[dataset, method].whole
        cell = Cell(
            dataset=dataset,
            split=f"{study.datasets[dataset].split_name}/{config.split}",
            arch=arch,
            ipc=0 if whole else ipc,
            method=method,
            protocol=grid.protocol,
            seed=0 if whole else seed,
            eval_seed=eval_seed,
        )
        if cell not in builder.cells:
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
        self.variants: dict[tuple[str, str], str] = {}
        self.judged: dict[tuple[str, str, str], str] = {}
        networks = {name: describe(network) for name, network in study.networks.items()}
        self.networks = {name: {**described, "code": code_digest(described)} for name, described in networks.items()}
        protocol = describe(study.protocol)
        self.protocol = {**protocol, "digest": digest(protocol), "code": code_digest(protocol)}

    def evaluate(self, cell: Cell) -> str:
        method, config = self.study.methods[cell.dataset, cell.method], self.study.config
        given = config.resources.get("distill")
        lacks = method.needs().unmet(
            self.study.datasets[cell.dataset].shape, cell.ipc or 1, config.device, given.memory_gib if given else None
        )
        if lacks:
            described = self.described[cell.dataset]
            task: dict[str, Any] = {"cell": dataclasses.asdict(cell), "dataset": described, "skipped": lacks}
            return self._add("evaluate", parents=(), label=str(cell), **task)
        distilled = () if method.whole else (self._distill(cell.dataset, cell.method, cell.ipc, cell.seed),)
        return self._add(
            "evaluate",
            parents=distilled,
            label=str(cell),
            cell=dict(vars(cell)),
            variant=self._variant_judged(cell.dataset, cell.method, cell.arch),
            dataset=self.described[cell.dataset],
            split=self.study.config.split,
            protocol=self.protocol,
            network=self.networks[cell.arch],
            compute=self.study.config.compute.model_dump(),
        )

    def _variant_judged(self, dataset: str, name: str, arch: str) -> str:
        coordinates = (dataset, name, arch)
        if coordinates not in self.judged:
            self.judged[coordinates] = digest([self._variant(dataset, name), self.protocol, self.networks[arch]])
        return self.judged[coordinates]

    def _variant(self, dataset: str, name: str) -> str:
        """A digest of what a method reads on a dataset whatever the seed: only cells of one variant may be averaged."""
        if (dataset, name) not in self.variants:
            method, config = self.study.methods[dataset, name], self.study.config
            chain = [describe(preparation) for preparation in method.preparations(0)]
            read = self._read(method)
            reads = [
                self.described[dataset],
                read,
                chain,
                code_digest(chain),
                config.device,
                config.threads.model_dump(),
                config.compute.model_dump(),
            ]
            self.variants[dataset, name] = digest(reads)
        return self.variants[dataset, name]

    @staticmethod
    def _read(method: Distiller) -> dict[str, Any]:
        """What ``distill`` reads of a method, described, with the digest of its code."""
        whole = describe(method)
        read = {key: whole[key] for key in ("type", *method.reads())}
        return {**read, "code": code_digest(read)}

    def _distill(self, dataset: str, name: str, ipc: int, seed: int) -> str:
        coordinates = (dataset, name, ipc, seed)
        if coordinates not in self.distilled:
            method = self.study.methods[dataset, name]
            chain = self._prepare(dataset, name, method, seed)
            where = f"{dataset}/{name}/ipc{ipc}/seed{seed}"
            work = {
                "dataset": self.described[dataset],
                "method": self._read(method),
                "state": list(chain.values()),
                "chain": list(chain),
                "networks": {network: self.networks[network] for network in method.networks()},
                "ipc": ipc,
                "seed": seed,
            }
            if self.study.given:
                work["images"] = self.study.given.images[self.study.config.grid.seeds.index(seed)]
            memory = method.needs().memory_gib
            shards = tuple(
                self._add(
                    "shard",
                    parents=tuple(chain),
                    label=f"{where}/{classes[0]}..",
                    memory_gib=memory,
                    classes=list(classes),
                    **work,
                )
                for classes in self._shards(dataset, method)
            )
            parents, here = (shards, 0.0) if shards else (tuple(chain), memory)
            self.distilled[coordinates] = self._add("distill", parents=parents, label=where, memory_gib=here, **work)
        return self.distilled[coordinates]

    def _shards(self, dataset: str, method: Distiller) -> list[tuple[str, ...]]:
        """The groups of classes that are distilled apart; none when all are distilled in one stage."""
        classes, n = self.study.datasets[dataset].classes, self.study.config.class_shards
        if n == 1 or not method.separable:
            return []
        size = -(-len(classes) // n)
        return [classes[i : i + size] for i in range(0, len(classes), size)]

    def _prepare(self, dataset: str, name: str, method: Distiller, seed: int) -> dict[str, dict[str, Any]]:
        """The preparations of a method, key -> described, in the order in which each starts from the one before."""
        chain: dict[str, dict[str, Any]] = {}
        for preparation in method.preparations(seed):
            described = describe(preparation)
            described = {**described, "code": code_digest(described)}
            before = {} if preparation.apart else chain
            key = self._add(
                preparation.stage,
                parents=tuple(before),
                label=f"{dataset}/{name}/{preparation.stage}" if chain else f"{dataset}/{preparation.stage}",
                dataset=self.described[dataset],
                preparation=described,
                before=list(before.values()),
                networks={network: self.networks[network] for network in preparation.networks()},
            )
            chain[key] = described
        return chain

    def _add(
        self, kind: StageKind, *, parents: tuple[str, ...], label: str, memory_gib: float = 0.0, **reads: Any
    ) -> str:
        config = self.study.config
        task = {
            "stage": kind,
            "format": STAGE_FORMAT,
            "parents": list(parents),
            "threads": getattr(config.threads, "distill" if kind == "shard" else kind),
            "device": config.device,
            **reads,
        }
        key = digest(task)
        dataset = self.study.datasets[reads["dataset"]["name"]]
        location = {field: getattr(dataset, field) for field in dataset.location}
        self.stages.setdefault(key, Stage(kind, key, task, parents, label, location, config.plugins, memory_gib))
        return key

    @staticmethod
    def _describe_dataset(dataset: Dataset) -> dict[str, Any]:
        whole = describe(dataset)
        described = {key: value for key, value in whole.items() if key not in dataset.location}
        return {
            **described,
            "name": dataset.name,
            "fingerprint": dataset.fingerprint(),
            "code": code_digest(described),
        }
