"""Plug-in files that were imported and registered nothing, and what to write into them."""

from __future__ import annotations

from collections.abc import Iterable

_silent: set[str] = set()


def note_silent(file: str) -> None:
    """Remember that the plug-in ``file`` was imported and registered nothing."""
    _silent.add(file)


def forget_silent(file: str) -> None:
    """Before it is imported again."""
    _silent.discard(file)


def silent_hint(kind: str, name: str, files: Iterable[str] | None = None) -> str:
    """How to register ``name`` in the files that registered nothing, of ``files`` or of all; empty without any."""
    found = sorted(_silent if files is None else _silent & {*files})
    if not found:
        return ""
    registers = f"{', '.join(found)} {'registers' if len(found) == 1 else 'register'} nothing"
    return (
        f'{registers}: write @register("{kind}", "{name}") above the class, above its @dataclass too, and at the top '
        "`from ddbench.plugins.registry import register`."
    )
