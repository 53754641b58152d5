"""Finding and parsing the source of a module without importing anything."""

from __future__ import annotations

import ast
import importlib.util
import sys
from pathlib import Path


def source_path(module: str) -> Path | None:
    """The .py file of a dotted module name; None when there is none. (``find_spec`` would import the parents.)"""
    root, *rest = module.split(".")
    loaded = getattr(sys.modules.get(root), "__spec__", None)
    spec = loaded or importlib.util.find_spec(root)
    if spec is None:
        return None
    if not rest:
        return Path(spec.origin) if spec.origin and spec.origin.endswith(".py") else None
    for location in spec.submodule_search_locations or ():
        base = Path(location, *rest)
        for path in (base.with_suffix(".py"), base / "__init__.py"):
            if path.is_file():
                return path
    return None


def parse(module: str) -> ast.Module | None:
    """The parsed source of a module, or None when it has none. Raises SyntaxError and OSError."""
    path = source_path(module)
    return None if path is None else ast.parse(path.read_text(encoding="utf-8"))
