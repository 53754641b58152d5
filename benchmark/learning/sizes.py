"""The sizes of the tensors in a file of torch, without torch: for what a dry run can tell of a teacher's checkpoint."""

from __future__ import annotations

import io
import pickle
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

REBUILT = {"_rebuild_tensor_v2", "_rebuild_tensor"}
"""functions of torch._utils that a file names for its tensors: (storage, offset, size, ...)"""


def sizes_in(path: Path) -> list[tuple[int, ...]]:
    """The size of each tensor in a file that torch.save wrote as an archive; empty where it is none or holds none.

    No class or function that the file names is imported: sizes are read, all else is inert.
    """
    found: list[tuple[int, ...]] = []
    try:
        with zipfile.ZipFile(path) as archive:
            (name,) = [name for name in archive.namelist() if name.endswith("/data.pkl")]
            _Sizes(io.BytesIO(archive.read(name)), found).load()
    except Exception:  # what is wrong with the file is said when it is read
        return []
    return found


class _Inert:
    """Stands for everything that a file names and that has no size."""

    def __init__(self, *_: Any, **__: Any) -> None:
        pass

    def __call__(self, *_: Any, **__: Any) -> _Inert:
        return self

    def __setstate__(self, _: Any) -> None:
        pass


class _Sizes(pickle.Unpickler):
    def __init__(self, file: io.BytesIO, found: list[tuple[int, ...]]) -> None:
        super().__init__(file)
        self._found = found

    def persistent_load(self, pid: Any) -> Any:
        return None

    def find_class(self, module: str, name: str) -> Any:
        if module == "torch._utils" and name in REBUILT:
            return self._sized
        return OrderedDict if (module, name) == ("collections", "OrderedDict") else _Inert

    def _sized(self, storage: Any, offset: Any, size: Any, *_: Any) -> _Inert:
        self._found.append(tuple(map(int, size)))
        return _Inert()
