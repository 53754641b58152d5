"""``bench export``: distilled sets as folders of PNG files, with a card that says how each was made."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from ddbench.cli.options import integers, names
from ddbench.cli.table import store_option

if TYPE_CHECKING:
    from ddbench.store.folder import Store
    from ddbench.types import LabeledImages


class Made(NamedTuple):
    """The coordinates of a distilled set."""

    dataset: str
    method: str
    ipc: int
    seed: int

    def __str__(self) -> str:
        return f"{self.dataset}/{self.method}/ipc{self.ipc}/seed{self.seed}"


@click.command()
@store_option
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), required=True, help="Where the folders go.")
@click.option("--datasets", multiple=True, help="Lists take commas and repeats; what is not given is all.")
@click.option("--methods", multiple=True)
@click.option("--ipc", multiple=True, help="Images per class, e.g. 1,10.")
@click.option("--seeds", multiple=True, help="Seeds of distilled sets, e.g. 0,1,2 or 0-2.")
def export(
    store: Path,
    out: Path,
    datasets: tuple[str, ...],
    methods: tuple[str, ...],
    ipc: tuple[str, ...],
    seeds: tuple[str, ...],
) -> int:
    """Write the distilled sets of a store as PNG files that torchvision and Hugging Face datasets load.

    Each set that a run asked for, in its latest configuration, becomes OUT/DATASET/METHOD/ipcN-seedS. What is there
    already is left as it is. Exit code 1 when some of the sets have not been made.
    """
    from ddbench.errors import CorruptArtifact
    from ddbench.results.export import export_set, set_folder
    from ddbench.store.opening import open_store

    def say(message: str) -> None:
        click.echo(f"bench: {message}", err=True)

    opened = open_store(store, create=False)
    sets = asked(opened)
    sets = _only(sets, "dataset", names(datasets))
    sets = _only(sets, "method", names(methods))
    sets = _only(sets, "ipc", integers("--ipc", ipc))
    sets = _only(sets, "seed", integers("--seeds", seeds, ranges=True))
    records = {record.key: record for record in opened.records((k for keys in sets.values() for k in keys), say)}
    written = missing = skipped = 0
    for made, keys in sets.items():
        record = next((records[key] for key in keys if key in records), None)
        if record is not None and record.outcome == "skipped":
            say(f"{made} was skipped: {record.reason}")
            skipped += 1
            continue
        distilled = record.config["evaluate"]["parents"][0] if record else ""
        if record is None or not opened.there("distill", distilled):
            say(f"{made} has not been made or judged yet; the `bench run` that asked for it makes it")
            missing += 1
            continue
        try:
            data, facts = _gather(opened, made, record.cell.split, distilled)
        except CorruptArtifact as error:
            say(f"{made}: {error}; the `bench run` that asked for it makes it again")
            missing += 1
            continue
        folder = set_folder(out, *made)
        written += export_set(folder, data, facts)
        click.echo(str(folder))
    there = len(sets) - written - missing - skipped
    besides = f", {skipped} skipped" if skipped else ""
    say(f"{len(sets)} distilled sets: {written} written, {there} already there, {missing} missing{besides}")
    return 1 if missing else 0


def asked(store: Store) -> dict[Made, list[str]]:
    """The distilled sets that the runs on a store asked for, each with the keys of the cells that judge it.

    The whole train split, whose cells have no ipc, is no distilled set. Of several configurations of a set the latest
    run's counts, as in the table.
    """
    sets: dict[Made, list[str]] = {}
    for run in store.runs():
        latest: dict[Made, list[str]] = {}
        for cell, key in run["cells"]:
            if not cell["ipc"]:
                continue
            made = Made(cell["dataset"], cell["method"], cell["ipc"], cell["seed"])
            latest.setdefault(made, []).append(key)
        sets |= latest
    return sets


def _only(sets: dict[Made, list[str]], field: str, values: Collection[Any] | None) -> dict[Made, list[str]]:
    """The sets whose ``field`` is one of ``values``, or all. Raises BenchError for a value that no set has."""
    from ddbench.errors import unknown

    if values is None:
        return sets
    known = {getattr(made, field) for made in sets}
    for value in values:
        if value not in known:
            raise unknown(field, str(value), map(str, known), where="the runs of this store")
    return {made: keys for made, keys in sets.items() if getattr(made, field) in values}


def _gather(store: Store, made: Made, split: str, key: str) -> tuple[LabeledImages, dict[str, Any]]:
    """A distilled set and the facts of its card. Raises CorruptArtifact."""
    from ddbench.plan.lineage import lineage
    from ddbench.store.distilled import load_distilled

    stages = [_stage(kind, manifest) for kind, manifest in lineage(store, key).items()]
    return load_distilled(store, key), {"split": split.rpartition("/")[0], **made._asdict(), "stages": stages}


def _stage(kind: str, manifest: dict[str, Any]) -> dict[str, Any]:
    """What a card says of a stage: its key, all that it read, and what it ran with."""
    provenance = manifest["run"]["provenance"]
    run = {name: provenance.get(name) for name in ("python", "packages", "git")}
    return {"stage": kind, "key": manifest["key"], "task": _portable(manifest["task"]), "made_with": run}


def _portable(value: Any) -> Any:
    """``value`` without the places of folders on this machine: of an absolute path the last part is kept."""
    if isinstance(value, dict):
        return {k: _portable(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_portable(v) for v in value]
    if isinstance(value, str) and value.startswith(("/", "~")):
        return f".../{Path(value).name}"
    return value
