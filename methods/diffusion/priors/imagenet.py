"""The classes that an ImageNet model knows, by wnid."""

from __future__ import annotations

from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

from ddbench.errors import BenchError


@lru_cache(maxsize=1)
def wnids() -> tuple[str, ...]:
    """The 1,000 wnids of ILSVRC-2012 in the order of their ids, from the list in timm's folder; timm, whose import
    takes seconds, is not imported. Raises BenchError without timm."""
    spec = find_spec("timm")
    path = Path(spec.origin if spec and spec.origin else "timm").parent / "data" / "_info" / "imagenet_synsets.txt"
    found = tuple(path.read_text().split()) if path.is_file() else ()
    if len(found) != 1000:
        raise BenchError(f"timm's list of the ImageNet classes is not at {path}: install timm as constraints.txt says.")
    return found
