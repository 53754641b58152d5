"""The settings that a search tries: a function of the ranges and the seed alone, fixed before anything runs."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from itertools import product
from typing import Any, Literal

from ddbench.errors import BenchError
from ddbench.keys import canonical
from ddbench.seeding import stream
from ddbench.tune.ranges import GridRange, ListRange, Range

Search = Literal["random", "grid", "one-at-a-time"]
Scheduler = Literal["fifo", "asha", "median", "hyperband"]
"""fifo: every trial runs to its end. asha: asynchronous successive halving (Li et al. 2020). median: stops trials below
the median of the others so far (Golovin et al. 2017). hyperband: pauses trials and resumes the best (Li 2018)"""

Values = dict[str, Any]
"""dotted key -> value; other keys keep the study's value"""

REDRAWS = 100
"""attempts at a new setting for a trial; a small space may hold fewer settings than there are trials"""


def propose(space: Mapping[str, Range], search: Search, trials: int, seed: int) -> list[Values]:
    """The settings to try, each once, in order. Raises BenchError for a search that the ranges do not allow.

    random: ``trials`` draws. Every key of every trial has a random stream of its own, so that neither more trials nor
    other keys change a draw. grid: every combination of the lists, the last key varying fastest. one-at-a-time: each
    list in turn, with the other keys at the study's values.
    """
    if search == "random":
        listed = [key for key, values in space.items() if isinstance(values, GridRange)]
        if listed:
            raise BenchError(
                f"{listed[0]} is a grid(...), which is not drawn from. Use choice(...) for it, or lists alone, with "
                "--search grid or one-at-a-time."
            )
        return _distinct((_draw(space, seed, i, again) for again in range(REDRAWS)) for i in range(trials))
    lists: dict[str, ListRange] = {}
    for key, values in space.items():
        if not isinstance(values, ListRange):
            raise BenchError(f"--search {search} needs a list for {key}, not {values.text}. Example: grid(0.001, 0.01)")
        lists[key] = values
    if search == "grid":
        return [dict(zip(lists, chosen, strict=True)) for chosen in product(*(r.values for r in lists.values()))]
    return [{key: value} for key, values in lists.items() for value in values.values]


def default_search(space: Mapping[str, Range]) -> Search:
    """The default search: grid where all ranges are grids, otherwise random."""
    return "grid" if all(isinstance(values, GridRange) for values in space.values()) else "random"


def _draw(space: Mapping[str, Range], seed: int, trial: int, again: int) -> Values:
    return {key: values.draw(random.Random(stream("tune", seed, key, trial, again))) for key, values in space.items()}


def _distinct(draws: Iterable[Iterable[Values]]) -> list[Values]:
    """For each trial its first draw that no earlier trial has; trials without one are left out."""
    taken: dict[str, Values] = {}
    for candidates in draws:
        for values in candidates:
            if (name := canonical(values)) not in taken:
                taken[name] = values
                break
    return list(taken.values())
