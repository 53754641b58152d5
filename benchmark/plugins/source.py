"""Finding and parsing the source of a module without importing anything."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterable
from importlib.machinery import ModuleSpec
from pathlib import Path


def spec_of(module: str) -> ModuleSpec | None:
    """The spec of a dotted module name; None when there is no such module.

    Each part is searched for in the locations of its parent's spec, as the import system does, so that sub-packages may
    lie in other folders. (``importlib.util.find_spec`` would import the parents.)
    """
    name, path = "", None
    spec: ModuleSpec | None = None
    for part in module.split("."):
        name = f"{name}.{part}" if name else part
        spec = _imported_spec(name) or _find_spec(name, path)
        if spec is None:
            return None
        path = spec.submodule_search_locations
    return spec


def source_path(module: str) -> Path | None:
    """The .py file of a dotted module name; None when there is none."""
    spec = spec_of(module)
    return Path(spec.origin) if spec and spec.origin and spec.origin.endswith(".py") else None


def parse(module: str) -> ast.Module | None:
    """The parsed source of a module, or None when it has none. Raises SyntaxError and OSError."""
    path = source_path(module)
    return None if path is None else ast.parse(path.read_text(encoding="utf-8"))


def module_defining(packages: Iterable[str], qualname: str) -> str | None:
    """The module in ``packages`` or their sub-packages whose source defines the class ``qualname``, or None.

    This finds a class that has moved since its address was recorded.
    """
    pattern = re.compile(rf"^class {re.escape(qualname.partition('.')[0])}\b", re.MULTILINE)
    waiting = list(packages)
    while waiting:
        here = waiting.pop(0)
        spec = spec_of(here)
        if spec is None:
            continue
        if (path := source_path(here)) and pattern.search(path.read_text(encoding="utf-8")):
            return here
        waiting += [f"{here}.{name}" for name in _children(spec)]
    return None


def _children(spec: ModuleSpec) -> list[str]:
    """Names of the modules directly in a package."""
    folders = [Path(folder) for folder in spec.submodule_search_locations or ()]
    names = {p.stem for folder in folders for p in folder.glob("*.py") if p.stem != "__init__"}
    names |= {p.parent.name for folder in folders for p in folder.glob("*/__init__.py")}
    return sorted(names)


def _imported_spec(name: str) -> ModuleSpec | None:
    return getattr(sys.modules.get(name), "__spec__", None)


def _find_spec(name: str, path: object) -> ModuleSpec | None:
    for finder in sys.meta_path:
        try:
            spec = finder.find_spec(name, path)  # type: ignore[arg-type]
        except (
            AttributeError,
            ImportError,
            KeyError,
            ValueError,
        ):  # an unusual finder, or a parent that is not imported
            continue
        if spec is not None:
            return spec
    return None
