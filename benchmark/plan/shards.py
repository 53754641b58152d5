"""Parts of a plan: some of its cells with the stages that they depend on, and one of n equal shares."""

from __future__ import annotations

import re
from collections.abc import Iterable

from ddbench.errors import BenchError
from ddbench.plan.graph import Plan
from ddbench.types import Cell


def subplan(plan: Plan, cells: Iterable[Cell]) -> Plan:
    """The plan of ``cells`` and the stages that they depend on, in the order of ``plan``."""
    kept = set(cells)
    waiting = [key for cell, key in plan.cells.items() if cell in kept]
    needed: set[str] = set()
    while waiting:
        key = waiting.pop()
        if key not in needed:
            needed.add(key)
            waiting.extend(before for before in plan.stages[key].waits_for if before in plan.stages)
    return Plan(
        stages={key: stage for key, stage in plan.stages.items() if key in needed},
        cells={cell: key for cell, key in plan.cells.items() if cell in kept},
    )


def shard_of(plan: Plan, shard: str) -> Plan:
    """The part ``i/n`` of a plan, i from 1; every cell is in exactly one of the n parts. Raises BenchError otherwise.

    A distilled set and all cells that evaluate it stay together. Sets are ordered by their preparations and cut into n
    runs, so that a prior or fine-tune is needed on as few machines as possible; sets without preparations then go to
    the part with the fewest cells. The numbers of cells of the parts differ by about one set. The division depends on
    the plan alone, not on any store or machine.
    """
    match = re.fullmatch(r"(\d+)/(\d+)", shard)
    if not match or not 1 <= int(match[1]) <= int(match[2]):
        raise BenchError(f"--shard {shard!r} is not a part i/n with 1 <= i <= n. Example: --shard 1/4, 2/4, 3/4, 4/4")
    number, parts = int(match[1]) - 1, int(match[2])
    sets: dict[str, list[Cell]] = {}
    for cell, key in plan.cells.items():
        distilled = next(iter(plan.stages[key].parents), key)  # a cell without a distilled set has its own key
        sets.setdefault(distilled, []).append(cell)
    chains = {distilled: _chain(plan, distilled) for distilled in sets}
    bound = sorted((d for d in sets if chains[d]), key=lambda d: chains[d])  # stable: the plan's order within a chain
    total = sum(len(sets[d]) for d in bound)
    shares: list[list[Cell]] = [[] for _ in range(parts)]
    before = 0
    for distilled in bound:
        middle = before + len(sets[distilled]) / 2
        shares[int(middle * parts / total)].extend(sets[distilled])
        before += len(sets[distilled])
    for distilled in (d for d in sets if not chains[d]):
        min(shares, key=len).extend(sets[distilled])
    return subplan(plan, shares[number])


def _chain(plan: Plan, distilled: str) -> tuple[str, ...]:
    """Keys of the preparations of a distilled set, first to last."""
    return tuple(plan.stages[distilled].task.get("chain", ()))
