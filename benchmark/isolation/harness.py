"""Attributes of the harness, torch and numpy: noted before the code of a plug-in runs, compared after it.

Compared by identity are functions with their code, classes with their attributes, and the members of constants. Not
seen are changes inside caches, of frames, or by native code.
"""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import pkgutil
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from types import FunctionType, ModuleType
from typing import Any

from ddbench.isolation import imports

LIBRARIES: dict[str, tuple[str, ...]] = {
    "torch": ("torch", "torch.nn.functional", "torch.nn.init", "torch.nn.modules.module", "torch.optim.sgd"),
    "numpy": ("numpy",),
}
"""library -> its modules with functions by which images are made and judged; noted once the library is imported"""

LIBRARY_CLASSES: dict[str, tuple[str, ...]] = {
    "torch.Tensor": (),
    "torch.nn.modules.module.Module": ("__call__", "_call_impl", "_wrapped_call_impl", "eval", "parameters", "train"),
}
"""class -> its noted attributes, all where none is named; torch itself replaces others of Module, to compile"""

ROOMS = ("methods", "evaluators", "results")
"""packages of the harness that lie in folders of their own in a checkout"""
APART = ("api", "cli", "execute", "tune")
"""packages of the harness that no stage uses"""
LATER = "methods.diffusion."
"""modules that import diffusers, which takes seconds: noted when something imports them, as all others are too"""

Replace = Callable[[Any], None]


@dataclass(frozen=True)
class Note:
    """One attribute at the time of the note."""

    name: str
    """dotted, with its module"""
    value: Any
    read: Callable[[], Any]
    replace: Replace
    """puts a value in its place"""
    inner: Any = None
    """of a function its code and defaults, of a constant container its members"""


class _Absent:
    """In place of an attribute that is not there."""


_notes: dict[str, list[Note]] = {}
"""module -> the notes of its attributes"""


def begin() -> None:
    """Note the attributes of every module that is imported now; later ones are noted as soon as they are executed."""
    imports.watch()
    if _executed not in imports.on_executed:
        imports.on_executed.append(_executed)
    _notes.clear()
    for name in _imported():
        _note(name)


def import_harness() -> None:
    """Import the modules of the harness that a stage may use, all but those of ``LATER``, and note their attributes."""
    if not _notes:
        begin()
    path = sys.modules[imports.HARNESS].__path__
    rooms = {room.name for room in pkgutil.iter_modules(path)} - {*APART} | {*ROOMS}
    for room in sorted(rooms):
        module = importlib.import_module(f"{imports.HARNESS}.{room}")
        for inner in pkgutil.walk_packages(getattr(module, "__path__", ()), f"{module.__name__}."):
            if not inner.name.startswith(f"{imports.HARNESS}.{LATER}"):
                importlib.import_module(inner.name)


def replaced() -> list[str]:
    """Dotted names of the attributes that are others than those noted, each put back."""
    found = []
    for notes in list(_notes.values()):
        for note in notes:
            now = note.read()
            same = now is note.value or _is_wrapped_by_its_library(note, now)
            if not same or not _same(_inner(note.value), note.inner):
                found.append(note.name)
                _put_back(note)
    return sorted(found)


def _is_wrapped_by_its_library(note: Note, now: Any) -> bool:
    """Whether torch wrapped a function of its own, as it does when its compiler is imported."""
    library = note.name.partition(".")[0]
    own = str(getattr(sys.modules.get(library), "__file__", "")).removesuffix("__init__.py")
    code = getattr(now, "__code__", None)
    if library not in LIBRARIES or code is None or not code.co_filename.startswith(own):
        return False
    return inspect.unwrap(now) is inspect.unwrap(note.value)


def _executed(module: ModuleType) -> None:
    name = module.__name__
    for watched in LIBRARIES.get(name, (name,)):
        if (_is_harness(watched) or name in LIBRARIES) and watched not in _notes:
            _note(watched)


def _is_harness(name: str) -> bool:
    return name.partition(".")[0] == imports.HARNESS


def _imported() -> list[str]:
    """The names of the imported modules whose attributes are noted."""
    harness = [name for name in sys.modules if _is_harness(name)]
    return harness + [name for library in LIBRARIES if imports.ready(library) for name in LIBRARIES[library]]


