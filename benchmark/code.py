"""The digest of the code behind a value: edit a method and its stages, and only its stages, run again.

The code of a value is the modules of its dataclasses and every module that these import, also inside functions: those
of the same package, the methods and evaluators of the harness (somebody's method may be built on one), and files that
lie anywhere but among installed packages. Docstrings, comments and layout do not count. Installed packages are told of
by their versions, and the rest of the harness by ``STAGE_FORMAT``.
"""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import sys
import sysconfig
from collections.abc import Iterator
from functools import cache
from typing import Any

from benchmark.source import parse, source_path

STAGE_FORMAT = 1
"""raised when the harness itself changes what a stage computes"""

FOLLOWED_HARNESS_MODULES = ("benchmark.data.", "benchmark.seeding")
BUILT_ON = {"methods", "evaluators"}
INSTALLED = tuple({sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")})


def code_digest(described: Any) -> str:
    """Digest of the code behind a described value (``values.describe``): 16 hex digits."""
    modules = sorted({reference.partition(":")[0] for reference in _references(described)})
    closure: dict[str, str] = {}
    for module in modules:
        _close(module, closure)
    text = "\n".join(f"{name} {closure[name]}" for name in sorted(closure))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _references(described: Any) -> Iterator[str]:
    if isinstance(described, dict):
        if isinstance(described.get("type"), str):
            yield described["type"]
        for value in described.values():
            yield from _references(value)
    elif isinstance(described, list):
        for value in described:
            yield from _references(value)


def _close(module: str, closure: dict[str, str]) -> None:
    """Add ``module`` and all that it imports and that is followed to ``closure`` (name -> digest)."""
    parsed = _parse(module)
    if module in closure or parsed is None:
        return
    closure[module] = parsed[0]
    for name in parsed[1]:
        if _followed(name, module.partition(".")[0]):
            _close(name, closure)


def _followed(name: str, root: str) -> bool:
    """Whether the import ``name`` of a module of the top-level package ``root`` is part of a method's code."""
    there = name.partition(".")[0]
    if there == "benchmark":
        return name.startswith(FOLLOWED_HARNESS_MODULES)
    return there == root or there in BUILT_ON or _loose(there)


@cache
def _loose(package: str) -> bool:
    """Whether a top-level package or module is a file of the user's, not installed."""
    if package in sys.stdlib_module_names:
        return False
    loaded = getattr(sys.modules.get(package), "__spec__", None)
    try:
        spec = loaded or importlib.util.find_spec(package)
    except (ImportError, ValueError):
        return False
    return spec is not None and bool(spec.origin) and not str(spec.origin).startswith(INSTALLED)


@cache
def _parse(module: str) -> tuple[str, tuple[str, ...]] | None:
    """(digest of the code, names that may be imported modules), or None for what has no Python source."""
    path, tree = source_path(module), parse(module)
    if path is None or tree is None:
        return None
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    names = tuple(_imports(tree, package))
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            node.body = [s for s in node.body if not _is_text(s)] or [ast.Pass()]
    return hashlib.sha256(ast.dump(tree).encode()).hexdigest(), names


def _is_text(statement: ast.stmt) -> bool:
    return (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Constant)
        and isinstance(statement.value.value, str)
    )


def _imports(tree: ast.Module, package: str) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = (
                importlib.util.resolve_name("." * node.level + (node.module or ""), package)
                if node.level
                else node.module
            )
            if base:
                yield base
                yield from (f"{base}.{alias.name}" for alias in node.names)
