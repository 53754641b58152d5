"""The folder of one model of diffusers: its configuration, and which files hold its weights."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ddbench.errors import BenchError
from ddbench.methods.diffusion.checkpoints.layouts import layout_of, renamed
from ddbench.weights import Shapes, check_file, differences, shapes_of

STEM = "diffusion_pytorch_model"
SUFFIXES = (".safetensors", ".bin")


@dataclass(frozen=True)
class WeightFiles:
    """The files of a model's weights, all of one variant."""

    paths: tuple[Path, ...]
    variant: str | None
    """``fp16`` for files such as ``*.fp16.safetensors``; None for plain names"""

    @property
    def safe(self) -> bool:
        return all(path.suffix == ".safetensors" for path in self.paths)


def read_config(folder: Path, name: str = "config.json") -> dict[str, Any]:
    """The JSON object in ``folder/name``. Raises BenchError when there is none."""
    path = folder / name
    check_file(path)
    try:
        config = json.loads(path.read_text())
    except ValueError as error:
        raise BenchError(f"{path} is no JSON: {error}.") from None
    if not isinstance(config, dict):
        raise BenchError(f"{path} holds no JSON object.")
    return config


def weight_files(folder: Path) -> WeightFiles | None:
    """The weights in ``folder``, safetensors before .bin and plain names before variants; None where there are none.

    Raises BenchError for several variants, of which the folder does not say which is meant, and for a shard that its
    index names and the folder lacks.
    """
    for suffix in SUFFIXES:
        variants: dict[str | None, Path] = {}
        for path in sorted(folder.glob(f"{STEM}*")):
            if found := _MAIN[suffix].fullmatch(path.name):
                variants.setdefault(found["a"] or found["b"], path)
        if not variants:
            continue
        if None not in variants and len(variants) > 1:
            names = ", ".join(str(name) for name in variants)
            raise BenchError(f"{folder} holds the variants {names} and no plain weights: leave one of them there.")
        variant = None if None in variants else next(iter(variants))
        return WeightFiles(_shards(variants[variant]), variant)
    return None


_MAIN = {
    suffix: re.compile(
        rf"{STEM}(\.(?P<a>[\w-]+))?{re.escape(suffix)}|{STEM}{re.escape(suffix)}\.index(\.(?P<b>[\w-]+))?\.json"
    )
    for suffix in SUFFIXES
}
"""suffix -> names of the only file of weights, or of the index of several; in groups the variant"""


def _shards(path: Path) -> tuple[Path, ...]:
    if path.suffix != ".json":
        return (path,)
    try:
        names = sorted(set(read_config(path.parent, path.name)["weight_map"].values()))
    except (KeyError, AttributeError, TypeError):
        raise BenchError(f"{path} is no index of weights.") from None
    return tuple(path.parent / name for name in names)


def weight_problem(folder: Path, config: dict[str, Any], complete: bool, light: bool) -> str:
    """Why the weights in ``folder`` are not those of the model that ``config`` describes; empty where they are, or
    where neither names nor shapes can be read yet. Raises BenchError for damaged files."""
    files = weight_files(folder)
    if files is None:
        names = " or ".join(f"{STEM}{suffix}" for suffix in SUFFIXES)
        return f"{folder} holds no weights ({names})." if complete else ""
    found: dict[str, tuple[int, ...]] = {}
    for path in files.paths:
        if not complete and not path.exists():
            return ""
        shapes = shapes_of(path, light)
        if shapes is None:
            return ""
        found |= shapes
    return unlike(folder, found, config)


def unlike(where: Path | str, found: Shapes, config: dict[str, Any]) -> str:
    """The sentence about weights that are not those of ``config``; empty where they are, or nothing is known of it."""
    expected = layout_of(config)
    problem = differences(renamed(found), expected) if expected else ""
    if not problem:
        return ""
    return f"the weights in {where} are not those of its {config.get('_class_name')}: {problem}."
