"""Putting the distilled sets of a store onto the Hugging Face hub, under one dataset card."""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Iterator
from pathlib import Path

from ddbench.api.export import Exported, export_sets
from ddbench.api.hub import HubPlace, check_upload, upload
from ddbench.api.stores import Say, say_on_stderr
from ddbench.results.export import CARD
from ddbench.results.hub_card import Judged, SharedSet, hub_card
from ddbench.types import Record


def share_sets(
    where: Path | str,
    place: HubPlace,
    *,
    datasets: Collection[str] | None = None,
    methods: Collection[str] | None = None,
    ipc: Collection[int] | None = None,
    seeds: Collection[int] | None = None,
    form: str = "imagefolder",
    private: bool | None = None,
    say: Say = say_on_stderr,
) -> Iterator[Exported]:
    """Upload what ``export_sets`` writes, in one commit, with a card of methods, keys and accuracies.

    private: of a repository that is created; None: as its owner's settings are. Yields the sets after the upload; their
    folders are gone by then. Raises BenchError without a package, a token or a network.
    """
    check_upload(place)
    with tempfile.TemporaryDirectory() as temporary:
        root = Path(temporary)
        filters = {"datasets": datasets, "methods": methods, "ipc": ipc, "seeds": seeds}
        found = list(export_sets(where, root, **filters, form=form, say=say))  # type: ignore[arg-type]
        shared = [_shared(one) for one in found if one.folder]
        if shared:
            (root / CARD).write_text(hub_card(place.repo, shared, form), encoding="utf-8")
            many = f"{len(shared)} distilled sets" if len(shared) > 1 else shared[0].path
            upload(place, root, f"Add {many}", private)
    yield from found


def _shared(exported: Exported) -> SharedSet:
    assert exported.facts is not None
    facts = exported.facts
    accuracies: dict[tuple[str, str], list[float]] = {}
    for record in facts.records:
        if record.outcome == "ok":
            accuracies.setdefault((record.cell.protocol, record.cell.arch), []).append(_last(record))
    judged = [Judged(*pair, sum(found) / len(found), len(found)) for pair, found in sorted(accuracies.items())]
    return SharedSet(exported.path, *exported.coordinates, facts.split.rpartition("/")[0], facts.key, tuple(judged))


def _last(record: Record) -> float:
    assert record.last is not None
    return record.last
