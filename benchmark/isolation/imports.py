"""Watching imports: what is called when a module has been executed, and what around an installed library.

The finder stands first on ``sys.meta_path`` from the first plug-in or stage of a process on. It finds nothing itself:
it asks the finders behind it, and executes what they found between the calls of its listeners.
"""

from __future__ import annotations

import sys
import sysconfig
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

HARNESS = __name__.partition(".")[0]
"""import name of the harness"""

INSTALLED = tuple({sysconfig.get_path(name) for name in ("stdlib", "platstdlib")})

plugin_packages: set[str] = set()
"""top-level packages and modules that registered something: what they do at import is their own"""

on_executed: list[Callable[[ModuleType], None]] = []
"""called with each module after it was executed"""
around_library: list[Callable[[], Callable[[], None]]] = []
"""each called before a library is executed that no other library imports; what it returns is called afterwards"""

_local = threading.local()


class _Watch:
    """A finder, see above; also the loader of what it found, which it hands back its own loader before executing it."""

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        for finder in sys.meta_path:
            if finder is self or not hasattr(finder, "find_spec"):
                continue
            spec = finder.find_spec(name, path, target)
            if spec is not None:
                if hasattr(spec.loader, "exec_module"):
                    spec.loader = _Watched(spec.loader)  # type: ignore[assignment]
                return spec
        return None


class _Watched:
    """A loader around another one, for one module."""

    def __init__(self, loader: Any) -> None:
        self.loader = loader

    def __getattr__(self, name: str) -> Any:
        return getattr(self.loader, name)

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        module: ModuleType | None = self.loader.create_module(spec)
        return module

    def exec_module(self, module: ModuleType) -> None:
        module.__loader__ = self.loader
        if module.__spec__ is not None:
            module.__spec__.loader = self.loader
        with _library(module):
            self.loader.exec_module(module)
        for call in tuple(on_executed):
            call(sys.modules.get(module.__name__, module))


@contextmanager
def _library(module: ModuleType) -> Iterator[None]:
    if getattr(_local, "inside", False) or not _is_library(module):
        yield
        return
    _local.inside = True
    after = [call() for call in tuple(around_library)]
    try:
        yield
    finally:
        _local.inside = False
        for call in after:
            call()


def _is_library(module: ModuleType) -> bool:
    """Whether a module belongs to Python, to the harness or to an installed package that registers nothing."""
    top = module.__name__.partition(".")[0]
    if top in plugin_packages:
        return False
    origin = getattr(module.__spec__, "origin", None) or ""
    places = ("site-packages", "dist-packages")
    return top == HARNESS or origin.startswith(INSTALLED) or any(place in origin for place in places)


_watch = _Watch()


def watch() -> None:
    """Watch imports from here on; called again it makes sure that the finder is still the first."""
    if not sys.meta_path or sys.meta_path[0] is not _watch:
        if _watch in sys.meta_path:
            sys.meta_path.remove(_watch)
        sys.meta_path.insert(0, _watch)


def ready(library: str) -> bool:
    """Whether a library is imported, to the end."""
    spec = getattr(sys.modules.get(library), "__spec__", None)
    return spec is not None and not getattr(spec, "_initializing", False)
