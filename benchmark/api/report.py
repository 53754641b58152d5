"""Reading the content of reports and figures from stores, which are not changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ddbench.api.captions import facts_of
from ddbench.api.sets import facts_of_sets
from ddbench.errors import BenchError, CorruptArtifact
from ddbench.results.statistics import Select

if TYPE_CHECKING:
    from ddbench.api.stores import Stores
    from ddbench.results.report.content import Gallery, Run, Search, Space
    from ddbench.results.shift import ShiftBlock
    from ddbench.types import Cell, LabeledImages, Record


def report_page(stores: Stores, cells: Mapping[Cell, str], records: Sequence[Record], which: Select) -> str:
    """A study as a self-contained HTML page. The same records give the same bytes."""
    from ddbench.results.report.content import Content
    from ddbench.results.report.page import render

    shift, notes = shift_blocks(stores)
    content = Content(
        wanted=cells,
        records=records,
        runs=runs(stores),
        galleries=galleries(stores, cells, records),
        shift=shift,
        searches=searches(stores),
        notes=notes,
        select=which,
        facts=facts_of(records),
        sets=facts_of_sets(stores, records),
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


def galleries(stores: Stores, cells: Mapping[Cell, str], records: Sequence[Record]) -> list[Gallery]:
    """The distilled sets of ``cells`` with real images, a gallery for each dataset and ipc.

    All sets of a gallery have one seed, which is that of most methods. The feature extractor may come from any of the
    ``records`` on the same dataset.
    """
    from ddbench.results.report.content import Gallery
    from ddbench.store.distilled import load_distilled

    by_key = {record.key: record for record in records}
    by_seed: dict[tuple[str, str, int], dict[int, dict[str, Record]]] = {}
    for cell, key in cells.items():
        record = by_key.get(key)
        parents = record.config["evaluate"]["parents"] if record else []
        if record and parents and stores.holding("distill", parents[0]):
            split = cell.split.rpartition("/")[0]
            judged = by_seed.setdefault((cell.dataset, split, cell.ipc), {}).setdefault(cell.seed, {})
            judged.setdefault(cell.method, record)
    shown = []
    real: dict[tuple[str, str], tuple[LabeledImages | None, tuple[str, ...]]] = {}
    for (dataset, split, ipc), seeds in sorted(by_seed.items()):
        seed = max(seeds, key=lambda s: (len(seeds[s]), -s))
        sets: dict[str, LabeledImages] = {}
        notes: list[str] = []
        for method, record in seeds[seed].items():
            key = record.config["evaluate"]["parents"][0]
            store = stores.holding("distill", key)
            try:
                assert store
                sets[method] = load_distilled(store, key)
            except CorruptArtifact as error:
                notes.append(f"{method}: {error}.")
        if not sets:
            continue
        first = next(iter(seeds[seed].values()))
        if (dataset, split) not in real:
            real[dataset, split] = _real(stores, dataset, first)
        images, missing = real[dataset, split]
        shape = images.shape if images else next(iter(sets.values())).shape
        for method in [method for method, data in sets.items() if data.shape != shape]:
            notes.append(f"{method} is left out: its images are of shape {sets.pop(method).shape}, not {shape}.")
        space = _space(stores, _of_the_same_data(first, records)) if images else None
        if sets:
            shown.append(Gallery(dataset, ipc, seed, sets, images, space, (*notes, *missing)))
    return shown


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
    from ddbench.results.sensitivity import Parameter, draw
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
        f"{tune.search} search, {tune.scheduler} scheduler, seed {tune.seed}: {len(tune.trials)} settings, "
        f"{tune.cells} cells of the {tune.split} part. Ranges: "
        + "; ".join(f"{key} {text}" for key, text in tune.space.items())
    )
    header = (*(names[key] for key in tune.space), "top-1 (%)", "cells", "outcome")
    return Search(f"{tune.method} on {tune.study}", about, header, tuple(rows), drawn, width)


def _real(stores: Stores, name: str, record: Record) -> tuple[LabeledImages | None, tuple[str, ...]]:
    """(train split, notes) of the dataset of a record; (None, why) when it cannot be read here."""
    from ddbench.stages.inputs import dataset_at

    described = record.config["evaluate"]["dataset"]
    options: Mapping[str, Any] = {}
    for store in stores.members:
        for run in store.runs():
            options = run.get("config", {}).get("data", {}).get(name, options)
    try:
        addresses = record.run.get("addresses", {})
        elsewhere = dataset_at(described, addresses, {})
        fields = (*elsewhere.location, *elsewhere.naming)
        dataset = dataset_at(described, addresses, {name: options[name] for name in fields if name in options})
        if dataset.fingerprint("train") != described["fingerprint"]:
            raise BenchError("its data are not those that the sets were made of")
        key = record.config["evaluate"]["parents"][0]
        holder = stores.holding("distill", key)
        return dataset.load("train", holder.cache if holder else None), ()
    except Exception as error:  # a missing plug-in or a moved folder; the report does without
        problem = " ".join(str(error).split())
        stores.say(f"the real images of {name} are left out: {problem}")
        return None, ("Real images are not shown: the dataset cannot be read here.",)


def _of_the_same_data(one: Record, records: Sequence[Record]) -> list[Record]:
    """The records on the dataset of ``one``, ordered by seed."""
    data = one.config["evaluate"]["dataset"]
    same = [record for record in records if record.config["evaluate"]["dataset"] == data]
    return sorted(same, key=lambda record: (record.cell.seed, record.cell, record.key))


def _space(stores: Stores, records: Sequence[Record]) -> Space | None:
    """A feature extractor that a method trained on the dataset, if there is one."""
    from ddbench.api.shift import words_of
    from ddbench.config.values import build, plain
    from ddbench.results.report.content import Space
    from ddbench.types import StageContext

    for record in records:
        distill = record.config.get("distill", {})
        described = [d for d in distill.get("state", []) if "embed" in record.config]
        if len(described) != 1 or not (store := stores.holding("embed", distill["chain"][0])):
            continue
        try:
            addresses, embedder = record.run.get("addresses", {}), plain(described[0])
            addresses = {**store.manifest("embed", distill["chain"][0]).get("addresses", {}), **addresses}
            networks = {n: build(plain(d), addresses) for n, d in record.config["embed"]["networks"].items()}
            preparation = build(embedder, addresses)
            state = preparation.load(
                store.read("embed", distill["chain"][0]), None, StageContext(seed=0, networks=networks)
            )
            return Space(f"the {words_of(preparation, record.cell.method)}", state.features)
        except Exception as error:  # of a missing plug-in, or damaged; pixels are used instead
            stores.say(f"the features of {record.cell.dataset} cannot be read: {' '.join(str(error).split())}")
    return None
