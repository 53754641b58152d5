"""The distilled sets of a study among real images, for reports and figures.

What takes long, reading real images and finding the plane that shows them, is kept in the cache of the store: the next
report needs neither the dataset nor torch.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ddbench.api.sights import Sight, kept
from ddbench.errors import BenchError, CorruptArtifact
from ddbench.keys import digest
from ddbench.results.pictures import Pictures
from ddbench.results.plots.projection import Features, embed, pixel_space, project
from ddbench.results.report.content import Gallery
from ddbench.results.report.pictures import MOST_CLASSES, MOST_IMAGES
from ddbench.store.distilled import IMAGES_FILE, load_distilled

if TYPE_CHECKING:
    from ddbench.api.stores import Stores
    from ddbench.store.folder import Store
    from ddbench.types import Cell, LabeledImages, Record

FORMAT = 1
"""part of the name of what is kept: increased when it would be another for the same sets"""


def galleries(
    stores: Stores, cells: Mapping[Cell, str], records: Sequence[Record], tsne: bool = False
) -> list[Gallery]:
    """The distilled sets of ``cells`` with real images, a gallery for each dataset and ipc.

    All sets of a gallery have one seed, which is that of most methods. The feature extractor may come from any of the
    ``records`` on the same dataset. ``tsne``: the plane is that of t-SNE.
    """
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
    real = _Real(stores)
    for (dataset, _, ipc), seeds in sorted(by_seed.items()):
        seed = max(seeds, key=lambda s: (len(seeds[s]), -s))
        keys = {method: record.config["evaluate"]["parents"][0] for method, record in seeds[seed].items()}
        sets, notes = _sets(stores, keys)
        if not sets:
            continue
        first = next(iter(seeds[seed].values()))
        seen = _seen(stores, first, {m: keys[m] for m in sets}, records, real, tsne)
        if seen is None:
            notes.append("Real images are not shown: the dataset cannot be read here.")
        shape = seen.real.shape if seen else next(iter(sets.values())).shape
        for method in [method for method, data in sets.items() if data.shape != shape]:
            notes.append(f"{method} is left out: its images are of shape {sets.pop(method).shape}, not {shape}.")
        if sets:
            shown.append(Gallery(dataset, ipc, seed, sets, seen, tuple(notes)))
    return shown


def _sets(stores: Stores, keys: Mapping[str, str]) -> tuple[dict[str, Pictures], list[str]]:
    """The distilled sets at ``keys`` that can be read, by method, and why others cannot."""
    sets: dict[str, Pictures] = {}
    notes: list[str] = []
    for method, key in keys.items():
        store = stores.holding("distill", key)
        try:
            assert store
            sets[method] = _pictures(store, key)
        except CorruptArtifact as error:
            notes.append(f"{method}: {error}.")
    return sets, notes


def _pictures(store: Store, key: str) -> Pictures:
    """The images of the distilled set at ``key``, without torch. Raises CorruptArtifact."""
    from safetensors import safe_open

    with safe_open(store.read("distill", key) / IMAGES_FILE, framework="numpy") as file:
        classes = tuple(json.loads(file.metadata()["classes"]))
        return Pictures(file.get_tensor("images"), file.get_tensor("labels"), classes)


class _Real:
    """The train split of each dataset, read when it is first asked for."""

    def __init__(self, stores: Stores) -> None:
        self.stores = stores
        self.read: dict[str, LabeledImages | None] = {}

    def of(self, record: Record) -> LabeledImages | None:
        data = digest(record.config["evaluate"]["dataset"])
        if data not in self.read:
            self.read[data] = _real(self.stores, record.cell.dataset, record)
        return self.read[data]


def _seen(
    stores: Stores, first: Record, keys: Mapping[str, str], records: Sequence[Record], real: _Real, tsne: bool
) -> Sight | None:
    """The distilled sets at ``keys`` (by method) among real images; None where these cannot be read."""
    trained = _trained(stores, _of_the_same_data(first, records))
    data = first.config["evaluate"]["dataset"]
    name = "sight-" + digest([FORMAT, data, sorted(keys.items()), list(trained), tsne])

    def look() -> tuple[Sight | None, bool]:
        images = real.of(first)
        if images is None:
            return None, False
        space = _space(stores, trained)
        loaded = {method: _loaded(stores, key) for method, key in keys.items()}
        shown = {method: made for method, made in loaded.items() if made.shape == images.shape}
        find = embed if tsne else project
        plane = find(images, shown, space[1] if space else None) if shown else None
        words = space[0] if space else pixel_space(max(images.shape[1:]))
        return Sight(_drawn(images), plane, words), bool(space) == bool(trained)

    return kept(stores.holding("distill", next(iter(keys.values()))), name, look)


def _loaded(stores: Stores, key: str) -> LabeledImages:
    store = stores.holding("distill", key)
    assert store
    return load_distilled(store, key)


def _drawn(real: LabeledImages) -> Pictures:
    """Real images of the first classes, drawn by seed; the others are not read."""
    import torch

    from ddbench import seeding

    order = torch.randperm(len(real), generator=seeding.generator("report", "real"))
    labels = real.labels[order]
    chosen = torch.cat([order[labels == k][:MOST_IMAGES] for k in range(min(MOST_CLASSES, len(real.classes)))])
    return Pictures(real.images[chosen].numpy(), real.labels[chosen].numpy(), real.classes)


def _real(stores: Stores, name: str, record: Record) -> LabeledImages | None:
    """The train split of the dataset of a record; None when it cannot be read here, which is said."""
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
        return dataset.load("train", holder.cache if holder else None)
    except Exception as error:  # a missing plug-in or a moved folder; the report does without
        problem = " ".join(str(error).split())
        hint = ". Its file is named with --plugin FILE" if isinstance(error, ImportError) else ""
        stores.say(f"the real images of {name} are left out: {problem}{hint}")
        return None


def _of_the_same_data(one: Record, records: Sequence[Record]) -> list[Record]:
    """The records on the dataset of ``one``, ordered by seed."""
    data = one.config["evaluate"]["dataset"]
    same = [record for record in records if record.config["evaluate"]["dataset"] == data]
    return sorted(same, key=lambda record: (record.cell.seed, record.cell, record.key))


def _trained(stores: Stores, records: Sequence[Record]) -> dict[str, Record]:
    """Key of a feature extractor that a method trained, and that is there -> a record that read it."""
    found: dict[str, Record] = {}
    for record in records:
        distill = record.config.get("distill", {})
        described = [d for d in distill.get("state", []) if "embed" in record.config]
        if len(described) == 1 and stores.holding("embed", distill["chain"][0]):
            found.setdefault(distill["chain"][0], record)
    return found


def _space(stores: Stores, trained: Mapping[str, Record]) -> tuple[str, Features] | None:
    """What the first of the feature extractors that can be read is, and its features; None for the pixels."""
    from ddbench.api.shift import words_of
    from ddbench.config.values import build, plain
    from ddbench.types import StageContext

    for key, record in trained.items():
        try:
            store = stores.holding("embed", key)
            assert store
            addresses = {**store.manifest("embed", key).get("addresses", {}), **record.run.get("addresses", {})}
            networks = {n: build(plain(d), addresses) for n, d in record.config["embed"]["networks"].items()}
            preparation = build(plain(record.config["distill"]["state"][0]), addresses)
            state = preparation.load(store.read("embed", key), None, StageContext(seed=0, networks=networks))
            return f"the {words_of(preparation, record.cell.method)}", state.features
        except Exception as error:  # of a missing plug-in, or damaged; pixels are used instead
            stores.say(f"the features of {record.cell.dataset} cannot be read: {' '.join(str(error).split())}")
    return None
