"""Files of studies: found by name or path, and read together with the study that they extend."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Any

import yaml

from ddbench.config.origins import Origin, Origins, outside
from ddbench.config.reading import read_yaml
from ddbench.errors import BenchError, unknown, unreadable
from ddbench.paths import tidy

EXTENDS = "extends"
"""key of a file that names the study it extends"""
OWN = ("name", "description")
"""keys that say which study a file is, so that they are not those of the extended one"""


def named_configs() -> dict[str, Path]:
    """The studies that come with the harness, by name."""
    folder = Path(str(resources.files("ddbench.configs")))
    return {path.stem: path for path in sorted(folder.glob("*.yaml"))}


def read_study(name_or_path: str) -> tuple[dict[str, Any], Origins, Path]:
    """The keys of a study and of all that it extends, where each was written, and the path of its file.

    Nothing is checked but the form. Mappings are merged key by key; any other value, a list too, replaces that of the
    extended study, and so does a mapping with another ``type``, whose options are others. ``name``, by default that of
    the file, and ``description`` are the file's own. Raises BenchError for a missing file, what is no YAML mapping, a
    key given twice, and files that extend each other in a circle.
    """
    path = _find(name_or_path)
    raw, origins = _read(path, ())
    return raw, origins, path


def _find(name_or_path: str) -> Path:
    known = named_configs()
    if name_or_path in known:
        return known[name_or_path]
    path = Path(name_or_path)
    if path.suffix in {".yaml", ".yml"} or path.is_file():
        if not path.is_file():
            raise BenchError(f"there is no configuration file {path}. `bench list configs` shows the named ones.")
        return path
    raise unknown("config", name_or_path, known, hint="A file is given by its path, ending in .yaml.")


def _read(path: Path, before: tuple[Path, ...]) -> tuple[dict[str, Any], Origins]:
    """``before``: the files that extend this one, directly or not, the first of them first."""
    text = ""
    try:
        text = path.read_text()
        raw, lines = read_yaml(text, str(path))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise BenchError(f"cannot read the configuration {path}{unreadable(error, text)}") from None
    if not isinstance(raw, dict):
        raise BenchError(f"{path} is not a configuration: it must be a YAML mapping with the key grid.")
    raw = _unshared(raw)
    raw.setdefault("name", path.stem)
    origins: Origins = {".".join(key): Origin(str(path), line, bool(before)) for key, line in lines.items()}
    if EXTENDS not in raw:
        return raw, origins
    parent = _parent(raw.pop(EXTENDS), path, origins[EXTENDS], (*before, path))
    below, below_origins = _read(parent, (*before, path))
    for key in (EXTENDS, *OWN):
        below_origins = outside(below_origins, key)
        below.pop(key, None)
    return _merged(below, raw, below_origins, outside(origins, EXTENDS), "")


def _parent(given: Any, path: Path, origin: Origin, files: tuple[Path, ...]) -> Path:
    """The file that ``given``, written at ``origin`` in ``path``, names. A path is relative to the folder of ``path``.

    Raises BenchError when there is none, or when it is one of ``files``.
    """
    if not isinstance(given, str):
        raise BenchError(
            f"{origin}: extends takes the name of one study or the path of one file, not {given!r}. Example: "
            "extends: digits"
        )
    known = named_configs()
    parent = known.get(given) or tidy(path.parent / Path(given).expanduser())
    if not parent.is_file():
        hint = f"There is no file {parent} either; a path is relative to the file that it stands in."
        raise BenchError(f"{origin}: {unknown('config', given, known, where='extends', hint=hint)}")
    if parent.resolve() in [file.resolve() for file in files]:
        circle = " -> ".join(map(str, [*files, parent]))
        raise BenchError(f"{origin}: studies extend each other in a circle: {circle}. Let one of them extend none.")
    return parent


def _merged(
    below: dict[Any, Any], above: dict[Any, Any], below_origins: Origins, above_origins: Origins, prefix: str
) -> tuple[dict[Any, Any], Origins]:
    """``above`` on top of ``below``, and where the keys of the result, all under ``prefix``, were written."""
    raw, origins = dict(below), dict(below_origins)
    for key, value in above.items():
        place = f"{prefix}{key}"
        old = raw.get(key)
        if isinstance(value, dict) and isinstance(old, dict) and value.get("type", old.get("type")) == old.get("type"):
            raw[key], merged = _merged(old, value, origins, above_origins, f"{place}.")
            origins = dict(merged)
        else:
            raw[key] = value
            origins = outside(origins, place)
            origins |= {k: v for k, v in above_origins.items() if k.startswith(f"{place}.")}
        if place in above_origins:
            origins[place] = above_origins[place]
    return raw, origins


def _unshared(value: Any) -> Any:
    """A deep copy. YAML aliases share one object, so that setting a key in one place would set it in the others."""
    if isinstance(value, dict):
        return {key: _unshared(inner) for key, inner in value.items()}
    return [_unshared(inner) for inner in value] if isinstance(value, list) else value
