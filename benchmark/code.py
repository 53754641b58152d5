"""The digest of the code behind a value: edit a method and its stages, and only its stages, run again.

The code of a value is the modules of its dataclasses and every module that these import, also inside functions.
Docstrings, comments and layout do not count. The harness's own modules are left out: what they do to a result is
versioned by ``STAGE_FORMAT``.
"""

from __future__ import annotations

import ast
import hashlib
import importlib.util
from collections.abc import Iterator
from functools import cache
from typing import Any

from benchmark.source import parse, source_path

STAGE_FORMAT = 1
"""raised when the harness itself changes what a stage computes"""

FOLLOWED_HARNESS_MODULES = ("benchmark.data.", "benchmark.seeding")


def code_digest(described: Any) -> str:
    """Digest of the code behind a described value (``values.describe``): 16 hex digits."""
    modules = sorted({reference.partition(":")[0] for reference in _references(described)})
    closure: dict[str, str] = {}
    for module in modules:
        _close(module, module.partition(".")[0], closure)
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


def _close(module: str, root: str, closure: dict[str, str]) -> None:
    """Add ``module`` and all that it imports from the same top-level package to ``closure`` (name -> digest)."""
    parsed = _parse(module)
    if module in closure or parsed is None:
        return
    closure[module] = parsed[0]
    for name in parsed[1]:
        same_root = name.partition(".")[0] == root and root != "benchmark"
        if same_root or name.startswith(FOLLOWED_HARNESS_MODULES):
            _close(name, root, closure)


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
