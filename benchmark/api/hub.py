"""Places on the Hugging Face hub, ``hf://datasets/USER/NAME``: distilled sets go there and come from there.

Everything of huggingface_hub is called here. What it raises becomes one sentence.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from ddbench.errors import BenchError

SCHEME = "hf://"
FORM = re.compile(r"hf://datasets/(?P<repo>[\w.-]+/[\w.-]+?)(@(?P<revision>[^/]+))?(/(?P<path>.+?))?/?")


@dataclass(frozen=True)
class HubPlace:
    """A dataset repository on the hub, or a folder or file in it."""

    repo: str
    """USER/NAME"""
    revision: str | None = None
    """branch, tag or commit"""
    path: str = ""

    def __str__(self) -> str:
        at = f"@{self.revision}" if self.revision else ""
        return f"{SCHEME}datasets/{self.repo}{at}{f'/{self.path}' if self.path else ''}"


def hub_place(text: str) -> HubPlace | None:
    """The place that ``text`` names; None for what is no ``hf://`` address. Raises BenchError for a malformed one."""
    if not text.startswith(SCHEME):
        return None
    found = FORM.fullmatch(text)
    path = found["path"] or "" if found else ""
    if not found or ".." in PurePosixPath(path).parts:
        raise BenchError(
            f"{text} is no place on the hub. Write {SCHEME}datasets/USER/NAME, or with a folder behind it."
        )
    return HubPlace(found["repo"], found["revision"], path)


def fetched(place: HubPlace, holds_set: Any) -> Path:
    """The local copy of a set on the hub.

    ``holds_set(folder)``: whether a folder is one. Where ``place`` is a folder around one set, that is meant. Raises
    BenchError when it is around several, holds none, or cannot be had.
    """
    hub = _library()
    only = [f"{place.path}", f"{place.path}/**"] if place.path else None
    with _told(f"{place} cannot be fetched"):
        root = hub.snapshot_download(place.repo, repo_type="dataset", revision=place.revision, allow_patterns=only)
    folder = Path(root, place.path)
    if not folder.exists():
        raise BenchError(f"{place.repo} has no {place.path} on the hub. Name a folder that it has, or the repository.")
    if folder.is_file() or holds_set(folder):
        return folder
    inner = sorted(path for path in folder.glob("*/**/") if path.is_dir() and holds_set(path))
    inner = [path for path in inner if not any(other in path.parents for other in inner)]
    if len(inner) == 1:
        return inner[0]
    where = HubPlace(place.repo, place.revision)
    names = [f"{where}/{path.relative_to(root)}" for path in inner]
    if not names:
        raise BenchError(
            f"{place} holds no distilled set: images in a folder for each class, parquet files or tensors."
        )
    raise BenchError(f"{place} holds {len(names)} distilled sets. Name one or several of them: {' '.join(names)}")


def check_upload(place: HubPlace) -> None:
    """Raises BenchError, before work is spent, when nothing could be uploaded: no package, no token."""
    hub = _library()
    if place.path or place.revision:
        raise BenchError(f"{place} names a folder or revision: sets go to a repository, {HubPlace(place.repo)}.")
    if hub.get_token() is None:
        raise BenchError(f"no token for {place}: run `hf auth login`, or set HF_TOKEN to a token that may write.")


def upload(place: HubPlace, folder: Path, message: str, private: bool | None) -> None:
    """Put all files of ``folder`` into the repository, which is created when it is not there. Raises BenchError."""
    hub = _library()
    with _told(f"nothing was put into {place}"):
        api = hub.HfApi()
        api.create_repo(place.repo, repo_type="dataset", private=private, exist_ok=True)
        api.upload_folder(repo_id=place.repo, folder_path=str(folder), repo_type="dataset", commit_message=message)


def _library() -> Any:
    try:
        import huggingface_hub
    except ImportError:
        raise BenchError("the hub needs a package: pip install huggingface_hub") from None
    return huggingface_hub


@contextmanager
def _told(what: str) -> Iterator[None]:
    """Errors of huggingface_hub and of the network below it, whose classes differ by release, as one BenchError."""
    try:
        yield
    except Exception as error:
        first = next(iter(str(error).strip().splitlines()), "").rstrip(".:") or "no more is said"
        raise BenchError(
            f"{what}: {type(error).__name__}: {first}. Check the name, the network and the token (`hf auth whoami`)."
        ) from None
