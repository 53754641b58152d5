"""Reading the content of reports and figures from stores, which are not changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ddbench.api.captions import facts_of
from ddbench.api.sets import facts_of_sets, sized_sets
from ddbench.errors import BenchError
from ddbench.results.statistics import Select
from ddbench.wording import counted

if TYPE_CHECKING:
    from ddbench.api.stores import Stores
    from ddbench.results.report.content import Run, Search
    from ddbench.results.shift import ShiftBlock
    from ddbench.types import Cell, Record


def report_page(stores: Stores, cells: Mapping[Cell, str], records: Sequence[Record], which: Select) -> str:
    """A study as a self-contained HTML page. The same records give the same bytes."""
    from ddbench.api.galleries import galleries
    from ddbench.results.report.content import Content
    from ddbench.results.report.page import render

    shift, notes = shift_blocks(stores)
    facts = facts_of(records)
    labels = set(facts.labels.values()) - {""}
    soft_too = "hard" in labels and len(labels) > 1  # a table of labels tells the bytes of sets too
    content = Content(
        wanted=cells,
        records=records,
        runs=runs(stores),
        galleries=galleries(stores, cells, records),
        shift=shift,
        searches=searches(stores),
        notes=notes,
        select=which,
        facts=facts,
        sets=sized_sets(stores, records) if soft_too else facts_of_sets(stores, records),
    )
    return render(content)


def runs(stores: Stores) -> list[Run]:
    """The studies that were run on the stores, each once, as of its latest run."""
    from ddbench.results.report.content import Run

    by_name = {}
    for store in stores.members:
        for run in store.runs():
            config = run.get("config", {})
            about = str(config.get("description", ""))
            by_name[run["name"]] = Run(run["name"], about, len(run["cells"]), tuple(config.get("tuned", ())))
    return list(by_name.values())


def shift_blocks(stores: Stores) -> tuple[list[ShiftBlock], list[str]]:
    """The measures of `bench shift` in each space that has any, and notes on what is left out."""
    from ddbench.api.shift import SPACES, load_shift
    from ddbench.results.shift import shift_blocks as blocks

    shown_blocks: list[ShiftBlock] = []
    notes = []
    for store in stores.members:
        if not any(kind == "shift" for kind, _ in store.artifacts()):
            continue
        before = len(shown_blocks)
        for space in SPACES:
            try:
                measured = load_shift(store, space)
            except BenchError as error:
                notes.append(f"Distribution shift is left out: {error}")
                continue
            shown = [block for block in blocks(measured) if any(row.values for row in block.rows)]
            shown_blocks += [block for block in shown if block not in shown_blocks]
        if len(shown_blocks) == before:
            notes.append("Distribution shift was measured in a space of other options than the default ones: left out.")
    return shown_blocks, notes


def searches(stores: Stores) -> list[Search]:
    """The searches of hyper-parameters that the stores hold."""
    from ddbench.tune.record import FOLDER, find

    pages = []
    for store in stores.members:
        for path in store.local_paths(FOLDER, sorted(store.file_names(FOLDER))):
            try:
                pages.append(_search(find(store.address, str(path))))
            except BenchError as error:
                stores.say(str(error))
    return pages


def _search(tune: Any) -> Search:
    from tempfile import TemporaryDirectory

    from PIL import Image

    from ddbench.api.sensitivity import note, settings
    from ddbench.results.report.content import Search
    from ddbench.results.sensitivity import draw
    from ddbench.results.sensitivity_curves import Parameter
    from ddbench.results.tables.text import percent
    from ddbench.tune.record import short_names

    names, chosen = short_names(tune.space), tune.chosen
    parameters = [Parameter(key, names[key], text.startswith("log")) for key, text in tune.space.items()]
    with TemporaryDirectory() as folder:
        picture = Path(folder, "search.png")
        draw(picture, "", parameters, settings(tune, tune.ranked()), note(tune))
        drawn, width = picture.read_bytes(), Image.open(picture).width // 2
    rows = [
        (
            *(str(row.values[key]) for key in tune.space),
            percent(row.top1) + (f" ± {percent(row.spread)}" if row.spread is not None else ""),
            str(len(row.cells)),
            " ".join(filter(None, ("chosen" if row == chosen else row.outcome, row.reason))),
        )
        for row in tune.ranked()
    ]
    about = (
        f"{tune.search} search, {tune.scheduler} scheduler, seed {tune.seed}: {counted(len(tune.trials), 'setting')}, "
        f"{counted(tune.cells, 'cell')} of the {tune.split} part. Ranges: "
        + "; ".join(f"{key} {text}" for key, text in tune.space.items())
    )
    header = (*(names[key] for key in tune.space), "top-1 (%)", "cells", "outcome")
    return Search(f"{tune.method} on {tune.study}", about, header, tuple(rows), drawn, width)
