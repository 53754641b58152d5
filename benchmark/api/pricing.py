"""The price of a study in hours of a card: the work of its stages times measured rates.

A stage is priced by what its store has measured of stages of its sort, else by ``results/rates.csv``, else by an
estimate from rates of the same work at another size or with other options (``results.scaling``), which is marked and
says how it was made. Other work is unknown.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ddbench.config.values import build, plain
from ddbench.errors import BenchError
from ddbench.plan.graph import Stage
from ddbench.results.rates import OPTIONS, Rate, by_work, load_rates
from ddbench.results.scaling import Scaled, scaled
from ddbench.stages.inputs import dataset_of
from ddbench.types import Compute, Dataset

KNOWN_DIT = {"DiT-XL-2-256": "DiT-XL/2 at 256 px"}
"""how the source of a downloaded prior ends -> its name among the works"""
TORCHS_OWN = ("tf32", "none")
"""how a network is computed where a stage has no option: torch multiplies in float32, and convolves in TF32"""

IDLE = ("RandomReal", "PretrainedDiT")
"""what computes nothing on a card: one chooses images, one reads weights"""

Options = tuple[str, str]
"""precision and compilation"""


@dataclass(frozen=True)
class Work:
    """``amount`` units of a work of ``rates.csv``, computed with ``options``."""

    name: str
    amount: float
    options: Options
    once: str = ""
    """work of equal ``once`` is done once a plan, since its result is cached"""


@dataclass
class Price:
    """Of one work in stages of one kind, in hours of one card, one after another; None: unknown."""

    kind: str
    work: str
    options: Options | None
    """those of the configuration; None for what has none"""
    stages: int = 0
    amount: float = 0.0
    """units of the work"""
    unit: str = ""
    hours: float | None = None
    scaled: Scaled | None = None
    """the estimate of the rate that ``hours`` follow, where none was measured"""
    by_option: dict[Options, float | None] = field(default_factory=dict)
    """hours if the work were computed in this way"""

    def to_json(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "work": self.work,
            "options": " ".join(self.options) if self.options else None,
            "stages": self.stages,
            "amount": self.amount,
            "unit": self.unit,
            "hours": self.hours,
            "scaled": self.scaled.how if self.scaled else None,
            "hours_with": {" ".join(options): hours for options, hours in self.by_option.items()},
        }


def price(stages: Iterable[Stage], measured: Callable[[Stage], float | None], rates: list[Rate]) -> list[Price]:
    """The price of the stages that run on a card, by kind and work in their order; ``measured``: seconds of a stage by
    its store."""
    prices: dict[tuple[str, str, Options | None], Price] = {}
    done: set[str] = set()
    datasets: dict[str, Dataset] = {}

    def row(kind: str, work: str, options: Options | None) -> Price:
        found = prices.setdefault((kind, work, options), Price(kind, work, options))
        found.stages += 1
        return found

    for stage in stages:
        if stage.task["device"] != "cuda" or "skipped" in stage.task:
            continue
        if (seconds := measured(stage)) is not None:
            own = row(stage.kind, "as this store measured", None)
            own.hours = (own.hours or 0.0) + seconds / 3600
            continue
        works = _works(stage, datasets)
        if not works:
            name = _unpriced(stage)
            row(stage.kind, name, None).hours = 0.0 if name in IDLE else None
        for work in works:
            if not (work.once and work.once in done):
                row(stage.kind, work.name, work.options).amount += work.amount
            done.update([work.once] if work.once else [])
    known = by_work(rates)
    for (_, name, options), one in prices.items():
        for way in OPTIONS if options else ():
            rate = known.get((name, *way))
            one.by_option[way] = one.amount * rate.seconds / 3600 if rate else None
            one.unit = rate.unit if rate else one.unit
        if options:
            one.hours = one.by_option.get(options)
        if options and one.hours is None and (estimate := scaled(name, options, known)):
            one.scaled, one.hours, one.unit = estimate, one.amount * estimate.seconds / 3600, estimate.rate.unit
    return list(prices.values())


def built_in() -> list[Rate]:
    """The rates that come with the harness."""
    return load_rates()


def _unpriced(stage: Stage) -> str:
    """What a stage without a known work is called."""
    described = stage.task.get("preparation") or stage.task.get("method") or stage.task.get("protocol") or {}
    return _class(described) if described else stage.kind


def _works(stage: Stage, datasets: dict[str, Dataset]) -> list[Work]:
    """The works of a stage; none where it is of a sort that no rate is known for."""
    name = stage.task["dataset"]["name"]
    try:
        dataset = datasets.setdefault(name, dataset_of(stage))
        if stage.kind == "evaluate":
            return list(_judging(stage, dataset))
        if "preparation" in stage.task:
            return list(_preparing(stage, dataset))
        return list(_distilling(stage, dataset))
    except (ImportError, BenchError, KeyError, TypeError):
        return []


def _judging(stage: Stage, dataset: Dataset) -> Iterator[Work]:
    task = stage.task
    protocol, ipc = build(plain(task["protocol"]), stage.addresses), task["cell"]["ipc"]
    images = ipc * len(dataset.classes) if ipc else sum(dataset.train_counts())
    batch, side = protocol.batch_size(ipc or max(dataset.train_counts())), protocol.side or dataset.shape[1]
    compute = Compute.from_task(task["compute"])
    epochs = protocol.epochs(ipc or max(dataset.train_counts()))
    yield Work(
        f"judge {task['cell']['arch']} at {side} px, batch {batch}",
        epochs * images,
        (compute.precision, compute.compile),
    )


def _preparing(stage: Stage, dataset: Dataset) -> Iterator[Work]:
    described = stage.task["preparation"]
    kind = _class(described)
    if kind == "ScratchPrior":
        training = described["training"]
        if network := _trained([described], dataset):
            yield Work(f"train {network}, batch {training['batch']}", training["steps"], _options(training))
    if kind == "FineTune" and (network := _trained(stage.task["before"], dataset)):
        training = described["training"]
        chunks = -(-len(dataset.classes) // (training["chunk"] or len(dataset.classes)))
        name = f"tune {network} by {training['parameters']}, batch {training['batch']}"
        yield Work(name, training["steps"] * chunks, _options(training))
    if kind == "FineTune" and (prior := _prior(stage.task["before"])):
        training = described["training"]
        chunk = training["chunk"] or len(dataset.classes)
        chunks = -(-len(dataset.classes) // chunk)
        name = f"tune {prior[0]} by {training['parameters']}, batch {training['batch']}"
        yield Work(name, training["steps"] * chunks, _options(training))
        encoder = prior[1].get("encoder")
        views = 2 if training["mirror"] else 1
        if encoder:
            once = f"latents {dataset.name} {encoder} {views}"
            images = views * sum(dataset.train_counts())
            yield Work(f"encode {_class(encoder)} at {dataset.shape[1]} px", images, _options(encoder), once)


def _distilling(stage: Stage, dataset: Dataset) -> Iterator[Work]:
    task, method = stage.task, stage.task["method"]
    classes = len(task.get("classes", dataset.classes))
    if _class(method) == "DM":
        classes, size = len(dataset.classes), f"{len(dataset.classes)} classes of {method['batch_real']}"
        name = f"dm {method['embedder']} at {dataset.shape[1]} px, IPC {task['ipc']}, {size}"
        options = _options(method) if "precision" in method else TORCHS_OWN
        yield Work(name, method["iterations"], options)
    if _class(method) == "Diffusion" and (prior := _prior(task["state"])) and method["sampler"]["guidance_scale"] != 1:
        if stage.kind == "distill" and list(stage.parents) != task["chain"]:
            return  # it joins shards
        sampler, guidance = method["sampler"], method["guidance"]
        by = f" with {_class(guidance)}" if guidance else ""
        steps = classes * task["ipc"] * sampler["steps"]
        yield Work(f"sample {prior[0]}{by}", steps, _options(sampler))
        decoder = prior[1].get("decoder") or prior[1].get("encoder")
        if decoder:
            name = f"decode {_class(decoder)} at {dataset.shape[1]} px"
            yield Work(name, classes * task["ipc"], _options(decoder))


def _trained(state: list[dict[str, Any]], dataset: Dataset) -> str | None:
    """The network of a prior in pixels that is trained from scratch, as works call it."""
    for described in state:
        if _class(described) == "ScratchPrior" and _class(described["autoencoder"]) == "PixelSpace":
            tokens = (dataset.shape[1] // described["patch"]) ** 2
            return f"DiT {described['width']} x {described['layers']} on {tokens} tokens"
    return None


def _prior(state: list[dict[str, Any]]) -> tuple[str, dict[str, Any]] | None:
    """Name and description of the downloaded prior that a stage starts from, where its rates may be known."""
    for described in state:
        if _class(described) == "PretrainedDiT":
            for end, name in KNOWN_DIT.items():
                if str(described["source"]).rstrip("/").endswith(end):
                    return name, described
    return None


def _options(described: Mapping[str, Any]) -> Options:
    return described["precision"], described["compile"]


def _class(described: Mapping[str, Any]) -> str:
    return str(described["type"]).partition(":")[2].partition("@")[0]
