"""Watchers by name: ``jsonl`` or ``jsonl[path=run.jsonl]``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import is_dataclass

from ddbench.config import variants
from ddbench.config.values import override
from ddbench.errors import BenchError
from ddbench.plugins import registry
from ddbench.types import Watcher


def resolve_watchers(names: Sequence[str]) -> tuple[Watcher, ...]:
    """A new watcher for each NAME or NAME[KEY=VALUE,...].

    Plug-in files must have been loaded before (``plugins.files``). Raises BenchError for an unknown name or option,
    with the nearest one, for a class that is no Watcher or cannot be imported, and for a repeated name.
    """
    canonical = [variants.canonical(name) for name in names]
    for name in canonical:
        if canonical.count(name) > 1:
            raise BenchError(f"the watcher {name!r} is given twice: it would be told everything twice.")
    return tuple(map(_watcher, canonical))


def _watcher(text: str) -> Watcher:
    selected = variants.parse(text)
    cls = registry.load("watcher", selected.name)
    if isinstance(cls, Watcher):
        raise BenchError(
            f"the watcher {selected.name!r} is an instance of {type(cls).__name__}: register the class itself, so that "
            "each run has a watcher of its own."
        )
    if not (isinstance(cls, type) and issubclass(cls, Watcher)):
        what = f"the class {cls.__name__}" if isinstance(cls, type) else f"a {type(cls).__name__}"
        raise BenchError(
            f"the watcher {selected.name!r} is {what}, not a Watcher: register a subclass of ddbench.types.Watcher."
        )
    try:
        watcher = cls()
    except Exception as error:
        raise BenchError(
            f"the watcher {selected.name!r} cannot be made: {type(error).__name__}: {error}. Give its fields defaults."
        ) from None
    if not selected.changes:
        return watcher
    if not is_dataclass(watcher):
        raise BenchError(f"the watcher {selected.name!r} has no options: it is no dataclass.")
    changed: Watcher = override(watcher, selected.changes, text)
    return changed
