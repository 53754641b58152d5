"""The stages behind a distilled set, read from the manifests in a store."""

from __future__ import annotations

from typing import Any

from ddbench.errors import OutdatedArtifact
from ddbench.store.folder import Store


def lineage(store: Store, distilled: str) -> dict[str, dict[str, Any]]:
    """Kind of stage -> manifest, of the preparations behind a distilled set and, last, of the set itself.

    Raises CorruptArtifact, and OutdatedArtifact for a set of an earlier release, whose manifest does not say.
    """
    manifest = store.manifest("distill", distilled)
    task = manifest["task"]
    try:
        kinds = [described["stage"] for described in task["state"]]
    except KeyError:
        raise OutdatedArtifact("distill", distilled, "0.2") from None
    prepared = {kind: store.manifest(kind, key) for kind, key in zip(kinds, task["chain"], strict=True)}
    return {**prepared, "distill": manifest}
