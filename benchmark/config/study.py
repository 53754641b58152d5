"""From a configuration to a study: names are replaced by registered objects, with options applied and checked."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ParamSpec, TypeVar

from ddbench.config import variants
from ddbench.config.addresses import addresses_of, classes_in
from ddbench.config.judging import check_labels
from ddbench.config.schema import Config
from ddbench.config.sections import check_sections
from ddbench.config.values import build, describe, override
from ddbench.errors import BenchError, PluginError, unknown
from ddbench.plugins import registry
from ddbench.plugins.broken import BrokenDataset, BrokenMethod, BrokenNetwork
from ddbench.plugins.files import load_plugins
from ddbench.plugins.hidden import hidden
from ddbench.types import Dataset, Distiller, Network, Preparation, Protocol

P = ParamSpec("P")
R = TypeVar("R")

SECTIONS = ("data.", "methods.", "per_dataset.")
"""beginnings of the places of options; those of a variant's begin with its name"""


@dataclass(frozen=True)
class ExternalSets:
    """Distilled sets made by other code, evaluated like those of a method."""

    method: Distiller
    images: tuple[str, ...]
    """digests of the sets, in the order of the grid's seeds"""

    def to_json(self) -> dict[str, Any]:
        """For the record of a run, from which ``from_json`` plans it again."""
        return {
            "method": describe(self.method),
            "addresses": dict(addresses_of(self.method)),
            "images": list(self.images),
        }

    @classmethod
    def from_json(cls, sets: Mapping[str, Any]) -> ExternalSets:
        """Raises ImportError when the class that stands for their method no longer exists."""
        return cls(build(sets["method"], sets["addresses"]), tuple(sets["images"]))


@dataclass(frozen=True)
class Study:
    """A resolved configuration: the input of a plan."""

    config: Config
    datasets: Mapping[str, Dataset]
    methods: Mapping[tuple[str, str], Distiller]
    """(dataset, method) -> the method with the options for that dataset"""
    networks: Mapping[str, Network]
    """name -> network, for evaluation and for methods that train one"""
    protocol: Protocol
    external: ExternalSets | None = None

    def remarks(self) -> tuple[str, ...]:
        """What the datasets of the study have to say once, when it begins. Raises BenchError."""
        return tuple(remark for dataset in self.datasets.values() for remark in dataset.remarks())

    def broken(self) -> tuple[str, ...]:
        """The reasons for which parts of the study cannot be imported; empty when all can."""
        parts = [*self.datasets.values(), *self.methods.values(), *self.networks.values()]
        kinds = BrokenDataset | BrokenMethod | BrokenNetwork
        return tuple(dict.fromkeys(p.reason for p in parts if isinstance(p, kinds)))


def resolve(config: Config, external: ExternalSets | None = None) -> Study:
    """The study of ``config``. With ``external``, the images of its one method were made by other code.

    Raises BenchError for an unknown name or key, also of datasets and methods that the grid does not name, and for an
    ipc larger than the smallest class.
    """
    try:
        return _resolved(config, external)
    except BenchError as error:
        raise config.located(error) from error.__cause__


def _resolved(config: Config, external: ExternalSets | None) -> Study:
    grid = config.grid
    load_plugins(config.plugins)
    _no_repeats(config)
    plain = {
        name: external.method if external else _placed(f"grid.methods.{n}", _method, name)
        for n, name in enumerate(grid.methods)
    }
    for n, name in enumerate(grid.datasets):
        _placed(f"grid.datasets.{n}", configured_dataset, name, config)
    check_sections(config, plain)
    datasets = {name: _declared(configured_dataset(name, config)) for name in grid.datasets}
    methods = {
        (name, method_name): _placed(f"grid.methods.{n}", _configured, method, method_name, config, dataset)
        for name, dataset in datasets.items()
        for n, (method_name, method) in enumerate(plain.items())
    }
    for (_, name), method in methods.items():
        _check_attributes(method, name)
    networks = {name: _placed(f"grid.archs.{n}", _network, name) for n, name in enumerate(grid.archs)}
    for name in sorted({name for method in methods.values() for name in _networks(method)} - {*networks}):
        networks[name] = _placed(_key_of(name, config), _network, name)
    protocol: Protocol = _placed("grid.protocol", _of_type, "protocol", grid.protocol, Protocol)
    if not external:
        check_labels(grid.protocol, protocol, {name: methods[grid.datasets[0], name] for name in plain})
    for name in sorted({*protocol.networks()} - {*networks}):
        networks[name] = _placed("grid.protocol", _network, name)
    for (_, name), method in methods.items():
        _check_description(method, name)
    for dataset in datasets.values():
        of_it = {name: methods[dataset.name, name] for name in plain}
        limited = next((name for name, one in of_it.items() if not (one.whole or one.exceeds_class())), "")
        if not external and not isinstance(dataset, BrokenDataset):
            _check_ipc(dataset, grid.ipc, limited)
    return Study(
        config=config, datasets=datasets, methods=methods, networks=networks, protocol=protocol, external=external
    )


