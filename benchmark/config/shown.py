"""A configuration as a person reads it: every value with the place that it comes from."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from ddbench.config import variants
from ddbench.config.files import named_configs
from ddbench.config.origins import Origin, Origins, origin_of
from ddbench.config.schema import Config
from ddbench.config.study import Study, without_variants
from ddbench.config.values import describe, fields_named
from ddbench.plugins.registry import registered_name

FIRST = ("name", "description", "grid")
LAST = ("data", "methods", "per_dataset")
_DEFAULT = object()
FURTHEST = 76
"""column beyond which comments are not moved to stand below each other"""


@dataclass(frozen=True)
class Shown:
    """A value of a configuration. ``origin``: where it was written, None for a default."""

    path: tuple[str, ...]
    value: Any
    origin: Origin | None

    @property
    def where(self) -> str:
        """``default``, ``own.yaml:3``, ``extended digits.yaml:7``, or the option."""
        if self.origin is None:
            return "default"
        if not self.origin.line:
            return self.origin.source or "default"
        path = Path(self.origin.source)
        file = path.name if path in named_configs().values() else str(path)
        return f"{'extended ' if self.origin.extended else ''}{file}:{self.origin.line}"


def values_of(config: Config, study: Study | None = None) -> list[Shown]:
    """The values of a configuration, those of a section beside each other; no value stands for an empty section.

    With its ``study``, all options of the datasets and methods of the grid too, with their defaults.
    """
    dumped = config.model_dump(mode="json")
    middle = [key for key in dumped if key not in {*FIRST, *LAST}]
    found = [
        shown
        for key in (*FIRST, *middle, *LAST)
        for shown in _leaves(dumped[key], (key,), config.origins, config.given.get(key, _DEFAULT))
    ]
    if study is None:
        return found
    options = [*_options_of_datasets(study), *_options_of_methods(study)]
    taken = {one.path[:2] for one in options}
    found = [one for one in found if one.path[:2] not in taken] + options
    return sorted(found, key=lambda one: [*FIRST, *middle, *LAST].index(one.path[0]))


def as_yaml(values: Sequence[Shown]) -> str:
    """The values as YAML that ``--config`` reads, each with its origin as a comment."""
    lines: list[tuple[str, str]] = []
    above: tuple[str, ...] = ()
    for shown in values:
        *sections, key = shown.path
        common = next((n for n, (a, b) in enumerate(zip(above, sections, strict=False)) if a != b), None)
        known = min(len(above), len(sections)) if common is None else common
        for depth in range(known, len(sections)):
            lines.append((f"{'  ' * depth}{_scalar(sections[depth])}:", ""))
        lines.append((f"{'  ' * len(sections)}{_scalar(key)}: {_scalar(shown.value)}", shown.where))
        above = tuple(sections)
    column = min(FURTHEST, max((len(text) for text, _ in lines), default=0))
    return "".join(f"{text:{column}}  # {where}\n" if where else f"{text}\n" for text, where in lines)


def _leaves(value: Any, path: tuple[str, ...], origins: Origins, given: Any) -> Iterator[Shown]:
    """``given``: the section as it was written, which lacks the keys that have their defaults."""
    if isinstance(value, dict):
        for key, inner in value.items():
            here = given.get(key, _DEFAULT) if isinstance(given, Mapping) else _DEFAULT
            yield from _leaves(inner, (*path, str(key)), origins, here)
    else:
        yield Shown(path, value, None if given is _DEFAULT else origin_of(origins, ".".join(path)))


def _options_of_datasets(study: Study) -> Iterator[Shown]:
    for name, dataset in study.datasets.items():
        if dataclasses.is_dataclass(dataset):
            yield from _fields(dataset, ("data", name), _written(study.config, dataset, "data", (name,)))


def _options_of_methods(study: Study) -> Iterator[Shown]:
    """Those of every method of the grid that has some, without what ``per_dataset`` and variants change."""
    config = study.config
    for name in dict.fromkeys(variants.parse(text).name for text in config.grid.methods):
        method = without_variants(name, config)
        if dataclasses.is_dataclass(method):
            written = _written(config, method, "methods", tuple(dict.fromkeys((method.family, name))))
            yield from _fields(method, ("methods", name), written)


def _written(config: Config, value: Any, above: str, sections: tuple[str, ...]) -> dict[str, Origin]:
    """Dotted field of ``value`` -> where it was written, in the last of ``sections`` below ``above`` that has it."""
    found: dict[str, Origin] = {}
    for section in sections:
        for place, key in _places(value, getattr(config, above).get(section, {})):
            found[".".join(place)] = origin_of(config.origins, ".".join((above, section, *key)))
    return found


Place = tuple[str, ...]


def _places(value: Any, options: Mapping[str, Any]) -> Iterator[tuple[Place, Place]]:
    """(field of ``value`` in full, key as it is written) of each of ``options``, which may use short names."""
    for key, change in options.items():
        for place in fields_named(value, str(key)):
            part = value
            for name in place:
                part = getattr(part, name)
            if isinstance(change, dict) and dataclasses.is_dataclass(part):
                for inner, written in _places(part, change):
                    yield (*place, *inner), (key, *written)
            else:
                yield (*place, *(["type"] if dataclasses.is_dataclass(part) else [])), (key,)
    if "type" in options:
        yield ("type",), ("type",)


def _fields(value: Any, path: tuple[str, ...], written: Mapping[str, Origin], inner: str = "") -> Iterator[Shown]:
    for field in dataclasses.fields(value):
        if not field.init:
            continue
        current, place = getattr(value, field.name), f"{inner}{field.name}"
        if dataclasses.is_dataclass(current) and not isinstance(current, type):
            kind = getattr(type(current), "registered_as", None)
            name = registered_name(kind, type(current)) if kind else type(current).__name__
            yield Shown((*path, field.name, "type"), name, written.get(f"{place}.type"))
            yield from _fields(current, (*path, field.name), written, f"{place}.")
        else:
            yield Shown((*path, field.name), describe(current), written.get(place))


def _scalar(value: Any) -> str:
    """A value as YAML on one line."""
    if isinstance(value, str) and not value.isprintable():
        return json.dumps(value)
    text: str = yaml.safe_dump(value, default_flow_style=True, width=float("inf"), allow_unicode=True, sort_keys=False)
    return text.removesuffix("\n").removesuffix("\n...")
