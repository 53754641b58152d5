"""A distilled set as a folder in one of the forms of ``results.forms``, with README.md, a dataset card of how it was
made."""

from __future__ import annotations

import html
import json
import shutil
import uuid
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ddbench.errors import BenchError
from ddbench.results.forms import DATA_FILES, FORMS, LOADING, MODES, class_folders, safe_name
from ddbench.types import LabeledImages

CARD = "README.md"


def set_folder(root: Path, dataset: str, method: str, ipc: int, seed: int) -> Path:
    """``root/<dataset>/<method>/ipc<n>-seed<s>``, inside ``root`` whatever the names are."""
    return root / safe_name(dataset) / safe_name(method) / f"ipc{ipc}-seed{seed}"


def export_set(folder: Path, data: LabeledImages, facts: Mapping[str, Any], form: str = "imagefolder") -> bool:
    """Write a distilled set to ``folder``, all at once; False when it is there already, byte for byte.

    ``facts`` has dataset, split, method, ipc and seed; what else it has is shown in the card as it is (JSON types).
    Raises BenchError when the folder holds anything else (nothing is overwritten), when it cannot be written, or
    when the images are neither grey nor RGB.
    """
    if data.shape[0] not in MODES:
        raise BenchError(f"PNG files hold 1 or 3 channels; the images of {facts['dataset']} have {data.shape[0]}.")
    try:
        if folder.exists():
            if not _holds(folder, _files(data, facts, form)):
                raise BenchError(f"{folder} holds something else. Remove it, or name another folder with --out.")
            return False
        folder.parent.mkdir(parents=True, exist_ok=True)
        temporary = folder.parent / f".{folder.name}.{uuid.uuid4().hex[:8]}.tmp"
        try:
            for name, content in _files(data, facts, form):
                path = temporary / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)
            temporary.rename(folder)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
    except OSError as error:
        raise BenchError(f"cannot write {folder}: {error.strerror}. Name a writable folder with --out.") from None
    return True


def _holds(folder: Path, expected: Iterator[tuple[str, bytes]]) -> bool:
    """Whether ``folder`` holds exactly the ``expected`` files."""
    names = set()
    for name, content in expected:
        path = folder / name
        if not path.is_file() or path.read_bytes() != content:
            return False
        names.add(path)
    return names == {path for path in folder.rglob("*") if not path.is_dir()}


def _files(data: LabeledImages, facts: Mapping[str, Any], form: str) -> Iterator[tuple[str, bytes]]:
    """(path in the folder, content) of every file, one image at a time."""
    yield from FORMS[form](data)
    yield CARD, _card(data, facts, form).encode()


def _card(data: LabeledImages, facts: Mapping[str, Any], form: str) -> str:
    """The card, Markdown under a YAML header. Names may come from anybody: nothing in them is markup."""
    dataset, split, method = (
        html.escape(_one_line(facts[name]), quote=False) for name in ("dataset", "split", "method")
    )
    ipc, seed = int(facts["ipc"]), int(facts["seed"])
    channels, height, width = data.shape
    configs = f"{yaml_configs({'default': ['']}, form)}\n" if DATA_FILES[form] else ""
    safe = form == "imagefolder" and sum(
        folder != name for folder, name in zip(class_folders(data.classes), data.classes, strict=True)
    )
    renamed = f"; {safe} of the names can be no folder, so that `metadata.jsonl` alone has them" if safe else ""
    sort = "tensors" if form == "pt" else "PNG images"
    place = "`class_index`" if form == "imagefolder" else "Its number"
    title = f"{dataset} distilled by {method}: {ipc} image{'s' * (ipc > 1)} per class, seed {seed}"
    return f"""\
---
pretty_name: {json.dumps(title)}
license: other
task_categories: [image-classification]
tags: [dataset-distillation]
{configs}---

# {title}

{len(data)} {sort} of {width} x {height} pixels ({MODES[channels]}) in {len(data.classes)} classes, made from the
train part of {dataset} (split {split}) by the dataset-distillation method {method}. A classifier is to be trained on
them alone and judged on the test images of that split.

## Loading

{LOADING[form]}
A class is its name{renamed}. {place} is its place in the order of the dataset as it was distilled.

## How it was made

What the stages read, the keys of their artifacts, versions, and the commit of the code:

```json
{json.dumps(facts, indent=1, ensure_ascii=False)}
```

## Terms

The images derive from those of {dataset}. Some methods pass on images of the dataset as they are, others may come close
to them: all of them stay under the terms of {dataset}, which this card neither grants nor changes.
"""


def _one_line(value: Any) -> str:
    return " ".join(str(value).split())


def yaml_configs(places: Mapping[str, Sequence[str]], form: str) -> str:
    """The part of a card's header that tells Hugging Face datasets what to load: configuration -> folders of sets."""
    lines = ["configs:"]
    for name, folders in places.items():
        paths = [f"{folder}/{path}" if folder else path for folder in folders for path in DATA_FILES[form]]
        lines += [
            f"- config_name: {json.dumps(name)}",
            "  data_files:",
            "  - split: train",
            f"    path: {json.dumps(paths)}",
        ]
    return "\n".join(lines)
