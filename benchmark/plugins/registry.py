"""The registry of methods, datasets, archs (networks), protocols, objectives, guidances and watchers.

Installed packages register them as Python entry points, plug-in files with the decorator ``register``. The built-in
ones are entry points too. Listing reads metadata and source text and imports nothing.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import itertools
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import entry_points, version
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args

from ddbench.errors import BenchError, PluginError, unknown
from ddbench.isolation.around import importing
from ddbench.plugins.hidden import hidden
from ddbench.plugins.loaded import note_module
from ddbench.plugins.silent import forget_silent, silent_hint
from ddbench.plugins.source import parse
from ddbench.wording import first_sentence

T = TypeVar("T")

Kind = Literal["method", "dataset", "arch", "protocol", "objective", "guidance", "watcher"]
KINDS: tuple[Kind, ...] = get_args(Kind)
"""entry-point group of a kind: ``bench.<kind>s``"""

CLASSES: tuple[Kind, ...] = ("dataset", "objective", "guidance", "watcher")
"""kinds that register a class; the others register an instance"""

ALSO: dict[str, Kind] = {"network": "arch"}
"""another word for a kind"""

NAME = r"[A-Za-z0-9][A-Za-z0-9_.@+-]*"
"""pattern of a name; commas, brackets and slashes have a meaning on the command line"""

DISTRIBUTION = "dataset-distillation-bench"
"""distribution of the harness, whose own entry points are tested to be importable"""
PACKAGE = "ddbench"
"""import name of the harness"""


@dataclass(frozen=True)
class Entry:
    """A registered name. ``reference``: ``module:attribute``; ``origin``: the distribution or file that defines it."""

    kind: Kind
    name: str
    reference: str
    origin: str
    value: Any = None
    """the object itself, where the decorator registered it"""

    def load(self) -> Any:
        """The registered object. Raises PluginError, naming the origin, when it cannot be imported, replaces a part of
        the harness, or has a field that hides an attribute of its base class."""
        if self.value is not None:
            return self.value
        module, _, attribute = self.reference.partition(":")
        try:
            value: Any = import_plugin(module)
            for part in attribute.split("."):
                value = getattr(value, part)
        except (Exception, SystemExit) as error:
            raise PluginError(
                f"the {self.kind} {self.name!r} registered by {self.origin} as {self.reference} cannot be imported: "
                f"{type(error).__name__}: {error}."
            ) from error
        if self.origin.partition(" ")[0] != DISTRIBUTION and (what := hidden(_class_of(value))):
            raise PluginError(
                f"the {self.kind} {self.name!r} registered by {self.origin} as {self.reference} has {what}. Rename it."
            )
        return value

    def summary(self) -> str:
        """The first sentence of its docstring, read from the source without importing it, or why it is broken."""
        if self.value is not None:
            described = self.value if inspect.isclass(self.value) else type(self.value)
            own = "" if inspect.isclass(self.value) else _below_assignment(self.origin, self.name)
            return first_sentence(own or described.__doc__ or "")
        module, _, attribute = self.reference.partition(":")
        try:
            source = parse(module)
        except (SyntaxError, OSError, ValueError) as error:
            return f"BROKEN: {type(error).__name__}: {error}"
        if source is None:
            return f"BROKEN: there is no module {module}"
        for node, following in zip(source.body, [*source.body[1:], None], strict=True):
            if isinstance(node, ast.ClassDef | ast.FunctionDef) and node.name == attribute:
                return first_sentence(ast.get_docstring(node) or "")
            targets = (
                node.targets
                if isinstance(node, ast.Assign)
                else [node.target]
                if isinstance(node, ast.AnnAssign)
                else []
            )
            if any(isinstance(t, ast.Name) and t.id == attribute for t in targets):
                if isinstance(following, ast.Expr) and isinstance(following.value, ast.Constant):
                    return first_sentence(str(following.value.value))
                return ""
        return "" if "." in attribute else f"BROKEN: {module} defines no {attribute}"


def kind_named(word: str) -> Kind | None:
    """The kind that ``word`` names: itself, its plural, or another word for it."""
    singular = word.removesuffix("s")
    return next((kind for kind in KINDS if kind == singular), ALSO.get(singular))


def _below_assignment(file: str, name: str) -> str:
    """The string below the assignment in ``file`` that registers ``name``; empty where there is none.

    It describes an object such as ``mine = register("protocol", "mine@1")(HardLabels(...))``, whose class has a
    docstring of its own.
    """
    try:
        body = ast.parse(Path(file).read_text(encoding="utf-8")).body
    except (OSError, SyntaxError, ValueError):  # a notebook
        return ""
    for node, following in itertools.pairwise(body):
        if isinstance(node, ast.Assign) and isinstance(following, ast.Expr):
            told = following.value
            names = [part.value for part in ast.walk(node.value) if isinstance(part, ast.Constant)]
            if name in names and isinstance(told, ast.Constant) and isinstance(told.value, str):
                return told.value
    return ""


def import_plugin(module: str) -> Any:
    """Import a module by name; one that is not of the harness as a plug-in. Raises BenchError when it replaces a part
    of the harness, and what it raises itself."""
    top = module.partition(".")[0]
    if top == PACKAGE:
        return importlib.import_module(module)
    if module in sys.modules:
        imported = sys.modules[module]
    else:
        with importing(f"the module {module} of a plug-in", top) as changed:
            imported = importlib.import_module(module)
        note_module(*_distribution(top), module, changed)
    if top in _distributions():
        note_module(*_distribution(top), module)
    return imported


def _distribution(top: str) -> tuple[str, str]:
    """Name and version of the distribution that registers entries from a top-level package."""
    name = distribution_of(top)
    return (name, version(name)) if top in _distributions() else (name, "")


def _class_of(value: Any) -> type:
    return value if inspect.isclass(value) else type(value)


_decorated: dict[tuple[Kind, str], Entry] = {}


def register(what: Kind | Literal["network"], name: str) -> Callable[[T], T]:
    """A decorator that registers a class or an instance under ``name``.

    For a class of methods, archs or protocols, its instance with default fields is registered. Raises BenchError for an
    unknown kind, a name with other characters than NAME, a class with annotated fields but without ``@dataclass`` or
    with a field that hides an attribute of its base class, and a name that is taken, showing both origins.
    """
    kind = kind_named(what)
    if kind is None or what not in (*KINDS, *ALSO):
        raise unknown("kind", what, KINDS, where=f"register({what!r}, {name!r})")
    if not re.fullmatch(NAME, name):
        example = f"a letter or digit first. Example: my_{kind}"
        raise BenchError(f"{name!r} cannot name a {kind}: use letters, digits and _ . @ + -, {example}")
    origin = sys._getframe(1).f_code.co_filename

    def add(value: T) -> T:
        cls = _class_of(value)
        fields = [name for name, hint in inspect.get_annotations(cls).items() if "ClassVar" not in str(hint)]
        if fields and "__dataclass_fields__" not in cls.__dict__:
            raise BenchError(
                f"{cls.__name__}, registered as the {kind} {name!r} in {origin}, has the field {fields[0]} but is no "
                "dataclass: nobody could set or record it. Put @dataclass(frozen=True) between @register and the class."
            )
        if what := hidden(cls):
            raise BenchError(
                f"{cls.__name__}, registered as the {kind} {name!r} in {origin}, has {what}: the harness would read it "
                "in its place. Rename it."
            )
        thing = value() if inspect.isclass(value) and kind not in CLASSES else value
        entry = Entry(kind, name, f"{cls.__module__}:{cls.__qualname__}", origin, thing)
        before = _decorated.get((kind, name))
        if before:
            raise _clash(before, entry)
        _decorated[kind, name] = entry
        entries.cache_clear()
        return value

    return add


def registered_by(origin: str) -> list[Entry]:
    """The entries that the file ``origin`` registered."""
    return [entry for entry in _decorated.values() if entry.origin == origin]


def decorated() -> frozenset[tuple[Kind, str]]:
    """Kind and name of all that ``register`` was called for."""
    return frozenset(_decorated)


def forget(origin: str) -> None:
    """Remove the entries that the file ``origin`` registered: before it is run again, or because it failed."""
    forget_silent(origin)
    for key in [key for key, entry in _decorated.items() if entry.origin == origin]:
        del _decorated[key]
    entries.cache_clear()


def import_problem(entry: Entry) -> str:
    """Why an entry of another distribution or a file cannot be imported; empty when it can. Imports it to find out."""
    if entry.origin.partition(" ")[0] == DISTRIBUTION:
        return ""
    try:
        entry.load()
    except PluginError as error:
        return f"{type(error.__cause__).__name__}: {error.__cause__}"
    return ""


def _clash(one: Entry, other: Entry) -> BenchError:
    return BenchError(
        f"two {one.kind}s are called {one.name!r}: {one.reference} from {one.origin} and {other.reference} from "
        f"{other.origin}. Rename or uninstall one of them."
    )


@lru_cache
def entries(kind: Kind) -> dict[str, Entry]:
    """Name -> entry, of one kind, sorted. Raises BenchError, showing both origins, for a name registered twice."""
    by_name: dict[str, Entry] = {name: entry for (of, name), entry in _decorated.items() if of == kind}
    origins: dict[int, str] = {}  # a distribution parses its metadata anew whenever it is asked for its name
    for point in entry_points(group=f"bench.{kind}s"):
        if id(point.dist) not in origins:
            origins[id(point.dist)] = f"{point.dist.name} {point.dist.version}" if point.dist else "unknown"
        entry = Entry(kind, point.name, point.value, origins[id(point.dist)])
        other = by_name.setdefault(point.name, entry)
        if other != entry:
            raise _clash(other, entry)
    return dict(sorted(by_name.items()))


def registered_name(kind: Kind, cls: type) -> str:
    """The name that a class is registered under, or its own name where it is not registered. Imports nothing."""
    address = f"{cls.__module__}:{cls.__qualname__}"
    return next((entry.name for entry in entries(kind).values() if entry.reference == address), cls.__name__)


def distribution_of(module: str) -> str:
    """The name of the distribution that registers entries from the top-level package of ``module``.

    For the harness this is its import name; for a package that no distribution registers, such as a plug-in file, the
    name of the package itself.
    """
    top = module.partition(".")[0]
    return top if top == PACKAGE else _distributions().get(top, top)


@lru_cache
def _distributions() -> dict[str, str]:
    """Top-level package -> name of the distribution that registers entries from it."""
    points = (point for kind in KINDS for point in entry_points(group=f"bench.{kind}s"))
    of = {point.value.partition(":")[0].partition(".")[0]: point.dist for point in points if point.dist}
    return {package: distribution.name for package, distribution in of.items()}


USED_AS = {
    "objective": "a method with it is 'dit[objective={name}]'",
    "guidance": "a method with it is 'dit[guidance={name}]'",
    "arch": "a classifier, --archs {name}",
    "dataset": "--datasets {name}",
    "protocol": "it judges with --protocol {name}, and the test that `bench new protocol` writes checks it",
    "watcher": "it is told of a run by --watcher {name}",
}
"""kind -> what is done with a name of it that stands in the place of a method"""


def load(kind: Kind, name: str) -> Any:
    """The object registered as ``name``. ``timm:resnet18`` is the result of the registered ``timm`` for ``resnet18``.

    Raises BenchError for an unknown name, with the nearest one.
    """
    known = entries(kind)
    if name in known:
        return known[name].load()
    collection, colon, member = name.partition(":")
    if colon and collection in known and callable(make := known[collection].load()):
        try:
            return make(member)
        except ValueError as error:
            raise BenchError(f"{kind} {name!r}: {error}") from None
    hint = silent_hint(kind, name) or "One of a file of your own is known with --plugin FILE."
    hint = f"`bench list {kind}s` describes them. {hint}"
    for other in KINDS if kind == "method" else ():
        if name in entries(other):
            hint = f"{name} is a {other}: {USED_AS.get(other, '`bench info` describes it').format(name=name)}."
    raise unknown(kind, name, known, hint=hint)
