"""The configuration of a study: a YAML file with command-line changes on top, every key checked."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal, get_args

import yaml
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PositiveFloat,
    PrivateAttr,
    ValidationError,
    ValidationInfo,
    field_validator,
)

from ddbench.config import variants
from ddbench.config.files import EXTENDS, read_study
from ddbench.config.origins import Origin, Origins, counted_as_expanded, located, origin_of, placed
from ddbench.config.reading import read_yaml
from ddbench.config.refusals import refused
from ddbench.errors import BenchError, unknown
from ddbench.hyperparameters import FORMER, renamed
from ddbench.types import Compute

StageKind = Literal["data", "prior", "fit", "embed", "teacher", "shard", "distill", "evaluate", "shift"]
STAGE_KINDS: tuple[StageKind, ...] = get_args(StageKind)


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    @field_validator("*", mode="before")
    @classmethod
    def _no_truth_for_a_number(cls, value: Any, info: ValidationInfo) -> Any:
        """pydantic takes true, which YAML also reads ``yes`` and ``on`` as, for 1."""
        hint = str(cls.model_fields[str(info.field_name)].annotation)
        inner = value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else [value]
        if ("int" in hint or "float" in hint) and any(isinstance(one, bool) for one in inner):
            raise ValueError("it must be a number, not true or false")
        return value


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

    @field_validator("methods", "archs")
    @classmethod
    def _each_variant(cls, names: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        expanded: list[str] = []
        for number, text in enumerate(names):
            try:
                expanded.extend(variants.expand(text))
            except BenchError as error:
                raise error.at(f"grid.{info.field_name}.{number}") from None
        return tuple(expanded)


class Threads(Section):
    """CPU threads of each kind of stage. They change results in the last bits, so they are part of keys."""

    prior: int = Field(1, ge=1)
    fit: int = Field(1, ge=1)
    embed: int = Field(1, ge=1)
    teacher: int = Field(1, ge=1)
    distill: int = Field(1, ge=1)
    evaluate: int = Field(1, ge=1)


class Resources(Section):
    """What a stage of one kind reserves on a machine. Defaults: a CPU for each of its threads, a GPU if ``device`` is
    cuda, and the largest memory peak that the store has recorded for this kind."""

    cpus: float | None = Field(None, gt=0)
    gpus: float | None = Field(None, ge=0)
    """a fraction lets several stages share one GPU"""
    memory_gib: float | None = Field(None, gt=0)
    together: int | None = Field(None, ge=1)
    """evaluations of one sort that a process trains at the same time, of ``evaluate`` alone. Default: one on a CPU,
    some of a small network on a card"""

    @field_validator("gpus")
    @classmethod
    def _shared_or_whole(cls, gpus: float | None) -> float | None:
        if gpus is not None and gpus > 1 and gpus % 1:
            raise ValueError("a stage takes a part of one GPU, or whole ones")
        return gpus


class Running(Section):
    """How stages are run. It changes no result and is part of no key."""

    resources: dict[str, Resources] = Field(default_factory=dict)
    """by kind of stage"""
    timeouts: dict[str, PositiveFloat] = Field(default_factory=dict)
    """kind of stage -> seconds after which it is terminated"""
    stall: PositiveFloat | None = None
    """seconds without progress after which a stage that reports progress is terminated"""
    retries: int = Field(2, ge=0)
    """how often a stage whose worker or machine was lost is tried again"""

    @field_validator("resources", "timeouts")
    @classmethod
    def _of_stages(cls, by_kind: dict[str, Any], info: ValidationInfo) -> dict[str, Any]:
        for kind in by_kind:
            if kind not in STAGE_KINDS:
                raise unknown("kind of stage", kind, STAGE_KINDS, where=str(info.field_name)).at(
                    f"{info.field_name}.{kind}"
                )
            if kind != "evaluate" and getattr(by_kind[kind], "together", None) is not None:
                raise ValueError(f"{kind}.together: only evaluations run together; use resources.evaluate.together")
        return by_kind


class Overrides(Section):
    """Options that replace defaults: datasets by name, methods by name or family."""

    data: dict[str, dict[str, Any]] = Field(default_factory=dict)
    methods: dict[str, dict[str, Any]] = Field(default_factory=dict)


class Tuned(Section):
    """The search of hyper-parameters that some values of the study come from, and its cost."""

    tune: str
    """id of the search"""
    method: str
    values: dict[str, Any]
    """chosen value by dotted key"""
    trials: int
    """number of settings tried"""
    cells: int
    """number of cells evaluated, all on the validation part"""


class Config(Overrides, Running):
    """A study."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    description: str = ""
    grid: Grid
    plugins: tuple[str, ...] = ()
    """Python files that register methods and other parts; relative to the current folder"""
    split: Literal["test", "validation"] = "test"
    """the images that classifiers are judged on; choose hyper-parameters on ``validation``"""
    allow_test_copies: bool = False
    """whether a set that holds images of the judged split is judged all the same; otherwise its cells fail"""
    device: Literal["cpu", "cuda"] = "cpu"
    nondeterministic: Literal["record", "refuse"] = "record"
    """operations that a GPU does not repeat bit by bit: ``record`` names them on the record, ``refuse`` ends the stage.
    Part of keys, since attention is computed otherwise under ``refuse``"""
    threads: Threads = Threads()
    compute: Compute = Compute()
    class_shards: int = Field(1, ge=1)
    """number of groups of classes that separable methods distil in parallel stages"""
    per_dataset: dict[str, dict[str, dict[str, Any]]] = Field(default_factory=dict)
    """dataset -> method or family -> options, on top of ``methods``"""
    tuned: tuple[Tuned, ...] = ()
    """searches that values above come from: stored with the run, read by no stage"""
    _origins: Origins = PrivateAttr(default_factory=dict)
    _given: Mapping[str, Any] = PrivateAttr(default_factory=dict)

    def located(self, error: BenchError) -> BenchError:
        """``error`` with the file and line, or the option, that the key it is about was written in."""
        return located(error, self._origins)

    @property
    def origins(self) -> Origins:
        """Where the keys were written."""
        return self._origins

    @property
    def given(self) -> Mapping[str, Any]:
        """The keys that were written, in files and by options, nested."""
        return self._given


