"""Where each value of a configuration was written, for messages and ``bench config show``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ddbench.config import variants
from ddbench.errors import BenchError


@dataclass(frozen=True)
class Origin:
    """A place: a file and a line of it, or an option as it was typed; empty where that is not known."""

    source: str
    line: int = 0
    extended: bool = False
    """whether the file is one that the study extends, not its own"""

    def __str__(self) -> str:
        return f"{self.source}, line {self.line}" if self.line else self.source


Origins = Mapping[str, Origin]
"""dotted key -> where it was written; items of lists have their number as the last part"""


def placed(origins: Origins, key: str, origin: Origin) -> dict[str, Origin]:
    """``origins`` after ``key``, and with it all below it, was written at ``origin``."""
    return {**outside(origins, key), key: origin}


def outside(origins: Origins, key: str) -> dict[str, Origin]:
    """``origins`` without ``key`` and the keys below it."""
    return {k: v for k, v in origins.items() if k != key and not k.startswith(f"{key}.")}


def origin_of(origins: Origins, key: str) -> Origin:
    """Where ``key``, else the first key below it, else the nearest above it was written."""
    below = next((origin for other, origin in origins.items() if other.startswith(f"{key}.")), None)
    if key not in origins and below:
        return below
    while key and key not in origins:
        key = key.rpartition(".")[0]
    return origins.get(key, Origin(""))


def located(error: BenchError, origins: Origins) -> BenchError:
    """``error`` with the place that the key it is about was written in, where that is known."""
    origin = str(origin_of(origins, error.place)) if error.place else ""
    return BenchError(f"{origin}: {error}") if origin else error


def counted_as_expanded(origins: Origins, key: str, texts: Any) -> dict[str, Origin]:
    """``origins`` with the items of the list ``texts`` at ``key`` numbered as they are once grids are expanded.

    A list that cannot be expanded keeps its numbers.
    """
    try:
        names = [(n, name) for n, text in enumerate(_strings(texts)) for name in variants.expand(text)]
    except BenchError:
        return dict(origins)
    found = {i: origins[f"{key}.{n}"] for i, (n, _) in enumerate(names) if f"{key}.{n}" in origins}
    kept = {k: v for k, v in origins.items() if not k.startswith(f"{key}.")}
    return {**kept, **{f"{key}.{i}": origin for i, origin in found.items()}}


def _strings(texts: Any) -> Sequence[str]:
    return texts if isinstance(texts, list | tuple) and all(isinstance(text, str) for text in texts) else ()
