"""The steps that a stage takes by the defaults of a paper, where its dataset is far smaller than the paper's."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from ddbench.config import variants
from ddbench.config.addresses import class_of
from ddbench.errors import BenchError
from ddbench.plan.graph import Stage
from ddbench.plugins import registry
from ddbench.stages.inputs import dataset_of

STEPS = ("steps", "iterations")
"""options that say how often an optimiser steps"""
BATCHES = ("batch", "batch_real")
"""options that say how many images a step takes"""
SMALL = 10_000
"""train images; Imagenette, the smallest dataset of the diffusion papers, has 9,469"""
OFTEN = 20
"""times that each train image is seen; Minimax fine-tunes ten times over Imagenette, and the digits study nine times
over the digits"""


@dataclass(frozen=True)
class Workload:
    """``steps`` of ``batch`` images each, over ``train`` images; ``option``: the key that changes it, or empty."""

    name: str
    steps: int
    batch: int
    train: int
    option: str

    def __str__(self) -> str:
        times = self.steps * self.batch / self.train
        change = f"; another number with --set {self.option}=N" if self.option else ""
        return (
            f"{self.steps:,} {self.name} of {self.batch} images, which nothing in the configuration changes, are "
            f"{times:,.0f} times each of {self.train:,} train images{change}"
        )


def paper_sized(stage: Stage, methods: Iterable[str]) -> Iterator[Workload]:
    """What a stage does by defaults that see each train image of a small dataset often.

    methods: names of the plan's methods, among whose options those of the stage are looked for.
    """
    described = stage.task.get("preparation") or stage.task.get("method")
    loads = [] if described is None else list(_at_defaults(described, stage))
    if not loads:
        return
    try:
        train = sum(dataset_of(stage).train_counts())
    except (ImportError, BenchError):
        return
    for cls, name, steps, batch in loads:
        if 0 < train < SMALL and steps * batch > OFTEN * train:
            yield Workload(name, steps, batch, train, _option(cls, name, methods))


def _at_defaults(described: Any, stage: Stage) -> Iterator[tuple[type, str, int, int]]:
    """(class, option, steps, images of a step) of each part, at any depth, that takes steps as its default says."""
    if isinstance(described, list):
        for part in described:
            yield from _at_defaults(part, stage)
    if not isinstance(described, dict):
        return
    for part in described.values():
        yield from _at_defaults(part, stage)
    name = next((name for name in STEPS if name in described), None)
    batch = next((described[name] for name in BATCHES if name in described), None)
    if name is None or not isinstance(batch, int) or "type" not in described:
        return
    try:
        cls = class_of(described["type"], stage.addresses)
    except (ImportError, BenchError, KeyError):
        return
    if any(field.name == name and field.default == described[name] for field in dataclasses.fields(cls)):
        yield cls, name, described[name], batch


def _option(cls: type, name: str, methods: Iterable[str]) -> str:
    """``methods.diffusion.finetune.steps``: the key of the option ``name`` of ``cls`` in a configuration, or empty."""
    for text in methods:
        try:
            method = registry.load("method", variants.parse(text).name)
        except BenchError:
            continue
        for path, part in _parts(method):
            if type(part) is cls:
                return ".".join(("methods", method.family or variants.parse(text).name, *path, name))
    return ""


def _parts(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """The dataclasses in ``value``, with the names of the fields that lead to them."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        yield path, value
        for field in dataclasses.fields(value):
            yield from _parts(getattr(value, field.name), (*path, field.name))