def load_config(
    name_or_path: str, changes: Mapping[str, Any], assignments: Sequence[str], typed: Mapping[str, str] | None = None
) -> Config:
    """The study ``name_or_path`` with ``changes`` (dotted key -> value) and ``key=value`` ``assignments`` on top.

    typed: key of ``changes`` -> the option, as a person types it, that it came by. Raises BenchError for a missing
    file, bad YAML, a key given twice, an unknown key at any depth or a value of the wrong type.
    """
    raw, origins, path = read_study(name_or_path)
    if other := _other_data(raw, changes):
        raw |= {"name": other, "description": ""}
    for key, value in changes.items():
        option = (typed or {}).get(key, "")
        _assign(raw, key, value, option or f"--set {key}")
        origins = placed(origins, key, Origin(option))
    for assignment in assignments:
        key, value = read_assignment(assignment, "methods.rsm.objective.weight=0.004")
        if key == EXTENDS:
            raise BenchError(f"--set {assignment!r}: a study extends another in its file. Use --config {value}.")
        _assign(raw, key, value, f"--set {assignment!r}")
        origins = placed(origins, key, Origin(f"--set {assignment!r}"))
    for field in ("methods", "archs"):
        texts = raw["grid"].get(field) if isinstance(raw.get("grid"), dict) else None
        origins = counted_as_expanded(origins, f"grid.{field}", texts)
    return _validated(raw, str(path), origins)


