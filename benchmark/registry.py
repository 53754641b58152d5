"""What can be named: methods, datasets, archs (networks) and protocols, registered as Python entry points.

The built-in parts use the same door as anybody else's. Listing reads metadata and source text and imports nothing.
"""

from __future__ import annotations

import ast
import importlib
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import entry_points
from typing import Any, Literal, get_args

from benchmark.errors import BenchError, unknown
from benchmark.source import parse

Kind = Literal["method", "dataset", "arch", "protocol"]
KINDS: tuple[Kind, ...] = get_args(Kind)
"""entry-point group of a kind: ``bench.<kind>s``"""


@dataclass(frozen=True)
class Entry:
    """A registered name. ``reference`` is ``module:attribute``, ``origin`` the distribution that registered it."""

    kind: Kind
    name: str
    reference: str
    origin: str

    def load(self) -> Any:
        """The registered object. Raises BenchError, naming the origin, when it cannot be imported."""
        module, _, attribute = self.reference.partition(":")
        try:
            value: Any = importlib.import_module(module)
            for part in attribute.split("."):
                value = getattr(value, part)
        except Exception as error:
            raise BenchError(
                f"the {self.kind} {self.name!r} registered by {self.origin} as {self.reference} cannot be imported: "
                f"{type(error).__name__}: {error}."
            ) from error
        return value

    def summary(self) -> str:
        """The first line of what its source says of it, read without importing; why it is broken if it is."""
        module, _, attribute = self.reference.partition(":")
        try:
            source = parse(module)
        except (SyntaxError, OSError, ValueError) as error:
            return f"BROKEN: {type(error).__name__}: {error}"
        if source is None:
            return f"BROKEN: there is no module {module}"
        for node, following in zip(source.body, [*source.body[1:], None], strict=True):
            if isinstance(node, ast.ClassDef | ast.FunctionDef) and node.name == attribute:
                return (ast.get_docstring(node) or "").partition("\n")[0]
            targets = (
                node.targets
                if isinstance(node, ast.Assign)
                else [node.target]
                if isinstance(node, ast.AnnAssign)
                else []
            )
            if any(isinstance(t, ast.Name) and t.id == attribute for t in targets):
                if isinstance(following, ast.Expr) and isinstance(following.value, ast.Constant):
                    return str(following.value.value).partition("\n")[0]
                return ""
        return "" if "." in attribute else f"BROKEN: {module} defines no {attribute}"


@lru_cache
def entries(kind: Kind) -> dict[str, Entry]:
    """Every registered name of a kind, sorted. Raises BenchError, showing both origins, for a name claimed twice."""
    found: dict[str, Entry] = {}
    for point in entry_points(group=f"bench.{kind}s"):
        origin = f"{point.dist.name} {point.dist.version}" if point.dist else "unknown"
        entry = Entry(kind, point.name, point.value, origin)
        other = found.setdefault(point.name, entry)
        if other != entry:
            raise BenchError(
                f"two {kind}s are called {point.name!r}: {other.reference} from {other.origin} and {entry.reference} "
                f"from {entry.origin}. Uninstall one of them."
            )
    return dict(sorted(found.items()))


def load(kind: Kind, name: str) -> Any:
    """The object registered as ``name``. Raises BenchError for an unknown name, with the nearest one."""
    known = entries(kind)
    if name not in known:
        raise unknown(kind, name, known, hint=f"`bench list {kind}s` describes them.")
    return known[name].load()