def _note(name: str) -> None:
    module = sys.modules.get(name)
    if module is not None:
        _notes[name] = [*(_of_module(module) if _is_harness(name) else _of_library(module))]


def _of_module(module: ModuleType) -> Iterator[Note]:
    name = module.__name__
    for attribute, value in list(vars(module).items()):
        if attribute.startswith("__") or isinstance(value, ModuleType):
            continue
        yield _attribute(module, name, attribute, value, constant=attribute.isupper())
        if isinstance(value, type) and value.__module__ == name:
            yield from _of_class(value, f"{name}.{attribute}")
        elif dataclasses.is_dataclass(value) and not isinstance(value, type):
            yield from _of_instance(value, f"{name}.{attribute}")


def _of_library(module: ModuleType) -> Iterator[Note]:
    name = module.__name__
    for attribute, value in list(vars(module).items()):
        if callable(value) and not attribute.startswith("_") and not isinstance(value, type):
            yield _attribute(module, name, attribute, value)
        elif isinstance(value, type) and (place := f"{name}.{attribute}") in LIBRARY_CLASSES:
            chosen = tuple(f"{place}.{member}" for member in LIBRARY_CLASSES[place])
            yield _attribute(module, name, attribute, value)
            yield from (note for note in _of_class(value, place) if not chosen or note.name in chosen)


def _of_class(cls: type, name: str) -> Iterator[Note]:
    """The attributes of a class, and the absence of those that it inherits and could hide."""
    for attribute, value in list(vars(cls).items()):
        if _is_code(value) or not attribute.startswith("_"):
            yield _attribute(cls, name, attribute, value)
    for base in cls.__mro__[1:-1]:
        for attribute, value in list(vars(base).items()):
            if attribute not in vars(cls) and _is_code(value):
                yield _attribute(cls, name, attribute, _Absent)


def _is_code(value: Any) -> bool:
    return callable(value) or isinstance(value, property | classmethod | staticmethod)


def _of_instance(value: Any, name: str) -> Iterator[Note]:
    for attribute, inner in list(getattr(value, "__dict__", {}).items()):

        def read(attribute: str = attribute) -> Any:
            return value.__dict__.get(attribute, _Absent)

        def replace(before: Any, attribute: str = attribute) -> None:
            object.__setattr__(value, attribute, before)  # frozen, as the instances of the harness are

        yield Note(f"{name}.{attribute}", inner, read, replace)


def _attribute(owner: Any, where: str, attribute: str, value: Any, constant: bool = False) -> Note:
    def read() -> Any:
        return vars(owner).get(attribute, _Absent)

    def replace(before: Any) -> None:
        if before is _Absent:
            delattr(owner, attribute)
        else:
            setattr(owner, attribute, before)

    inner = _inner(value) if constant or isinstance(value, FunctionType) else None
    return Note(f"{where}.{attribute}", value, read, replace, inner)


def _inner(value: Any) -> Any:
    if isinstance(value, FunctionType):
        return (value.__code__, value.__defaults__, value.__kwdefaults__)
    if isinstance(value, dict):
        return [part for item in value.items() for part in item]
    if isinstance(value, list):
        return list(value)
    if isinstance(value, set):
        return sorted(value, key=repr)
    return None


def _same(now: Any, noted: Any) -> bool:
    """Whether the members of two sequences are the same objects; anything where nothing was noted."""
    if noted is None:
        return True
    return now is not None and len(now) == len(noted) and all(a is b for a, b in zip(now, noted, strict=True))


def _put_back(note: Note) -> None:
    value, inner = note.value, note.inner
    if note.read() is not value:
        note.replace(value)
    if _same(_inner(value), inner):
        return
    if isinstance(value, FunctionType):
        value.__code__, value.__defaults__, value.__kwdefaults__ = inner
    elif isinstance(value, dict):
        value.clear()
        value.update(zip(inner[::2], inner[1::2], strict=True))
    elif isinstance(value, list):
        value[:] = inner
    elif isinstance(value, set):
        value.clear()
        value.update(inner)


def told(names: Sequence[str], whose: str) -> str:
    """The refusal of what ``replaced`` returned, as text."""
    more = f" and {len(names) - 1} more" if len(names) > 1 else ""
    return (
        f"{whose} replaced {names[0]}{more}, which is put back: a plug-in may use the harness, torch and numpy, and "
        "change nothing of theirs. Write what you need as a method, network or protocol of your own."
    )
