"""Reading lists from the command line: commas and repeats, ranges for seeds."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ddbench.config import variants
from ddbench.errors import BenchError


def names(values: Sequence[str] | None) -> list[str] | None:
    """``["a,b", "c[x=1,y=2]"]`` -> ``["a", "b", "c[x=1,y=2]"]``; None when the option was not given."""
    if not values:
        return None
    return [variants.canonical(part) for value in values for part in variants.split(value)]


def integers(option: str, values: Sequence[str] | None, *, ranges: bool = False) -> list[int] | None:
    """Like ``names`` for whole numbers from zero; with ``ranges``, ``0-2`` is 0, 1, 2. Raises BenchError."""
    parts = names(values)
    if parts is None:
        return None
    numbers: list[int] = []
    for part in parts:
        span = re.fullmatch(r"(\d+)-(\d+)", part) if ranges else None
        if span and int(span[1]) <= int(span[2]):
            numbers.extend(range(int(span[1]), int(span[2]) + 1))
        elif re.fullmatch(r"\d+", part):
            numbers.append(int(part))
        else:
            example = "0,1,2 or 0-2" if ranges else "1,10,50"
            raise BenchError(
                f"{option} {part!r} is not a whole number{' or a range' if ranges else ''}. Example: {option} {example}"
            )
    if not numbers:
        raise BenchError(f"{option} is empty. Example: {option} {'0-2' if ranges else '1,10,50'}")
    return numbers
