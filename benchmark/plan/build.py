"""From a study to the stages that its cells need: a pure function of the configuration.

Stages form a graph: data -> prior -> fit -> distill -> evaluate. The key of a stage is the digest of what it reads,
so two methods that ask for the same fine-tuning share it without knowing of each other, and so do a method and a
protocol that ask for the same teacher. The data stage checks the
images of both splits before anything else runs; no key depends on it, so that mending a test image makes no set again.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from itertools import product
from typing import Any

from ddbench.config.addresses import addresses_of, named_in
from ddbench.config.schema import STAGE_KINDS, Config, StageKind
from ddbench.config.study import Study
from ddbench.config.values import describe
from ddbench.errors import BenchError
from ddbench.keys import digest
from ddbench.plan.code import STAGE_FORMAT, code_digest
from ddbench.plan.graph import Plan, Stage
from ddbench.types import WHOLE, Cell, DataFacts, Dataset, Distiller, Preparation


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
            ipc=WHOLE if whole else ipc,
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
        self.addresses: dict[str, str] = {}
        self.described = {name: self._dataset(dataset) for name, dataset in study.datasets.items()}
        self.data: dict[str, str] = {}
        self.distilled: dict[tuple[str, str, int, int], str] = {}
        self.variants: dict[tuple[str, str], str] = {}
        self.judged: dict[tuple[str, str, str], str] = {}
        self.networks = {name: self._part(network) for name, network in study.networks.items()}
        self.protocol = {**self._part(study.protocol), "digest": digest(describe(study.protocol))}

    def evaluate(self, cell: Cell) -> str:
        method, config = self.study.methods[cell.dataset, cell.method], self.study.config
        asked = config.resources.get("distill")
        lacks = method.needs().unmet(
            self.study.datasets[cell.dataset].shape, cell.ipc or 1, config.device, asked.memory_gib if asked else None
        )
        if lacks:
            described = self.described[cell.dataset]
            task: dict[str, Any] = {"cell": dataclasses.asdict(cell), "dataset": described, "skipped": lacks}
            return self._add("evaluate", parents=(), label=str(cell), **task)
        dataset = self.study.datasets[cell.dataset]
        distilled = () if method.whole else (self._distill(cell.dataset, cell.method, cell.ipc, cell.seed),)
        protocol = self.study.protocol
        chain = self._prepare(cell.dataset, config.grid.protocol, protocol.preparations())
        named = {name: self.networks[name] for name in protocol.networks()}
        judge: dict[str, Any] = {"state": list(chain.values()), "chain": list(chain)} if chain else {}
        if named:
            judge["networks"] = named
        return self._add(
            "evaluate",
            parents=distilled,
            label=str(cell),
            cell=dict(vars(cell)),
            variant=self._variant_judged(cell.dataset, cell.method, cell.arch),
            dataset=self.described[cell.dataset],
            judged=self._judged(dataset, cell.arch),
            protocol=self.protocol,
            **judge,
            network=self.networks[cell.arch],
            compute=config.compute.to_task(),
            **({"allow_test_copies": True} if config.allow_test_copies else {}),
        )

    def _judged(self, dataset: Dataset, arch: str) -> dict[str, Any]:
        """The judged images; with the view of the protocol where the dataset has files to decode."""
        split = self.study.config.split
        view = None
        if dataset.decodes_views:
            facts = DataFacts(dataset.name, dataset.classes, dataset.shape, light=True)
            view = self.study.protocol.view_of(facts, self.study.networks[arch])
        judged = {"split": split, "fingerprint": dataset.fingerprint(split)}
        for field in dataclasses.fields(dataset):
            if field.name in dataset.judging and (value := getattr(dataset, field.name)) != field.default:
                judged[field.name] = value
        return {**judged, "view": dataclasses.asdict(view)} if view else judged

    def _data(self, dataset: Dataset) -> tuple[str, ...]:
        """The key of the stage that checks the images of ``dataset``; none where all come with the installation."""
        if not dataset.location:
            return ()
        if dataset.name not in self.data:
            # The images are read in full through the view of the first arch; others differ from it in size alone.
            judged = self._judged(dataset, self.study.config.grid.archs[0])
            reads: dict[str, Any] = {"dataset": self.described[dataset.name], "judged": judged}
            self.data[dataset.name] = self._add("data", parents=(), label=dataset.name, device="cpu", **reads)
        return (self.data[dataset.name],)

    def _variant_judged(self, dataset: str, name: str, arch: str) -> str:
        coordinates = (dataset, name, arch)
        if coordinates not in self.judged:
            self.judged[coordinates] = digest([self._variant(dataset, name), self.protocol, self.networks[arch]])
        return self.judged[coordinates]

    def _variant(self, dataset: str, name: str) -> str:
        """A digest of all that a method reads on a dataset but the seed; only cells of one variant are averaged."""
        if (dataset, name) not in self.variants:
            method, config = self.study.methods[dataset, name], self.study.config
            reads = [
                self.described[dataset],
                self._part(method, method.reads()),
                [self._part(preparation) for preparation in method.preparations(0)],
                config.device,
                *(["refuse"] if config.nondeterministic == "refuse" else []),
                _threads(config),
                config.compute.to_task(),
            ]
            self.variants[dataset, name] = digest(reads)
        return self.variants[dataset, name]

    def _part(self, value: Any, fields: Iterable[str] | None = None) -> dict[str, Any]:
        """A method, network, ... or some of its fields as JSON (``describe``), with the digest of its code.

        Also records the addresses of its classes. Raises BenchError when two classes of a study have one name.
        """
        for name, address in addresses_of(value).items():
            if self.addresses.setdefault(name, address) != address:
                addresses_of_both = f"{self.addresses[name]} and {address}"
                raise BenchError(f"two classes are called {name} in keys and records: {addresses_of_both}. Rename one.")
        described = describe(value)
        if fields is not None:
            described = {field: described[field] for field in ("type", *fields)}
        return {**described, "code": code_digest(described, self.addresses)}

    def _distill(self, dataset: str, name: str, ipc: int, seed: int) -> str:
        coordinates = (dataset, name, ipc, seed)
        if coordinates not in self.distilled:
            method = self.study.methods[dataset, name]
            chain = self._prepare(dataset, name, method.preparations(seed))
            where = f"{dataset}/{name}/ipc{ipc}/seed{seed}"
            work = {
                "dataset": self.described[dataset],
                "method": self._part(method, method.reads()),
                "state": list(chain.values()),
                "chain": list(chain),
                "networks": {network: self.networks[network] for network in method.networks()},
                "ipc": ipc,
                "seed": seed,
            }
            if self.study.external:
                work["images"] = self.study.external.images[self.study.config.grid.seeds.index(seed)]
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
        """The groups of classes that are distilled in separate stages; empty when one stage distils all classes."""
        classes, n = self.study.datasets[dataset].classes, self.study.config.class_shards
        if n == 1 or not method.separable:
            return []
        size = -(-len(classes) // n)
        return [classes[i : i + size] for i in range(0, len(classes), size)]

    def _prepare(self, dataset: str, name: str, preparations: Iterable[Preparation]) -> dict[str, dict[str, Any]]:
        """Key -> description of the preparations of a method or protocol, each starting from the one before it."""
        chain: dict[str, dict[str, Any]] = {}
        for preparation in preparations:
            described = {**self._part(preparation), "stage": preparation.stage}
            before = {} if preparation.apart else chain
            held_out: dict[str, Any] = (
                {"validation": self._validation(dataset, name)} if preparation.reads_validation else {}
            )
            key = self._add(
                preparation.stage,
                parents=tuple(before),
                label=f"{dataset}/{name}/{preparation.stage}" if chain else f"{dataset}/{preparation.stage}",
                dataset=self.described[dataset],
                preparation=described,
                before=list(before.values()),
                networks={network: self.networks[network] for network in preparation.networks()},
                **held_out,
            )
            chain[key] = described
        return chain

    def _validation(self, dataset: str, name: str) -> str:
        """Fingerprint of the validation images, which a preparation of the method ``name`` reads. Raises BenchError
        where sets are judged on them."""
        if self.study.config.split == "validation":
            raise BenchError(
                f"{name} reads the labels of the validation part, on which this study judges: its options cannot be "
                "chosen there. Use --set split=test, or another method"
            )
        return self.study.datasets[dataset].fingerprint("validation")

    def _add(
        self, kind: StageKind, *, parents: tuple[str, ...], label: str, memory_gib: float = 0.0, **reads: Any
    ) -> str:
        config = self.study.config
        task = {
            "stage": kind,
            "format": STAGE_FORMAT,
            "parents": list(parents),
            "threads": getattr(config.threads, "distill" if kind == "shard" else kind, 1),
            "device": config.device,
            **({"nondeterministic": "refuse"} if config.nondeterministic == "refuse" else {}),
            **reads,
        }
        key = digest(task)
        dataset = self.study.datasets[reads["dataset"]["name"]]
        location = {field: getattr(dataset, field) for field in (*dataset.location, *dataset.naming, *dataset.judging)}
        addresses = {name: self.addresses[name] for name in sorted(named_in(task))}
        after = () if kind == "data" or "skipped" in task else self._data(dataset)
        if kind == "evaluate":  # its parents are what is judged; what judges is in its chain, which is in the key
            after += tuple(task.get("chain", ()))
        stage = Stage(kind, key, task, parents, label, addresses, after, location, config.plugins, memory_gib)
        self.stages.setdefault(key, stage)
        return key

    def _dataset(self, dataset: Dataset) -> dict[str, Any]:
        """A dataset as distillation depends on it: options and the fingerprint of the train images, no test images."""
        left_out = {"type", *dataset.location, *dataset.naming, *dataset.judging}
        fields = [field for field in describe(dataset) if field not in left_out]
        return {**self._part(dataset, fields), "name": dataset.name, "fingerprint": dataset.fingerprint("train")}


def _threads(config: Config) -> dict[str, int]:
    """Threads by kind of stage; those of teachers, which came later, where they are not at their default."""
    return {kind: n for kind, n in config.threads.model_dump().items() if kind != "teacher" or n != 1}
