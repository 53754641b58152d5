"""Fields of a plug-in that hide an attribute of its base class, which the harness would then read in its place."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Iterator
from typing import Any


def hidden(cls: type) -> str:
    """``the field 'networks', which hides Distiller.networks()``, of the first such field; empty when there is none.

    A field may replace a field of a base class, and may implement one of its abstract properties. A class attribute
    that is no method may not replace a method either.
    """
    for name, what, owner in _own(cls):
        base = next((b for b in owner.__mro__[1:-1] if _has(b, name)), None)
        if base is None or name in _fields(base) or _is_abstract_property(base, name):
            continue
        method = inspect.isfunction(vars(base).get(name))
        if what == "field" or method:
            return f"the {what} {name!r}, which hides {base.__name__}.{name}{'()' if method else ''}"
    return ""


def _own(cls: type) -> Iterator[tuple[str, str, type]]:
    """(name, "field" or "attribute", class) of what a class and its bases outside the harness define as data."""
    package = __name__.partition(".")[0]
    for owner in cls.__mro__[:-1]:
        if owner.__module__.partition(".")[0] == package and owner is not cls:
            continue
        annotated = [name for name, hint in inspect.get_annotations(owner).items() if "ClassVar" not in str(hint)]
        yield from ((name, "field", owner) for name in annotated)
        for name, value in vars(owner).items():
            if name not in annotated and not name.startswith("__") and not _is_code(value):
                yield name, "attribute", owner


def _has(cls: type, name: str) -> bool:
    return name in vars(cls) or name in inspect.get_annotations(cls)


def _fields(cls: type) -> set[str]:
    return {f.name for f in dataclasses.fields(cls)} if dataclasses.is_dataclass(cls) else set()


def _is_abstract_property(cls: type, name: str) -> bool:
    value = vars(cls).get(name)
    return isinstance(value, property) and bool(getattr(value, "__isabstractmethod__", False))


def _is_code(value: Any) -> bool:
    return callable(value) or hasattr(value, "__get__")
