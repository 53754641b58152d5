"""An artifact in a folder: reading its manifest, and checking its files against it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ddbench.errors import CorruptArtifact
from ddbench.store.durable import sha256

MANIFEST = "manifest.json"


def read_manifest(kind: str, key: str, folder: Path) -> dict[str, Any]:
    """The manifest of the artifact in ``folder``. Raises CorruptArtifact."""
    try:
        return parse_manifest(key, (folder / MANIFEST).read_bytes())
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CorruptArtifact(kind, key, f"its manifest cannot be read ({error})") from None


def parse_manifest(key: str, content: bytes) -> dict[str, Any]:
    """The manifest in ``content``. Raises ValueError, KeyError or TypeError when it is not that of ``key``."""
    manifest: dict[str, Any] = json.loads(content)
    if manifest["key"] != key or not isinstance(manifest["files"], dict):
        raise ValueError("it is the manifest of something else")
    return manifest


def check_sizes(kind: str, key: str, folder: Path) -> None:
    """Raises CorruptArtifact when a file of the artifact in ``folder`` is missing or has another size."""
    for name, entry in read_manifest(kind, key, folder)["files"].items():
        size = (folder / name).stat().st_size if (folder / name).is_file() else None
        if size != entry["size"]:
            raise CorruptArtifact(kind, key, f"{name} has {size} bytes instead of {entry['size']}")


def check_bytes(kind: str, key: str, folder: Path) -> None:
    """Raises CorruptArtifact when any byte of the artifact in ``folder`` differs from what was written."""
    check_sizes(kind, key, folder)
    for name, entry in read_manifest(kind, key, folder)["files"].items():
        if sha256(folder / name) != entry["sha256"]:
            raise CorruptArtifact(kind, key, f"{name} does not have the digest of its manifest")
