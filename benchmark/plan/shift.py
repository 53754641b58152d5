"""Planning shift stages, which measure the distribution shift of distilled sets and of real draws.

A shift stage reads a distilled set, the train split, the state of the preparation that gives the feature space, and the
prior that gives the latent space. Its key is the digest of exactly these, as for every stage.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from pydantic import ValidationError

from ddbench.config.addresses import Addresses, addresses_of, named_in
from ddbench.config.refusals import refused
from ddbench.config.schema import STAGE_KINDS, recorded_config
from ddbench.config.study import ExternalSets, resolve
from ddbench.config.values import describe
from ddbench.errors import BenchError, CorruptArtifact
from ddbench.keys import digest
from ddbench.plan.asked import distilled_keys, sets_asked_for
from ddbench.plan.build import make_plan
from ddbench.plan.code import code_digest
from ddbench.plan.graph import Plan, Stage
from ddbench.plan.lineage import lineage
from ddbench.store.folder import Store
from ddbench.types import Distiller, LabeledImages, Preparation, Record, StageContext

REAL = "(real draw)"
"""in place of a method: random train images, measured against all others; no method can have this name"""


@dataclass(frozen=True, order=True)
class SetCoordinates:
    """The coordinates of a distilled set, or of a real draw (``method`` is REAL)."""

    dataset: str
    split: str
    """name of the split without the evaluated part, which a distilled set does not depend on"""
    ipc: int
    method: str
    seed: int

    def __str__(self) -> str:
        return f"{self.dataset}/{self.method}/ipc{self.ipc}/seed{self.seed}"


@dataclass
class ShiftPlan:
    """The shift stages of a store and the stages that they depend on; each set is in ``keys`` or in ``absent``."""

    plan: Plan
    keys: dict[SetCoordinates, str] = field(default_factory=dict)
    """set -> key of its shift stage"""
    absent: dict[SetCoordinates, str] = field(default_factory=dict)
    """set -> why it cannot be measured"""
    variants: dict[SetCoordinates, dict[str, str]] = field(default_factory=dict)
    """set -> {arch and protocol: variant}; sets of different variants must not be averaged"""
    records: dict[SetCoordinates, list[Record]] = field(default_factory=dict)
    """set -> records of its evaluations"""


@dataclass(frozen=True)
class InSpace(Distiller):
    """A method whose only preparation is the feature space, so that the space is planned and shared like any other."""

    space: Preparation | None

    def preparations(self, seed: int) -> tuple[Preparation, ...]:
        return (self.space,) if self.space else ()

    def networks(self) -> tuple[str, ...]:
        return self.space.networks() if self.space else ()

    def distill(self, real: LabeledImages, state: Any, ipc: int, ctx: StageContext) -> LabeledImages:
        raise NotImplementedError("it has only preparations")


def plan_shift(store: Store, space: Preparation | None, measure: Any, plugins: tuple[str, ...] = ()) -> ShiftPlan:
    """The shift stages of all sets that runs on ``store`` asked for, each in its latest configuration.

    space: a preparation whose state has ``features(images)``, uint8 (N, C, H, W) -> float (N, D); None for pixels.
    measure: a dataclass with methods ``draw`` and ``measure`` like ``evaluators.shift.measure.Shift``; plugins: files
    that a worker loads first, besides those of the runs.
    """
    shift = ShiftPlan(Plan(stages={}, cells={}))
    asked, known = sets_asked_for(store, _coordinates), distilled_keys(store)
    records = {record.key: record for record in store.records(key for keys, _ in asked.values() for key in keys)}
    spaces: dict[tuple[str, str], _Planned | str] = {}
    sets: list[tuple[SetCoordinates, _Planned, str, dict[str, Any]]] = []
    for wanted, (keys, run) in asked.items():
        judged = [records[key] for key in keys if key in records]
        parents: list[str] = next((record.config["evaluate"]["parents"] for record in judged), [])
        distilled, _ = known.get(keys[0], (parents[0] if parents else "", ""))
        if not distilled or not store.exists("distill", distilled):
            what = "not made" if keys[0] in known else "not made or not judged"
            shift.absent[wanted] = f"{what} yet; the `bench run` that asked for it makes it"
            continue
        shift.records[wanted] = judged
        shift.variants[wanted] = {
            f"{record.cell.arch} {record.cell.protocol}": record.config["evaluate"]["variant"] for record in judged
        }
        place = (wanted.dataset, digest(run["config"]))
        if place not in spaces:
            spaces[place] = _plan_space(wanted.dataset, run["config"], space, plugins)
        planned = spaces[place]
        if isinstance(planned, str):
            shift.absent[wanted] = planned
            continue
        try:
            manifests = lineage(store, distilled)
        except CorruptArtifact as error:
            shift.absent[wanted] = f"{error}; the `bench run` that asked for it makes it again"
            continue
        if manifests["distill"]["task"]["dataset"] != planned.asks["dataset"]:
            shift.absent[wanted] = "made from another version of the dataset; the `bench run` that asked makes it again"
            continue
        sets.append((wanted, planned, distilled, manifests))
    priors = {wanted.dataset: manifests["prior"] for wanted, _, _, manifests in sets if "prior" in manifests}
    addresses = addresses_of(measure)
    measured = {**describe(measure), "code": code_digest(describe(measure), addresses)}
    for wanted, planned, key, manifests in sets:
        prior = manifests.get("prior", priors.get(wanted.dataset))
        shift.keys[wanted] = _add(shift.plan, planned, f"{wanted}", prior, measured, addresses, distilled=key)
        drawn = replace(wanted, method=REAL)
        if drawn not in shift.keys and 2 * wanted.ipc <= planned.smallest_class:
            latest = priors.get(wanted.dataset)
            draw = {"ipc": wanted.ipc, "seed": wanted.seed}
            shift.keys[drawn] = _add(shift.plan, planned, f"{drawn}", latest, measured, addresses, draw=draw)
    order = {kind: i for i, kind in enumerate(STAGE_KINDS)}
    stages = dict(sorted(shift.plan.stages.items(), key=lambda item: order[item[1].kind]))
    return replace(shift, plan=Plan(stages=stages, cells={}))


@dataclass(frozen=True)
class _Planned:
    """A feature space planned for a dataset: the stages that make it, and a distill stage that depends on them."""

    stages: tuple[Stage, ...]
    asks: dict[str, Any]
    """the part of the task that shift stages share: dataset, state, chain, networks, device, format, threads"""
    on_top: Stage
    smallest_class: int


def _plan_space(
    dataset: str, config: dict[str, Any], space: Preparation | None, plugins: tuple[str, ...]
) -> _Planned | str:
    """The space planned for a dataset with the options in the configuration of a run, or why that is impossible."""
    try:
        study = recorded_config(config)
        one = {"datasets": (dataset,), "methods": ("space",), "ipc": (1,), "seeds": (0,), "eval_seeds": (0,)}
        grid = study.grid.model_copy(update={**one, "archs": study.grid.archs[:1]})
        files = tuple(dict.fromkeys((*study.plugins, *plugins)))
        resolved = resolve(
            study.model_copy(update={"grid": grid, "plugins": files}), ExternalSets(InSpace(space), ("",))
        )
        plan = make_plan(resolved)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"]))
        problem = "it is missing" if first["type"] == "missing" else refused(first)
        return f"the configuration that its run recorded cannot be read any more: {key}: {problem}"
    except BenchError as error:
        return " ".join(str(error).split())
    *before, on_top = (stage for stage in plan.stages.values() if stage.kind not in ("data", "evaluate"))
    threads = study.threads.evaluate
    asks = {**{name: on_top.task[name] for name in ("dataset", "state", "chain", "networks", "device")}}
    return _Planned(
        stages=tuple(before),
        asks={**asks, "format": on_top.task["format"], "threads": threads},
        on_top=on_top,
        smallest_class=min(resolved.datasets[dataset].train_counts()),
    )


def _add(
    plan: Plan,
    planned: _Planned,
    label: str,
    prior: dict[str, Any] | None,
    measured: dict[str, Any],
    addresses: Addresses,
    **what: Any,
) -> str:
    """Add a shift stage and those of its space to ``plan``; its key. ``what``: ``distilled`` (a key) or ``draw``."""
    own = [what["distilled"]] if "distilled" in what else []
    task = {"stage": "shift", **planned.asks, "measure": measured, **what}
    parents = [*own, *planned.asks["chain"]]
    if prior:
        parents.append(prior["key"])
        described = prior["task"]["preparation"]
        networks = {**planned.asks["networks"], **prior["task"]["networks"]}
        task |= {"prior": described, "prior_key": prior["key"], "networks": networks}
    task["parents"] = parents
    known = {**addresses, **(prior["addresses"] if prior else {}), **planned.on_top.addresses}
    key = digest(task)
    for stage in planned.stages:
        plan.stages.setdefault(stage.key, stage)
    here = {name: known[name] for name in sorted(named_in(task))}
    shift = replace(
        planned.on_top, kind="shift", key=key, task=task, parents=tuple(parents), after=(), label=label, addresses=here
    )
    plan.stages.setdefault(key, shift)
    return key


def _coordinates(cell: dict[str, Any]) -> SetCoordinates:
    split = cell["split"].rpartition("/")[0]
    return SetCoordinates(cell["dataset"], split, cell["ipc"], cell["method"], cell["seed"])
