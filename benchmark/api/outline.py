"""What a run is going to do, for how long, and where its results will be: said before anything heavy is imported."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from ddbench.api.progress import stages_in_words
from ddbench.api.stores import store_named, store_option
from ddbench.api.workload import Workload, paper_sized
from ddbench.execute.history import History, sort_of
from ddbench.execute.pace import minutes
from ddbench.store.opening import open_store, store_exists

if TYPE_CHECKING:
    from ddbench.plan.graph import Plan, Stage

Cost = Callable[["Stage"], float | None]
"""seconds that a stage is expected to take; None: unknown"""


def recorded_costs(where: Path | str) -> Cost:
    """The median seconds of stages of the same sort in the store ``where``, which is read when first asked.

    Unknown for a store in a bucket, each of whose records would have to be fetched first.
    """

    @cache
    def history() -> History | None:
        if "://" in str(where) or not store_exists(where):
            return None
        read = History(open_store(where, create=False))
        read.update()
        return read

    def cost(stage: Stage) -> float | None:
        found = history()
        median = found.cost(stage) if found else None
        return median.seconds if median else None

    return cost


def outline(
    name: str, plan: Plan, ahead: Mapping[str, Stage], where: Path | str, cost: Cost, processors: int
) -> Iterator[str]:
    """Lines about the stages ``ahead`` of a plan in the store ``where``; ``processors``: how many work side by side."""
    cells = len(plan.cells)
    done = sum(key not in ahead for key in plan.cells.values())
    there = f", {done} already there" if done else ""
    yield f"{name}: {cells} cell{'s' * (cells != 1)}{there}; results: {store_named(where)}"
    if not ahead:
        return
    yield stages_in_words(ahead.values())
    time, *sizes = cost_lines(plan, ahead, cost, processors)
    yield time
    yield f"then: {report_command(where)} writes report.html"
    yield from sizes


def cost_lines(plan: Plan, ahead: Mapping[str, Stage], cost: Cost, processors: int) -> list[str]:
    """How long the stages ``ahead`` of a plan take, and which are at a paper's size; none where nothing is ahead."""
    return [f"time: {time_in_words(ahead, cost, processors)}", *workloads(plan, ahead)] if ahead else []


def report_command(where: Path | str) -> str:
    """The command for the report of a store."""
    return f"`bench report{store_option(where)}`"


def time_in_words(ahead: Mapping[str, Stage], cost: Cost, processors: int) -> str:
    """``about 12:30 of work, 6:15 on 2 processors``, hours of a card by measured rates, or what is unknown and why."""
    each: dict[str, float | None] = {}
    work: Counter[bool] = Counter()
    rest: list[Stage] = []
    seconds, path, longest = 0.0, dict[str, float](), 0.0
    for key, stage in ahead.items():
        sort = sort_of(stage.task)
        if sort not in each:
            each[sort] = cost(stage)
        own = each[sort]
        work[own is not None] += 1
        rest.extend([stage] if own is None else [])
        seconds += (own or 0.0) * (stage.threads if processors > 1 else 1)
        path[key] = (own or 0.0) + max((path.get(before, 0.0) for before in stage.waits_for), default=0.0)
        longest = max(longest, path[key])
    hours, cards, unknown = _by_rates(rest)
    parts = []
    if work[True]:
        parallel = (
            f", {minutes(max(longest, seconds / processors))} on {processors} processors" if processors > 1 else ""
        )
        least = "at least" if rest else "about"
        parts.append(f"{least} {minutes(seconds)} of work{parallel}, as measured in this store")
    if hours:
        shown = f"{hours:,.0f} hours" if hours >= 10 else minutes(3600 * hours)
        parts.append(f"{'and ' if parts else ''}about {shown} of a card, by the rates of {' and '.join(cards)}")
    if not parts:
        where = "on a processor" if all(stage.task["device"] == "cpu" for stage in rest) else "of such work"
        return (
            f"unknown: this store has measured no such stage yet, and no rate {where} is known; the estimate comes "
            "with the first that ends"
        )
    return ", ".join(parts) + (f"; {unknown} of {len(ahead)} stages are of unknown cost" if unknown else "")


def _by_rates(stages: Sequence[Stage]) -> tuple[float, list[str], int]:
    """Hours of a card that ``stages``, one after another, take by the rates that come along, the cards that these were
    measured on, and the number of stages with work of unknown rate. All that runs on a processor is of that sort."""
    on_card = [stage for stage in stages if stage.task["device"] == "cuda"]
    if not on_card:
        return 0.0, [], len(stages)
    from ddbench.api.pricing import built_in, price

    rates = built_in()
    known: dict[str, bool] = {}
    for stage in on_card:
        sort = sort_of(stage.task)
        if sort not in known:
            known[sort] = all(one.hours is not None for one in price([stage], lambda _: None, rates))
    hours = sum(one.hours or 0.0 for one in price(on_card, lambda _: None, rates))
    unknown = len(stages) - sum(known[sort_of(stage.task)] for stage in on_card)
    return hours, sorted({rate.card for rate in rates}), unknown


def workloads(plan: Plan, ahead: Mapping[str, Stage]) -> Iterator[str]:
    """A line for each option that stages leave at the default of a paper, though their dataset is small."""
    methods = tuple(dict.fromkeys(cell.method for cell in plan.cells))
    found: dict[tuple[str, Workload], list[Stage]] = {}
    for stage in ahead.values():
        for load in paper_sized(stage, methods):
            found.setdefault((stage.kind, load), []).append(stage)
    for (kind, load), stages in found.items():
        more = f" and {len(stages) - 1} more" if len(stages) > 1 else ""
        yield f"paper size: {kind} {stages[0].label}{more}: {load}"
