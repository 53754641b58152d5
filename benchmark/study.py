"""A configuration resolved: names turned into the registered objects, with their options applied and checked."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from benchmark import registry
from benchmark.config import Config
from benchmark.errors import BenchError, unknown
from benchmark.types import Dataset, Distiller, Network, Protocol
from benchmark.values import override


@dataclass(frozen=True)
class Study:
    """What a plan is made of."""

    config: Config
    datasets: Mapping[str, Dataset]
    methods: Mapping[tuple[str, str], Distiller]
    """(dataset, method) -> the method with that dataset's options"""
    networks: Mapping[str, Network]
    """the judging archs and those that methods ask for"""
    protocol: Protocol


def resolve(config: Config) -> Study:
    """Raises BenchError for any unknown name or key, and for an ipc that the smallest class cannot give."""
    grid = config.grid
    _no_repeats(config)
    datasets = {name: _dataset(name, config) for name in grid.datasets}
    plain = {name: _of_type("method", name, Distiller) for name in grid.methods}
    _check_method_keys(config, plain)
    methods = {
        (dataset, name): _configured(method, name, config, dataset)
        for dataset in grid.datasets
        for name, method in plain.items()
    }
    asked = {name for method in methods.values() for name in _networks(method)}
    networks = {name: _of_type("arch", name, Network) for name in [*grid.archs, *sorted(asked)]}
    protocol = _of_type("protocol", grid.protocol, Protocol)
    for dataset in datasets.values():
        _check_ipc(dataset, grid.ipc)
    return Study(config=config, datasets=datasets, methods=methods, networks=networks, protocol=protocol)


def _networks(method: Distiller) -> set[str]:
    """Names of the networks that a method and its preparations ask for."""
    prepared = (name for preparation in method.preparations(0) for name in preparation.networks())
    return {*method.networks(), *prepared}


def _of_type(kind: registry.Kind, name: str, expected: type) -> Any:
    value = registry.load(kind, name)
    if not isinstance(value, expected):
        reference = registry.entries(kind)[name].reference
        raise BenchError(f"the {kind} {name!r} ({reference}) is a {type(value).__name__}, not a {expected.__name__}.")
    return value


def _dataset(name: str, config: Config) -> Dataset:
    return override(registry.load("dataset", name)(), config.data.get(name, {}), f"data.{name}")


def _configured(method: Distiller, name: str, config: Config, dataset: str) -> Distiller:
    """``method`` with the options of its family, then its own, then those for the dataset."""
    for layer, where in ((config.methods, "methods"), (config.per_dataset.get(dataset, {}), f"per_dataset.{dataset}")):
        for key in dict.fromkeys((method.family, name)):
            if key in layer:
                method = override(method, layer[key], f"{where}.{key}")
    return method


def _check_method_keys(config: Config, methods: Mapping[str, Distiller]) -> None:
    """Options of a method that exists nowhere are a slip; those of one that this run leaves out are not."""
    datasets = registry.entries("dataset")
    for place, named in (("data", config.data), ("per_dataset", config.per_dataset)):
        for name in named:
            if name not in datasets:
                raise unknown("dataset", name, datasets, where=place)
    selected = {*registry.entries("method"), *(method.family for method in methods.values())}
    for place, layer in (
        ("methods", config.methods),
        *((f"per_dataset.{d}", v) for d, v in config.per_dataset.items()),
    ):
        for key in layer:
            if key not in selected and key not in (known := selected | _families()):
                raise unknown("method or family", key, known - {""}, where=place)


def _families() -> set[str]:
    """The families of every registered method that can be imported."""
    found = set()
    for entry in registry.entries("method").values():
        with contextlib.suppress(BenchError):
            found.add(getattr(entry.load(), "family", ""))
    return found


def _no_repeats(config: Config) -> None:
    for field in ("datasets", "methods", "ipc", "archs", "seeds", "eval_seeds"):
        values: Iterable[Any] = getattr(config.grid, field)
        seen: set[Any] = set()
        for value in values:
            if value in seen:
                raise BenchError(f"grid.{field} names {value!r} twice.")
            seen.add(value)


def _check_ipc(dataset: Dataset, ipcs: Iterable[int]) -> None:
    smallest, name = min(zip(dataset.train_counts(), dataset.classes, strict=True))
    for ipc in ipcs:
        if ipc < 1:
            raise BenchError(f"ipc {ipc} is not a number of images: it must be 1 or more.")
        if ipc > smallest:
            raise BenchError(
                f"ipc {ipc} is more than {dataset.name} has: its smallest class, {name!r}, has {smallest} train "
                f"images. Use --ipc {smallest} or less."
            )