def _placed(place: str, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """The result of ``function``, whose BenchErrors are about the key ``place`` unless they name one."""
    try:
        return function(*args, **kwargs)
    except PluginError:
        raise
    except BenchError as error:
        raise error if error.place.startswith(SECTIONS) else error.at(place) from error.__cause__


def _key_of(value: str, config: Config) -> str:
    """The first key of the options of methods that has ``value``; empty where none has."""

    def places(options: Any, place: str) -> Iterator[str]:
        if options == value:
            yield place
        for key, inner in options.items() if isinstance(options, dict) else ():
            yield from places(inner, f"{place}.{key}")

    written = {"methods": config.methods, "per_dataset": config.per_dataset}
    return next((found for name, options in written.items() for found in places(options, name)), "")


def _networks(method: Distiller) -> set[str]:
    """Names of the networks that a method and its preparations ask for. Raises BenchError for what is no tuple."""
    names: set[str] = set()
    parts: list[Distiller | Preparation] = [method, *method.preparations(0)]
    for part in parts:
        asked = part.networks()
        if not isinstance(asked, tuple):
            raise BenchError(
                f"{type(part).__name__}.networks() returns {asked!r}: it must be a tuple of names, such as "
                f"({asked if isinstance(asked, str) else 'convnet3'!r},)."
            )
        names |= set(asked)
    return names


def _method(name: str) -> Distiller:
    try:
        method: Distiller = _of_type("method", name, Distiller)
    except PluginError as error:
        return BrokenMethod(str(error))
    return method


def _network(name: str) -> Network:
    try:
        network: Network = _of_type("arch", name, Network)
    except PluginError as error:
        return BrokenNetwork(str(error))
    return network


def _of_type(kind: registry.Kind, text: str, expected: type) -> Any:
    """The registered object named ``text`` (NAME or NAME[KEY=VALUE,...]); the changes of methods are applied later."""
    selected = variants.parse(text)
    value = registry.load(kind, selected.name)
    if isinstance(value, type) and issubclass(value, expected):
        raise BenchError(
            f"the {kind} {text!r} is the class {value.__name__}: register an instance, {value.__name__}()."
        )
    if not isinstance(value, expected):
        raise BenchError(f"the {kind} {text!r} is a {type(value).__name__}, not a {expected.__name__}.")
    return value if kind == "method" else override(value, selected.changes, text)


def configured_dataset(name: str, config: Config) -> Dataset:
    """The registered dataset ``name`` with its options in ``config``. Nothing is read. Raises BenchError."""
    try:
        dataset: type[Dataset] = registry.load("dataset", name)
    except PluginError as error:
        return BrokenDataset(name, str(error))
    whose = _whose(name)
    if not (isinstance(dataset, type) and issubclass(dataset, Dataset)):
        raise BenchError(f"{whose} is no subclass of Dataset: register the class itself.")
    try:
        plain = dataset()
    except TypeError as error:
        raise BenchError(
            f"{whose} cannot be made: {error}. Give its fields defaults, and write what is missing."
        ) from None
    if plain.name != name:
        raise BenchError(f"{whose} calls itself {plain.name!r}: its name must be the one that it is registered under.")
    return override(plain, config.data.get(name, {}), f"data.{name}")


def _whose(name: str) -> str:
    return f"the dataset {name!r} ({registry.entries('dataset')[name].origin})"


def _declared(dataset: Dataset) -> Dataset:
    """``dataset``. Raises BenchError when the classes and counts that it declares contradict each other."""
    if isinstance(dataset, BrokenDataset):
        return dataset
    whose = _whose(dataset.name)
    try:
        classes, counts = dataset.classes, dataset.train_counts()
    except BenchError:
        raise
    except Exception as error:
        raise BenchError(f"{whose} cannot say what it holds: {type(error).__name__}: {error}.") from error
    if not isinstance(classes, tuple) or len(set(classes)) != len(classes):
        raise BenchError(f"{whose} must give its classes as a tuple of different names.")
    if len(counts) != len(classes):
        raise BenchError(f"{whose} has {len(classes)} classes and {len(counts)} counts of train images.")
    return dataset


def _check_attributes(method: Distiller, name: str) -> None:
    """Raises BenchError when a part of a method, or a preparation of it, hides an attribute of its base class.

    Parts are not registered one by one, as methods are.
    """
    for parts in (lambda: method, lambda: method.preparations(0)):
        for cls in classes_in(parts()):
            if cls.__module__.partition(".")[0] != registry.PACKAGE and (what := hidden(cls)):
                raise BenchError(f"{cls.__name__}, a part of the method {name!r}, has {what}. Rename it.")


def _check_description(method: Distiller, name: str) -> None:
    """Raises BenchError when a method cannot be described as JSON, or ``reads`` fields that it does not have."""
    try:
        described = describe(method)
    except TypeError as error:
        raise BenchError(f"the method {name!r} cannot be recorded: {error}.") from None
    for field in method.reads():
        if field not in described:
            raise unknown("field", field, set(described) - {"type"}, where=f"reads() of the method {name!r}")


def _configured(method: Distiller, name: str, config: Config, dataset: Dataset) -> Distiller:
    """``method`` with the options of its family, then its own, those for the dataset, and those in its name.

    The result is a BrokenMethod when its objective or guidance, or the dataset, cannot be imported.
    """
    if isinstance(dataset, BrokenDataset):
        return BrokenMethod(dataset.reason)
    if isinstance(method, BrokenMethod):
        return method
    selected = variants.parse(name)
    of_dataset = config.per_dataset.get(dataset.name, {})
    try:
        for layer, where in ((config.methods, "methods"), (of_dataset, f"per_dataset.{dataset.name}")):
            method = _with_layer(method, selected.name, layer, where)
        return override(method, selected.changes, name)
    except PluginError as error:
        return BrokenMethod(str(error))


def _with_layer(method: Distiller, name: str, layer: Mapping[str, Any], where: str) -> Distiller:
    """``method`` with what ``layer`` says of its family, then of itself."""
    for key in dict.fromkeys((method.family, name)):
        if key in layer:
            method = override(method, layer[key], f"{where}.{key}")
    return method


def without_variants(name: str, config: Config) -> Distiller:
    """The registered method ``name`` with the options of ``config`` that hold for every dataset. Raises BenchError."""
    method = _method(name)
    return method if isinstance(method, BrokenMethod) else _with_layer(method, name, config.methods, "methods")


def _no_repeats(config: Config) -> None:
    for field in ("datasets", "methods", "ipc", "archs", "seeds", "eval_seeds"):
        values: Iterable[Any] = getattr(config.grid, field)
        seen: set[Any] = set()
        for number, value in enumerate(values):
            if value in seen:
                raise BenchError(f"grid.{field} names {value!r} twice.").at(f"grid.{field}.{number}")
            seen.add(value)


def _check_ipc(dataset: Dataset, ipcs: Iterable[int], method: str) -> None:
    """``method``: one that cannot make more images of a class than the class has, if any."""
    smallest, name = min(zip(dataset.train_counts(), dataset.classes, strict=True))
    for number, ipc in enumerate(ipcs):
        place = f"grid.ipc.{number}"
        if ipc < 1:
            raise BenchError(f"ipc {ipc} is not a number of images: it must be 1 or more.").at(place)
        if ipc > smallest and method:
            raise BenchError(
                f"ipc {ipc} is more than {dataset.name} has: its smallest class, {name!r}, has {smallest} train "
                f"images, and {method} makes no more. Use --ipc {smallest} or less."
            ).at(place)
