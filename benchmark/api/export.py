"""Exporting distilled sets as folders of PNG files, each with a card that says how it was made."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

from ddbench.api.stores import Say, say_on_stderr
from ddbench.errors import CorruptArtifact, unknown
from ddbench.plan.asked import distilled_keys, sets_asked_for
from ddbench.plan.lineage import lineage
from ddbench.results.export import export_set, set_folder
from ddbench.store.distilled import load_distilled
from ddbench.store.folder import Store
from ddbench.store.opening import open_store
from ddbench.types import LabeledImages, Record


class Coordinates(NamedTuple):
    """The coordinates of a distilled set."""

    dataset: str
    method: str
    ipc: int
    seed: int

    def __str__(self) -> str:
        return f"{self.dataset}/{self.method}/ipc{self.ipc}/seed{self.seed}"


@dataclass(frozen=True)
class SetFacts:
    """What a store knows of a set that was written."""

    key: str
    split: str
    records: Sequence[Record]
    """of the cells that judged it"""


@dataclass(frozen=True)
class Exported:
    """The result for one set. ``folder`` is None when the set is missing or was skipped."""

    coordinates: Coordinates
    outcome: Literal["written", "already there", "missing", "skipped"]
    folder: Path | None = None
    facts: SetFacts | None = None
    path: str = ""
    """of the folder within OUT"""


def export_sets(
    where: Path | str,
    out: Path | str,
    *,
    datasets: Collection[str] | None = None,
    methods: Collection[str] | None = None,
    ipc: Collection[int] | None = None,
    seeds: Collection[int] | None = None,
    form: str = "imagefolder",
    say: Say = say_on_stderr,
) -> Iterator[Exported]:
    """Write each set that a run on the store asked for, in its latest configuration, as OUT/DATASET/METHOD/ipcN-seedS.

    form: one of ``results.forms.FORMS``. A filter that is None admits all. Existing folders are left as they are;
    missing sets are reported through ``say``. Raises BenchError for a folder without a store and a value that no set
    has.
    """
    store = open_store(where, create=False)
    sets, known = asked_sets(store), distilled_keys(store)
    for field, values in (("dataset", datasets), ("method", methods), ("ipc", ipc), ("seed", seeds)):
        sets = _only(sets, field, values)
    records = {record.key: record for record in store.records((k for keys in sets.values() for k in keys), say)}
    for place, keys in sets.items():
        record = next((records[key] for key in keys if key in records), None)
        if record is not None and record.outcome == "skipped":
            say(f"{place} was skipped: {record.reason}")
            yield Exported(place, "skipped")
            continue
        judged = record.config["evaluate"]["parents"][0] if record else ""
        distilled, split = known.get(keys[0], (judged, record.cell.split if record else ""))
        if not distilled or not store.exists("distill", distilled):
            what = "made" if keys[0] in known else "made or judged"
            say(f"{place} has not been {what} yet; the `bench run` that asked for it makes it")
            yield Exported(place, "missing")
            continue
        try:
            data, facts = _gather(store, place, split, distilled)
        except CorruptArtifact as error:
            say(f"{place}: {error}; the `bench run` that asked for it makes it again")
            yield Exported(place, "missing")
            continue
        folder = set_folder(Path(out), *place)
        new = export_set(folder, data, facts, form)
        found = [records[key] for key in keys if key in records]
        outcome: Literal["written", "already there"] = "written" if new else "already there"
        path = folder.relative_to(out).as_posix()
        yield Exported(place, outcome, folder, SetFacts(distilled, split, found), path)


def asked_sets(store: Store) -> dict[Coordinates, list[str]]:
    """Distilled set -> keys of the cells that evaluate it, for all sets that runs on a store asked for."""
    return {place: keys for place, (keys, _) in sets_asked_for(store, _coordinates).items()}


def _coordinates(cell: dict[str, Any]) -> Coordinates:
    return Coordinates(cell["dataset"], cell["method"], cell["ipc"], cell["seed"])


def _only(
    sets: dict[Coordinates, list[str]], field: str, values: Collection[Any] | None
) -> dict[Coordinates, list[str]]:
    """The sets whose ``field`` is one of ``values``, or all. Raises BenchError for a value that no set has."""
    if values is None:
        return sets
    known = {getattr(place, field) for place in sets}
    for value in values:
        if value not in known:
            raise unknown(field, str(value), map(str, known), where="the runs of this store")
    return {place: keys for place, keys in sets.items() if getattr(place, field) in values}


def _gather(store: Store, place: Coordinates, split: str, key: str) -> tuple[LabeledImages, dict[str, Any]]:
    """A distilled set and the facts of its card. Raises CorruptArtifact."""
    stages = [_stage(kind, manifest) for kind, manifest in lineage(store, key).items()]
    return load_distilled(store, key), {"split": split.rpartition("/")[0], **place._asdict(), "stages": stages}


def _stage(kind: str, manifest: dict[str, Any]) -> dict[str, Any]:
    """A stage in a card: its key, everything that it read, and the versions that it ran with."""
    provenance = manifest["run"]["provenance"]
    run = {name: provenance.get(name) for name in ("python", "packages", "git")}
    return {"stage": kind, "key": manifest["key"], "task": _portable(manifest["task"]), "made_with": run}


def _portable(value: Any) -> Any:
    """``value`` without paths of this machine: absolute paths are cut to their last part."""
    if isinstance(value, dict):
        return {k: _portable(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_portable(v) for v in value]
    if isinstance(value, str) and value.startswith(("/", "~")):
        return f".../{Path(value).name}"
    return value
