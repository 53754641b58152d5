"""The files of a distilled set in each of the forms that it is given away in.

    imagefolder  <class>/<index>.png, and metadata.jsonl: file_name, label, class_index, and soft_label if it has any
    parquet      data/train-00000-of-00001.parquet with the columns image (PNG), label (a ClassLabel) and soft_label
    pt           set.pt, a dict of images, uint8 (N, C, H, W), labels, int64 (N,), classes and soft_labels

`bench evaluate` reads all three, and torchvision, Hugging Face datasets and torch.load the one that is theirs. Pixels
and soft labels are those of the store, bit by bit.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ddbench.errors import BenchError
from ddbench.types import LabeledImages

if TYPE_CHECKING:
    import torch

METADATA = "metadata.jsonl"
SHARD = "data/train-00000-of-00001.parquet"
TENSORS = "set.pt"
LONGEST_NAME = 60
"""characters; at four bytes each, with the digest, they stay below the 255 bytes of most file systems"""
MOST_BYTES = 255
"""of the name of a folder, on most file systems"""
MODES = {1: "L", 3: "RGB"}
"""PNG mode by number of channels"""

Files = Iterator[tuple[str, bytes]]
"""(path in the folder, content) of every file"""


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


def imagefolder(data: LabeledImages) -> Files:
    """One image at a time, then their labels."""
    lines = []
    for label, (name, folder) in enumerate(zip(data.classes, class_folders(data.classes), strict=True)):
        images = data.of_class(label)
        soft = data.soft[data.labels == label].tolist() if data.soft is not None else []
        digits = len(str(max(len(images) - 1, 0)))  # so that the order of the names is that of the images
        for i, image in enumerate(images):
            path = f"{folder}/{i:0{digits}}.png"
            line: dict[str, Any] = {"file_name": path, "label": name, "class_index": label}
            if soft:
                line["soft_label"] = {data.classes[k]: p for k, p in enumerate(soft[i]) if p}
            lines.append(json.dumps(line, ensure_ascii=False))
            yield path, png(image)
    yield METADATA, "".join(f"{line}\n" for line in lines).encode()


def parquet(data: LabeledImages) -> Files:
    """One shard, with the features by which Hugging Face datasets decode images and name classes."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns: dict[str, Any] = {
        "image": [{"bytes": png(image), "path": None} for image in data.images],
        "label": pa.array(data.labels.tolist(), pa.int64()),
    }
    features: dict[str, Any] = {
        "image": {"_type": "Image"},
        "label": {"names": list(data.classes), "_type": "ClassLabel"},
    }
    columns["image"] = pa.array(columns["image"], pa.struct([("bytes", pa.binary()), ("path", pa.string())]))
    if data.soft is not None:
        columns["soft_label"] = pa.array(data.soft.tolist(), pa.list_(pa.float32()))
        features["soft_label"] = {"feature": {"dtype": "float32", "_type": "Value"}, "_type": "Sequence"}
    table = pa.table(columns).replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
    written = io.BytesIO()
    pq.write_table(table, written)
    yield SHARD, written.getvalue()


def pt(data: LabeledImages) -> Files:
    """Tensors and names of classes, which ``torch.load`` reads with ``weights_only=True``."""
    import torch

    held: dict[str, Any] = {"images": data.images.clone(), "labels": data.labels.clone(), "classes": list(data.classes)}
    if data.soft is not None:
        held["soft_labels"] = data.soft.clone()
    written = io.BytesIO()
    torch.save(held, written)
    yield TENSORS, written.getvalue()


FORMS: Mapping[str, Callable[[LabeledImages], Files]] = {"imagefolder": imagefolder, "parquet": parquet, "pt": pt}
"""name of a form -> its files, without the card"""

LOADING: Mapping[str, str] = {
    "imagefolder": """\
    torchvision.datasets.ImageFolder("path/to/this/folder")    # classes in the order of the folders' names
    datasets.load_dataset("path/to/this/folder", split="train")    # image, label (the class name), class_index
    datasets.load_dataset("imagefolder", data_files={"train": "path/to/this/folder/*/*.png"}, split="train")
                                                               # image, label (a number in the order of the folders)

These three hold whatever the classes are called. `data_dir=` with `imagefolder` does not: it takes class folders called
train, test or validation for splits, and leaves out the others.
""",
    "parquet": """\
    datasets.load_dataset("path/to/this/folder", split="train")    # image, label (a ClassLabel)
    pandas.read_parquet("path/to/this/folder/data")
""",
    "pt": """\
    torch.load("path/to/this/folder/set.pt", weights_only=True)
    # images: uint8 (N, C, H, W), 0 to 255; labels: the place of each image's class in classes, a list of names
""",
}
"""form -> how others load it, for the card"""

DATA_FILES: Mapping[str, tuple[str, ...]] = {
    "imagefolder": (METADATA, "*/*.png"),
    "parquet": ("data/*.parquet",),
    "pt": (),
}
"""form -> what Hugging Face datasets load"""


def png(image: torch.Tensor) -> bytes:
    """uint8 (C, H, W) as PNG: lossless, without a date or other metadata."""
    from PIL import Image

    pixels = image.permute(1, 2, 0).numpy()
    written = io.BytesIO()
    Image.fromarray(pixels[:, :, 0] if len(image) == 1 else pixels, MODES[len(image)]).save(written, "png")
    return written.getvalue()
