"""The options of datasets and methods in a configuration, checked also where no cell of its grid reads them.

A slip under a method that today's grid leaves out would else be found in the run that names it, or never.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import is_dataclass
from typing import Any

from ddbench.config.schema import Config
from ddbench.config.values import override
from ddbench.errors import BenchError, PluginError, unknown
from ddbench.plugins import registry
from ddbench.types import Dataset, Distiller

Layer = Mapping[str, Mapping[str, Any]]
"""method or family -> options"""


def check_sections(config: Config, methods: Mapping[str, Distiller]) -> None:
    """Raises BenchError for the first slip in ``data``, ``methods`` or ``per_dataset``: an unknown dataset, method,
    family or option, or a value of the wrong type. ``methods`` are those of the grid, whose families count as known.

    A section of a plug-in that cannot be imported is left alone, and so is a combination of right options that a class
    refuses: it fails the studies that use it.
    """
    datasets = registry.entries("dataset")
    for place, named in (("data", config.data), ("per_dataset", config.per_dataset)):
        for name in named:
            if name not in datasets:
                raise unknown("dataset", name, datasets, where=place).at(f"{place}.{name}")
    for name, options in config.data.items():
        if dataset := _dataset(name):
            _applied(dataset, options, f"data.{name}")
    layers = [("methods", config.methods)]
    _check_layer(layers, methods)
    for name, layer in config.per_dataset.items():
        _check_layer([*layers, (f"per_dataset.{name}", layer)], methods)


def _check_layer(layers: list[tuple[str, Any]], methods: Mapping[str, Distiller]) -> None:
    """Raises BenchError for a slip in the last of ``layers``, (place, layer), applied on top of those before."""
    place, layer = layers[-1]
    for key in layer:
        if key in registry.entries("method"):
            _check_method(key, key, layers)
            continue
        slip, found = None, key in {method.family for method in methods.values()}
        for name in _members(key):
            found = True
            try:
                _check_method(name, key, layers)
            except BenchError as error:
                slip = slip or error
            else:
                break  # an option of one member of the family is right for studies of that member
        else:
            if slip:
                raise slip
        if not found:
            known = {*registry.entries("method"), *_families()} - {""}
            raise unknown("method or family", key, known, where=place).at(f"{place}.{key}")


def _check_method(name: str, key: str, layers: list[tuple[str, Any]]) -> None:
    """Apply ``layers`` to the method ``name``.

    Raises BenchError for a slip in the section ``key`` of the last layer.
    """
    try:
        method = registry.load("method", name)
    except PluginError:
        return
    if not isinstance(method, Distiller):
        return
    for place, layer in layers:
        for section in dict.fromkeys((method.family, name)):
            if section not in layer:
                continue
            counts = place == layers[-1][0] and section == key
            method = _applied(method, layer[section], f"{place}.{section}", counts)


def _applied(value: Any, options: Mapping[str, Any], where: str, counts: bool = True) -> Any:
    """``value`` with ``options``, or as it is where they do not apply.

    Raises BenchError for a slip, if it ``counts``.
    """
    if not is_dataclass(value):
        return value
    try:
        return override(value, dict(options), where)
    except PluginError:
        return value
    except BenchError as error:
        if counts and error.place:
            raise
        return value


def _dataset(name: str) -> Dataset | None:
    """A registered dataset at its defaults; None where it cannot be made."""
    try:
        dataset: Dataset = registry.load("dataset", name)()
    except Exception:
        return None
    return dataset


def _members(family: str) -> Iterator[str]:
    """The registered methods of a family, those of the harness first: others are imported only where none of it
    fits."""
    entries = registry.entries("method").values()
    for entry in sorted(entries, key=lambda e: e.origin.partition(" ")[0] != registry.DISTRIBUTION):
        try:
            if getattr(entry.load(), "family", "") == family:
                yield entry.name
        except PluginError:
            continue


def _families() -> set[str]:
    """The families of all registered methods that can be imported."""
    families = set()
    for entry in registry.entries("method").values():
        try:
            families.add(getattr(entry.load(), "family", ""))
        except PluginError:
            continue
    return families
