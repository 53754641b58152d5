"""A study's configuration: one YAML file, checked key by key, with command-line overrides on top."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any, Literal, get_args

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from benchmark.errors import BenchError, unknown

StageKind = Literal["prior", "fit", "embed", "shard", "distill", "evaluate"]
STAGE_KINDS: tuple[StageKind, ...] = get_args(StageKind)


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Grid(Section):
    """The cells: every combination of these lists."""

    datasets: tuple[str, ...] = Field(min_length=1)
    methods: tuple[str, ...] = Field(min_length=1)
    ipc: tuple[int, ...] = Field(min_length=1)
    archs: tuple[str, ...] = Field(min_length=1)
    protocol: str
    seeds: tuple[int, ...] = Field(min_length=1)
    """seeds of the distilled sets"""
    eval_seeds: tuple[int, ...] = Field(min_length=1)
    """seeds of the classifiers, crossed with ``seeds``"""


class Threads(Section):
    """CPU threads of each kind of stage. They change the last bits of a result, so they are part of its key."""

    prior: int = Field(1, ge=1)
    fit: int = Field(1, ge=1)
    embed: int = Field(1, ge=1)
    distill: int = Field(1, ge=1)
    evaluate: int = Field(1, ge=1)


class Overrides(Section):
    """Options that replace defaults: of datasets by name, and of methods by name or family."""

    data: dict[str, dict[str, Any]] = Field(default_factory=dict)
    methods: dict[str, dict[str, Any]] = Field(default_factory=dict)


class Config(Overrides):
    """A study."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    description: str = ""
    grid: Grid
    split: Literal["test", "validation"] = "test"
    """the images that classifiers are judged on; choose hyper-parameters on ``validation``"""
    device: Literal["cpu", "cuda"] = "cpu"
    threads: Threads = Threads()
    class_shards: int = Field(1, ge=1)
    """groups of classes that are distilled as stages of their own, side by side, by methods that allow it"""
    per_dataset: dict[str, dict[str, dict[str, Any]]] = Field(default_factory=dict)
    """dataset -> method or family -> options, on top of ``methods``"""


def named_configs() -> dict[str, Path]:
    """The studies that come with the harness, by name."""
    folder = Path(str(resources.files("configs")))
    return {path.stem: path for path in sorted(folder.glob("*.yaml"))}


def load_config(name_or_path: str, changes: Mapping[str, Any], assignments: Sequence[str]) -> Config:
    """The study ``name_or_path`` with ``changes`` (dotted key -> value) and ``key=value`` ``assignments`` on top.

    Raises BenchError for a missing file, bad YAML, an unknown key at any depth or a value of the wrong type.
    """
    path = _find(name_or_path)
    try:
        raw = yaml.safe_load(path.read_text())
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        problem = " ".join(str(error).split())
        raise BenchError(f"cannot read the configuration {path}: {problem}.") from None
    if not isinstance(raw, dict):
        raise BenchError(f"{path} is not a configuration: it must be a YAML mapping with the keys name and grid.")
    for key, value in changes.items():
        _assign(raw, key, value, f"--set {key}")
    for assignment in assignments:
        key, equals, text = assignment.partition("=")
        if not equals or not re.fullmatch(r"[^\s=]+", key):
            raise BenchError(
                f"--set {assignment!r} is not key=value. Example: --set methods.rsm.objective.weight=0.004"
            )
        try:
            value = yaml.safe_load(text)
        except yaml.YAMLError:
            raise BenchError(f"--set {assignment!r}: {text!r} is not a YAML value; put quotes around it.") from None
        _assign(raw, key, value, f"--set {assignment!r}")
    try:
        return Config.model_validate(raw)
    except ValidationError as error:
        raise _explain(error, str(path)) from None


def _find(name_or_path: str) -> Path:
    known = named_configs()
    if name_or_path in known:
        return known[name_or_path]
    path = Path(name_or_path)
    if path.suffix in {".yaml", ".yml"} or path.is_file():
        if not path.is_file():
            raise BenchError(f"there is no configuration file {path}. `bench list configs` shows the named ones.")
        return path
    raise unknown("config", name_or_path, known, hint="A file is given by its path, ending in .yaml.")


def _assign(raw: dict[str, Any], key: str, value: Any, where: str) -> None:
    """raw[a][b][c] = value for the key ``a.b.c``. A part that is a dataset or protocol name may hold no dots."""
    *parents, last = key.split(".")
    node = raw
    for depth, part in enumerate(parents):
        child = node.setdefault(part, {})
        if child is None:
            child = node[part] = {}
        if not isinstance(child, dict):
            raise BenchError(f"{where}: {'.'.join(parents[: depth + 1])} is {child!r}, it holds no further keys.")
        node = child
    node[last] = value


def _explain(error: ValidationError, where: str) -> BenchError:
    """The first problem of a failed validation as one message."""
    first = error.errors()[0]
    location = [str(part) for part in first["loc"]]
    dotted = ".".join(location)
    if first["type"] == "extra_forbidden":
        model: type[BaseModel] = Config
        for part in location[:-1]:
            inner = model.model_fields[part].annotation
            if not (isinstance(inner, type) and issubclass(inner, BaseModel)):
                break
            model = inner
        inside = f"{where}, section {'.'.join(location[:-1])}" if location[:-1] else where
        return unknown("key", location[-1], model.model_fields, where=inside)
    if first["type"] == "missing":
        return BenchError(f"{where} lacks the key {dotted}.")
    return BenchError(f"bad value {first['input']!r} for {dotted} in {where}: {first['msg']}.")
