"""The plug-ins that this process has imported, for the provenance of records."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Loaded:
    """A plug-in: a file, or a module of an installed package."""

    name: str
    """name of the file, or of the distribution"""
    version: str
    """of the distribution; empty for a file"""
    path: str
    sha256: str
    """digest of the file at ``path`` when it was imported, 64 hex digits; empty where there is no such file"""
    changed_state: tuple[str, ...] = ()
    """process-wide state that it changed when it was imported, which was put back"""


_noted: dict[str, Loaded] = {}
"""module -> plug-in, in the order of import"""


def note(module: str, name: str, version: str, path: Path, changed: Sequence[str] = ()) -> None:
    """Note that a plug-in was imported as ``module``; the last import counts."""
    digest = file_digest(path) if path.is_file() else ""
    _noted[module] = Loaded(name, version, str(path), digest, tuple(changed))


def note_module(name: str, version: str, module: str, changed: Sequence[str] = ()) -> None:
    """``note`` for an imported module of an installed package; one that was noted before stays as it is."""
    if module not in _noted:
        note(module, name, version, Path(getattr(sys.modules[module], "__file__", None) or module), changed)


def _loaded() -> list[Loaded]:
    """The plug-ins whose modules are still imported."""
    return [plugin for module, plugin in _noted.items() if module in sys.modules]


def loaded() -> list[dict[str, Any]]:
    """The plug-ins as JSON."""
    return [{**asdict(plugin), "changed_state": [*plugin.changed_state]} for plugin in _loaded()]


def changes_at_import(path: str | None = "") -> list[str]:
    """What plug-ins, or the one at ``path``, changed when they were imported, as text."""
    plugins = [plugin for plugin in _loaded() if path in ("", plugin.path)]
    return [f"{plugin.name} at its import: {change}" for plugin in plugins for change in plugin.changed_state]


def file_digest(path: Path) -> str:
    """SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
