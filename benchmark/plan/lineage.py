"""What a distilled set rests on, read from the manifests in a store."""

from __future__ import annotations

from typing import Any

from ddbench.errors import OutdatedArtifact
from ddbench.store.folder import Store


def lineage(store: Store, distilled: str) -> dict[str, dict[str, Any]]:
    """The manifests of a distilled set and of the preparations that it rests on, by kind of stage, itself last.

    Raises CorruptArtifact, and OutdatedArtifact for what a release made whose manifests do not say it.
    """
    manifest = store.manifest("distill", distilled)
    task = manifest["task"]
    try:
        kinds = [described["stage"] for described in task["state"]]
    except KeyError:
        raise OutdatedArtifact("distill", distilled, "0.2") from None
    prepared = {kind: store.manifest(kind, key) for kind, key in zip(kinds, task["chain"], strict=True)}
    return {**prepared, "distill": manifest}
