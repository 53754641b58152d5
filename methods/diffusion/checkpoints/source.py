"""Where a source lies: a folder, a file, or a hub id whose files are in the cache of this machine or on the hub."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from ddbench.errors import BenchError

HUB_ID = re.compile(r"[\w-][\w.-]*/[\w-][\w.-]*")

FILES = (".pt", ".pth", ".ckpt", ".bin", ".safetensors")
"""suffixes of files of weights"""


@dataclass(frozen=True)
class Found:
    """A folder of models on this machine."""

    folder: Path
    complete: bool = True
    """False for a hub id: its files may be downloaded one by one, so that one which is not there may still come"""


def find_folder(source: str, holds: str, option: str, config: str, light: bool) -> Found | None:
    """The folder that ``source`` names: a local one, or that of a hub id in the cache of this machine.

    None for a hub id that is not in the cache; without ``light``, its file ``config`` has been fetched then, so there
    is one. holds: what must lie in the folder, and option: the key of the configuration, for messages. Raises
    BenchError when there is no such folder, it is a file, or the hub does not answer.
    """
    path = Path(source).expanduser()
    how = f"Name a folder that holds {holds} with --set {option}=FOLDER"
    if path.is_dir():
        return Found(path)
    if path.exists():
        raise BenchError(f"{path} is a file, and {option} wants a folder. {how}")
    if not is_hub_id(source):
        what = "file" if path.suffix in FILES else "folder"
        relative = "" if path.is_absolute() else f" ({source!r} is relative to the current folder)"
        raise BenchError(f"there is no {what} {Path.cwd() / path}{relative}. {how}")
    return _in_cache(source, config, how, light)


def is_hub_id(source: str) -> bool:
    """Whether a source that is no path on this machine reads as OWNER/NAME on the hub, and not as a path."""
    return bool(HUB_ID.fullmatch(source)) and not source.endswith(FILES) and not Path(source.partition("/")[0]).exists()


def _in_cache(source: str, config: str, how: str, light: bool) -> Found | None:
    from huggingface_hub import constants, hf_hub_download, try_to_load_from_cache

    if isinstance(found := try_to_load_from_cache(source, config), str):
        return Found(_root(Path(found), config), complete=False)
    if constants.HF_HUB_OFFLINE:
        raise BenchError(
            f"{source} is no folder here, and as a hub id it is not in the cache {constants.HF_HUB_CACHE}, while "
            f"HF_HUB_OFFLINE forbids to download it. {how}"
        )
    if light:
        return None
    try:
        return Found(_root(Path(hf_hub_download(source, config)), config), complete=False)
    except Exception as error:  # of the hub, its client, or the network below it
        reason = " ".join(str(error).split())[:200]
        raise BenchError(
            f"{source} is no folder here, and as a hub id it cannot be fetched: {type(error).__name__}: {reason}. {how}"
        ) from None


def fetch(source: str, file: str) -> None:
    """Download a small file of a hub id into the cache, if the repository has it."""
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError

    try:
        hf_hub_download(source, file)
    except LocalEntryNotFoundError as error:
        raise BenchError(f"{file} of {source} cannot be fetched from the hub: {' '.join(str(error).split())}") from None
    except EntryNotFoundError:
        return


def _root(path: Path, file: str) -> Path:
    """The snapshot folder in which ``file`` lies at ``path``."""
    return path.parents[len(Path(file).parts) - 1]
