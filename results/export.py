"""A distilled set as a folder of PNG files for torchvision's ImageFolder and Hugging Face's imagefolder.

<class>/<index>.png   the stored pixels, exactly; the folder is named as the class, so that other folders of the dataset
                      sort alike; index is the place within the class
metadata.jsonl        a line for each image: file_name, label (the class name), class_index (in the dataset's order)
README.md             how the set was made, as a dataset card
"""

from __future__ import annotations

import hashlib
import html
import io
import json
import os
import re
import shutil
import uuid
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ddbench.errors import BenchError
from ddbench.types import LabeledImages

if TYPE_CHECKING:
    import torch

METADATA = "metadata.jsonl"
CARD = "README.md"
LONGEST_NAME = 60
"""characters; at four bytes each, with the digest, they stay below the 255 bytes of most file systems"""
MOST_BYTES = 255
"""of the name of a folder, on most file systems"""
MODES = {1: "L", 3: "RGB"}
"""PNG mode by number of channels"""


def set_folder(root: Path, dataset: str, method: str, ipc: int, seed: int) -> Path:
    """``root/<dataset>/<method>/ipc<n>-seed<s>``, inside ``root`` whatever the names are."""
    return root / safe_name(dataset) / safe_name(method) / f"ipc{ipc}-seed{seed}"


def safe_name(name: str) -> str:
    """``name`` where it is a plain folder name; otherwise its plain characters and a digest of the whole name."""
    plain = re.sub(r"[^\w.+@=-]", "_", name).lstrip(".-")[:LONGEST_NAME]
    return plain if plain and plain == name else f"{plain or '_'}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def class_folders(classes: Sequence[str]) -> list[str]:
    """The folder of each class: its name exactly as it is, where that can be one folder inside another.

    Loaders number classes by the order of their folders: with another name a class would have another number there than
    in the dataset's own folders. Names that lead elsewhere, are hidden, too long or hold control characters are made
    safe. Raises BenchError when two classes would share a folder.
    """
    folders = [name if _can_be_a_folder(name) else safe_name(name) for name in classes]
    for i, folder in enumerate(folders):
        if folder in folders[:i]:
            first = classes[folders.index(folder)]
            raise BenchError(f"the classes {first!r} and {classes[i]!r} would share the folder {folder!r}. Rename one.")
    return folders


def _can_be_a_folder(name: str) -> bool:
    leads = name in ("", ".", "..") or name[0] == "." or "/" in name or "\\" in name
    return not leads and all(map(str.isprintable, name)) and len(os.fsencode(name)) <= MOST_BYTES


def export_set(folder: Path, data: LabeledImages, facts: Mapping[str, Any]) -> bool:
    """Write a distilled set to ``folder``, all at once; False when it is there already, byte for byte.

    ``facts`` has dataset, split, method, ipc and seed; what else it has is shown in the card as it is (JSON types).
    Raises BenchError when the folder holds anything else (nothing is overwritten), when it cannot be written, or
    when the images are neither grey nor RGB.
    """
    if data.shape[0] not in MODES:
        raise BenchError(f"PNG files hold 1 or 3 channels; the images of {facts['dataset']} have {data.shape[0]}.")
    try:
        if folder.exists():
            if not _holds(folder, _files(data, facts)):
                raise BenchError(f"{folder} holds something else. Remove it, or name another folder with --out.")
            return False
        folder.parent.mkdir(parents=True, exist_ok=True)
        temporary = folder.parent / f".{folder.name}.{uuid.uuid4().hex[:8]}.tmp"
        try:
            for name, content in _files(data, facts):
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


def _files(data: LabeledImages, facts: Mapping[str, Any]) -> Iterator[tuple[str, bytes]]:
    """(path in the folder, content) of every file, one image at a time."""
    lines = []
    for label, (name, folder) in enumerate(zip(data.classes, class_folders(data.classes), strict=True)):
        images = data.of_class(label)
        digits = len(str(max(len(images) - 1, 0)))  # so that the order of the names is that of the images
        for i, image in enumerate(images):
            path = f"{folder}/{i:0{digits}}.png"
            lines.append(json.dumps({"file_name": path, "label": name, "class_index": label}, ensure_ascii=False))
            yield path, _png(image)
    yield METADATA, "".join(f"{line}\n" for line in lines).encode()
    yield CARD, _card(data, facts).encode()


def _png(image: torch.Tensor) -> bytes:
    """uint8 (C, H, W) as PNG: lossless, without a date or other metadata."""
    from PIL import Image

    pixels = image.permute(1, 2, 0).numpy()
    written = io.BytesIO()
    Image.fromarray(pixels[:, :, 0] if len(image) == 1 else pixels, MODES[len(image)]).save(written, "png")
    return written.getvalue()


def _card(data: LabeledImages, facts: Mapping[str, Any]) -> str:
    """The card, Markdown under a YAML header. Names may come from anybody: nothing in them is markup."""
    dataset, split, method = (
        html.escape(_one_line(facts[name]), quote=False) for name in ("dataset", "split", "method")
    )
    ipc, seed = int(facts["ipc"]), int(facts["seed"])
    channels, height, width = data.shape
    safe = sum(folder != name for folder, name in zip(class_folders(data.classes), data.classes, strict=True))
    renamed = f"; {safe} of the names can be no folder, so that `metadata.jsonl` alone has them" if safe else ""
    title = f"{dataset} distilled by {method}: {ipc} image{'s' * (ipc > 1)} per class, seed {seed}"
    return f"""\
---
pretty_name: {json.dumps(title)}
license: other
task_categories: [image-classification]
tags: [dataset-distillation]
configs:
- config_name: default
  data_files:
  - split: train
    path: ["metadata.jsonl", "*/*.png"]
---

# {title}

{len(data)} PNG images of {width} x {height} pixels ({MODES[channels]}) in {len(data.classes)} classes, made from the
train part of {dataset} (split {split}) by the dataset-distillation method {method}. A classifier is to be trained on
them alone and judged on the test images of that split.

## Loading

    torchvision.datasets.ImageFolder("path/to/this/folder")    # classes in the order of the folders' names
    datasets.load_dataset("path/to/this/folder", split="train")    # image, label (the class name), class_index
    datasets.load_dataset("imagefolder", data_files={{"train": "path/to/this/folder/*/*.png"}}, split="train")
                                                               # image, label (a number in the order of the folders)

These three hold whatever the classes are called. `data_dir=` with `imagefolder` does not: it takes class folders called
train, test or validation for splits, and leaves out the others.

A class is its name{renamed}. `class_index` is its place in the order of the dataset as it was distilled.

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
