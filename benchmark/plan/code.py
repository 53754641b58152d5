"""The digest of the code behind a value: edit a method and its stages, and only its stages, run again.

The code of a value is the modules of its dataclasses and every module that these import, directly or not, also inside
functions, as far as imports are followed: into the same distribution, into the packages of the harness in ``ROOMS``
(which a plug-in may build on), and into files outside site-packages. Docstrings, comments, layout and the locations of
followed modules do not count, so that moving a file changes no key. Versions of installed packages are in the records,
and ``STAGE_FORMAT`` stands for the rest of the harness.
"""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import sysconfig
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

from ddbench.config.addresses import Addresses, named_in
from ddbench.errors import BenchError
from ddbench.plan.digests import of_this_user
from ddbench.plugins.registry import PACKAGE
from ddbench.plugins.source import spec_of

STAGE_FORMAT = 2
"""increased when a change of the harness changes what a stage computes"""

ROOMS = ("methods", "evaluators", "learning", "data", "seeding", "batches", "computing", "finite", "levels", "steps")
"""packages and modules of the harness that count as code of the values that import them"""
STANDARD = tuple({sysconfig.get_path(name) for name in ("stdlib", "platstdlib")})
COMPILED = (".so", ".pyd")


def code_digest(described: Any, addresses: Addresses) -> str:
    """Digest of the code behind a described value (``values.describe``): 16 hex digits.

    Raises BenchError when a class has no source file, since edits of it could not change the digest.
    """
    modules = []
    for name in sorted(named_in(described)):
        module = addresses[name].partition(":")[0]
        if module == "__main__" or _code(module) is None:
            raise BenchError(
                f"the class {addresses[name]} has no source file, so that a change of it could not be seen. Put it "
                "into a file NAME.py and name that with --plugin NAME.py (in Python, plugins=['NAME.py'])."
            )
        modules.append(module)
    digests = sorted(set(_closure(modules).values()))
    of_this_user(Path(__file__)).save()
    return hashlib.sha256("\n".join(digests).encode()).hexdigest()[:16]


def _closure(modules: Iterable[str]) -> dict[str, str]:
    """``modules`` and those that are followed from them: name -> digest."""
    closure: dict[str, str] = {}
    left = list(modules)
    while left:
        if (module := left.pop()) not in closure and (code := _code(module)) is not None:
            closure[module] = code[0]
            left += code[1]
    return closure


def _followed(name: str, importer: str) -> bool:
    """Whether the import of ``name`` by the module ``importer`` is followed."""
    top, _, rest = name.partition(".")
    if top == PACKAGE:
        return rest.partition(".")[0] in ROOMS
    return top == importer.partition(".")[0] or _loose(top)


@cache
def _loose(package: str) -> bool:
    """Whether a top-level package or module is a plain file or folder of the user, not installed."""
    spec = spec_of(package)
    if spec is None:
        return False
    places = list(spec.submodule_search_locations or ())
    if not places and spec.has_location:
        places = [str(spec.origin)]
    return any(not _installation(Path(place).parent) for place in places)


@cache
def _installation(folder: Path) -> bool:
    """Whether a folder of the import path holds installed packages.

    Besides the environment's own site-packages there are those of other environments, of the user, and folders given to
    ``pip install --target``; all have the metadata that an installer leaves beside a package.
    """
    return (
        folder.name in ("site-packages", "dist-packages")
        or str(folder).startswith(STANDARD)
        or any(folder.glob("*.dist-info"))
    )


@cache
def _code(module: str) -> tuple[str, tuple[str, ...]] | None:
    """(digest of the code, names of imports that are followed and may be modules); None where there is no such module.

    Raises BenchError for a module without a source file.
    """
    spec = spec_of(module)
    if spec is None:
        return None
    if not spec.origin:  # a folder without __init__.py
        return "", ()
    if spec.origin.endswith(COMPILED):
        return hashlib.sha256(Path(spec.origin).read_bytes()).hexdigest(), ()
    if not spec.origin.endswith(".py"):
        raise BenchError(
            f"the module {module} ({spec.origin}) has no source file, so that a change of it cannot be seen."
        )
    package = module if spec.submodule_search_locations is not None else module.rpartition(".")[0]
    content = Path(spec.origin).read_bytes()
    kept = of_this_user(Path(__file__)).get(module, content)
    if (
        kept
        and kept["package"] == package
        and kept["followed"] == [n for n in kept["imported"] if _followed(n, module)]
    ):
        return kept["digest"], tuple(kept["followed"])
    tree = ast.parse(content)
    imported = list(dict.fromkeys(name for node in ast.walk(tree) for name in _imported(node, package)))
    names = [name for name in imported if _followed(name, module)]
    _Plain(module, package).visit(tree)
    digest = hashlib.sha256(ast.dump(tree).encode()).hexdigest()
    found = {"package": package, "imported": imported, "followed": names, "digest": digest}
    of_this_user(Path(__file__)).put(module, content, found)
    return digest, tuple(names)


class _Plain(ast.NodeTransformer):
    """Removes docstrings from a syntax tree, and replaces each run of import statements by the sorted names they bind.

    The module name is kept for packages outside the digest, where it is the only difference between, say, ``from torch
    import relu`` and ``from other import relu``. It is dropped for followed modules, whose code is in the digest, and
    for the harness.
    """

    def __init__(self, module: str, package: str) -> None:
        self.module, self.package = module, package

    def generic_visit(self, node: ast.AST) -> ast.AST:
        for field in ("body", "orelse", "finalbody"):
            if isinstance(statements := getattr(node, field, None), list):
                setattr(node, field, list(self._statements(node, statements)))
        return super().generic_visit(node)

    def _statements(self, parent: ast.AST, statements: list[ast.stmt]) -> Iterator[ast.stmt]:
        bound: list[str] = []
        for statement in statements:
            if isinstance(statement, ast.Import | ast.ImportFrom):
                bound += self._bound(statement)
                continue
            if bound:
                yield ast.Expr(ast.Constant(repr(sorted(set(bound)))))
                bound = []
            if not (_has_docstrings(parent) and _is_text(statement)):
                yield statement
        if bound:
            yield ast.Expr(ast.Constant(repr(sorted(set(bound)))))

    def _bound(self, node: ast.Import | ast.ImportFrom) -> Iterator[str]:
        base = _base(node, self.package) if isinstance(node, ast.ImportFrom) else ""
        for alias in node.names:
            top = (base or alias.name).partition(".")[0]
            own = top == PACKAGE or _followed(base or alias.name, self.module)
            place = "" if own else base or alias.name
            name = alias.name if base or not own else alias.name.rpartition(".")[2]
            yield f"{place} {name} {alias.asname or ''}"


def _has_docstrings(node: ast.AST) -> bool:
    return isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)


def _is_text(statement: ast.stmt) -> bool:
    return (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Constant)
        and isinstance(statement.value.value, str)
    )


def _imported(node: ast.AST, package: str) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom) and (base := _base(node, package)):
        yield base
        yield from (f"{base}.{alias.name}" for alias in node.names)


def _base(node: ast.ImportFrom, package: str) -> str:
    """The absolute name of the module that names are imported from."""
    if not node.level:
        return node.module or ""
    return importlib.util.resolve_name("." * node.level + (node.module or ""), package)