def _other_data(raw: Mapping[str, Any], changes: Mapping[str, Any]) -> str:
    """The name of a study none of whose datasets is left in ``changes``: what its file says of it is of others."""
    grid, chosen = raw.get("grid"), changes.get("grid.datasets")
    before = grid.get("datasets") if isinstance(grid, dict) else None
    if not isinstance(before, list) or not isinstance(chosen, list) or not chosen or set(before) & set(chosen):
        return ""
    return re.sub(r"[^A-Za-z0-9._-]", "-", "-".join(map(str, chosen))).lstrip("._-")


def read_assignment(assignment: str, example: str) -> tuple[str, Any]:
    """Key and YAML value of the ``--set`` option ``key=value``. Raises BenchError, showing ``example``, otherwise."""
    key, equals, text = assignment.partition("=")
    if not equals or not re.fullmatch(r"[^\s=]+", key):
        raise BenchError(f"--set {assignment!r} is not key=value. Example: --set {example}")
    try:
        return key, read_yaml(text, f"--set {assignment!r}")[0]
    except yaml.YAMLError:
        raise BenchError(f"--set {assignment!r}: {text!r} is not a YAML value; put quotes around it.") from None


def changed(config: Config, values: Mapping[str, Any]) -> Config:
    """``config`` with ``values`` (dotted key -> value) on top. Raises BenchError as ``load_config`` does."""
    raw = config.model_dump(mode="json")
    for key, value in values.items():
        _assign(raw, key, value, key)
    return _validated(raw, config.name)


def recorded_config(raw: Mapping[str, Any]) -> Config:
    """The study that a run on a store asked for, perhaps in words of an earlier release. Raises ValueError and
    BenchError for one that this release does not know."""
    compute = {
        option: FORMER[option].get(value, value) if option in FORMER else value
        for option, value in (raw.get("compute") or {}).items()
    }
    return Config.model_validate({**raw, **({"compute": compute} if compute else {})})


def _validated(raw: dict[str, Any], where: str, origins: Origins | None = None) -> Config:
    try:
        config = Config.model_validate(raw)
    except ValidationError as error:
        raise _explain(error, where, origins or {}) from None
    except BenchError as error:  # of a validator
        raise located(error, origins or {}) from None
    config._origins, config._given = origins or {}, raw
    return config


def _assign(raw: dict[str, Any], key: str, value: Any, where: str) -> None:
    """raw[a][b][c] = value for the key ``a.b.c``. Names in a key must not contain dots."""
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


def _explain(error: ValidationError, where: str, origins: Origins) -> BenchError:
    """The first problem of a failed validation as one message; a key that is lacking may be one that is misspelt."""
    strange = ("extra_forbidden", "unexpected_keyword_argument")  # of a pydantic model, of a dataclass
    problems = error.errors()
    first = next((one for one in problems if one["type"] in strange), problems[0])
    location = [str(part) for part in first["loc"]]
    dotted = ".".join(location)
    where = str(origin_of(origins, dotted)) or where
    if first["type"] in strange:
        keys = _keys(Config)
        keys = keys if location[:-1] else {**keys, EXTENDS: str}
        for part in location[:-1]:
            keys = _keys(keys.get(part)) or keys
        inside = f"{where}, section {'.'.join(location[:-1])}" if location[:-1] else where
        hint = "A file nests its keys; dotted ones are for --set." if "." in location[-1] else ""
        return unknown("key", location[-1], keys, where=inside, hint=hint)
    if first["type"] == "missing":
        return BenchError(f"{where} lacks the key {dotted}.")
    if first["type"] == "too_short":
        return BenchError(f"{dotted} in {where} is empty: name at least one.")
    problem = refused(first)
    now = renamed(dotted, first["input"])
    return BenchError(f"bad value {first['input']!r} for {dotted} in {where}: {problem}. {now}".strip())


def _keys(section: Any) -> dict[str, Any]:
    """Key -> annotation of a section of the configuration; empty for any other annotation."""
    if isinstance(section, type) and issubclass(section, BaseModel):
        return {key: info.annotation for key, info in section.model_fields.items()}
    if dataclasses.is_dataclass(section):
        return {field.name: field.type for field in dataclasses.fields(section)}
    return {}
