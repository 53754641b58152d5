"""Hugging Face datasets on disk, by the names of their columns."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import lru_cache
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from ddbench.config.values import describe
from ddbench.data import mapped, shards
from ddbench.data.decode import CHUNK_BYTES, Resize, Viewed
from ddbench.data.imagefile import opened
from ddbench.data.invalid import InvalidData
from ddbench.data.layout import TEST, TRAIN
from ddbench.data.progress import told
from ddbench.errors import BenchError, unknown
from ddbench.keys import digest
from ddbench.processors import allowed_processors
from ddbench.types import Cache, Count, Dataset, ImageView, LabeledImages, NonNegativeInt, Shape, Split

if TYPE_CHECKING:
    import numpy as np

IMAGE_COLUMNS, LABEL_COLUMNS = ("image", "img"), ("label", "labels", "class", "wnid", "fine_label")
"""usual names of columns, the first that is there counts"""


@dataclass(frozen=True)
class HuggingFace(Dataset):
    """A Hugging Face dataset on disk: a folder of ``save_to_disk``, or parquet shards as on the hub.

    The train split and the first of val, valid, validation and test are used. Labels are a ClassLabel column with
    names, or text. Images are converted to RGB. Files are read by pyarrow alone: no script of the folder is run.
    ``holdout`` sets a validation part aside: about one in ``holdout`` train rows, chosen by the digest of its number.
    """

    name: ClassVar[str] = "huggingface"
    location: ClassVar[tuple[str, ...]] = ("root",)
    naming: ClassVar[tuple[str, ...]] = ("title",)
    judging: ClassVar[tuple[str, ...]] = ("duplicates",)
    decodes_views: ClassVar[bool] = True

    root: str = ""
    """the folder of the dataset"""
    title: str = ""
    """name of the data in tables, so that two datasets are never mixed in a column; default: the name of the folder"""
    image: str = ""
    """the column of images; default: image or img"""
    label: str = ""
    """the column of labels; default: label, labels, class, wnid or fine_label"""
    test: str = ""
    """the split of test images; default: the first of val, valid, validation and test"""
    resolution: Count = 64
    resize: Literal["squash", "crop"] = "crop"
    """as of folders of images: crop is the largest centred square, squash ignores the aspect ratio"""
    interpolation: Literal["bilinear", "bicubic", "lanczos"] = "bicubic"
    holdout: NonNegativeInt = 0
    duplicates: Literal["refuse", "allow"] = "refuse"
    """test images whose encoded bytes are a train image's too: refuse or allow them"""

    @property
    def classes(self) -> tuple[str, ...]:
        return self._labels("train")[0]

    @property
    def shape(self) -> Shape:
        return 3, self.resolution, self.resolution

    @property
    def split_name(self) -> str:
        return self.title or self._folder.name

    def train_counts(self) -> tuple[int, ...]:
        return self.counts("train")

    def counts(self, split: Split) -> tuple[int, ...]:
        """Images of each class in a split."""
        counts = Counter(self._labels_of(split))
        return tuple(counts[k] for k in range(len(self.classes)))

    def encoded(self, split: Split) -> Iterator[tuple[str, bytes]]:
        """(folder, row and split, the encoded image) of each image of a split."""
        for row, content in self._contents(split):
            yield self._where(split, row), content

    def fingerprint(self, split: Split) -> str:
        """A digest of names and sizes of the files of a split, of their last kilobytes, which hold the checksums or
        statistics of their columns, and of its labels. Decodes nothing."""
        if not self._labels_of(split):
            raise self._no_images(split)
        names, labels = self._labels(split)
        return digest([list(names), hashlib.sha256(bytes(str(labels), "ascii")).hexdigest(), self._looks(split)])

    def remarks(self) -> tuple[str, ...]:
        used = (self._split("train"), self._split("test"))
        left = [name for name in self._splits if name not in used]
        return (f"{self.name}: the test split is {used[1]}; {', '.join(left)} is not read",) if left else ()

    def load(self, split: Split, cache: Cache | None = None) -> LabeledImages:
        """The images of a split in the order of its rows. With a ``cache`` they are decoded once. Raises BenchError,
        naming the file or the row, for what is missing or unreadable."""
        return self._load(split, Resize(self.resolution, self.resize, self.interpolation), cache)

    def load_view(self, split: Split, view: ImageView, cache: Cache | None = None) -> LabeledImages:
        return self._load(split, Viewed(view), cache)

    def check(self, split: Split, view: ImageView | None, cache: Cache) -> dict[str, int]:
        """Compare the encoded images of the judged split with those of train. Raises InvalidData for refused ones."""
        seen: dict[bytes, int] = {}
        for row, content in self._contents(split):
            seen.setdefault(hashlib.sha256(content).digest(), row)
        ours = chain(self._contents("train"), self._contents("validation") if self.holdout else ())
        train = ((row, seen.get(hashlib.sha256(content).digest())) for row, content in ours)
        pairs = [(judged, row) for row, judged in train if judged is not None]
        counts: dict[str, int] = {"train": len(self._labels_of("train")), split: len(self._labels_of(split))}
        if split != "test":
            return counts
        shared = len({judged for judged, _ in pairs})
        if pairs and self.duplicates == "refuse":
            raise InvalidData(
                f"{self.name}: {shared} test images are train images too",
                [f"row {judged} of {self._split('test')} is also row {row} of train." for judged, row in pairs],
                f"Remove one of each pair, or keep them with --set data.{self.name}.duplicates=allow, which every "
                "caption tells: accuracy on images that were trained on says nothing.",
            )
        return {**counts, "test images that are train images too": shared}

    @property
    def _folder(self) -> Path:
        """The folder of the dataset. Raises BenchError when it is not named or is not there."""
        setting = f"--set data.{self.name}.root=FOLDER"
        if not self.root:
            raise BenchError(
                f"where is {self.name}? Name the folder of save_to_disk or of parquet files with {setting}"
            )
        folder = Path.cwd() / Path(self.root).expanduser()
        if not folder.is_dir():
            raise BenchError(f"{self.name}: there is no folder {folder}. Name another with {setting}")
        return folder

    @property
    def _splits(self) -> Mapping[str, list[Path]]:
        if not (found := shards.splits(self._folder)):
            raise BenchError(
                f"{self.name}: {self._folder} holds neither {shards.DICT}, as save_to_disk writes for a dataset with "
                "splits, nor parquet files called by their split (train-00000-of-00001.parquet)."
            )
        return found

    def _split(self, split: Split) -> str:
        """The name of a split in the folder. Raises BenchError."""
        found = self._splits
        wanted = TRAIN if split != "test" else (self.test,) if self.test else TEST
        if name := next((name for name in wanted if name in found), ""):
            return name
        setting = f"--set data.{self.name}.test=NAME" if split == "test" else "rename the one that is meant to train"
        raise BenchError(
            f"{self.name}: {self._folder} has the splits {', '.join(found)} and no {' or '.join(wanted)}: {setting}."
        )

    def _paths(self, split: Split) -> tuple[Path, ...]:
        return tuple(self._splits[self._split(split)])

    def _looks(self, split: Split) -> list[Any]:
        return [[path.name, path.stat().st_size, _tail(path)] for path in self._paths(split)]

    def _column(self, split: Split, what: Literal["image", "label"]) -> str:
        """The name of a column. Raises BenchError."""
        schema = shards.schema(self._paths(split)[0])
        usual = IMAGE_COLUMNS if what == "image" else LABEL_COLUMNS
        asked, there = getattr(self, what), schema.names
        if asked and asked not in there:
            raise unknown("column", asked, there, where=f"data.{self.name}.{what} of {self._folder}")
        sort = "Image" if what == "image" else "ClassLabel"
        typed = [name for name, feature in shards.features(schema).items() if feature.get("_type") == sort]
        named = asked or next((name for name in usual if name in there), typed[0] if len(typed) == 1 else "")
        if not named:
            raise BenchError(
                f"{self.name}: {self._folder} has the columns {', '.join(there)}: say which holds the {what}s with "
                f"--set data.{self.name}.{what}=COLUMN"
            )
        return str(named)

    def _labels(self, split: Split) -> tuple[tuple[str, ...], tuple[int, ...]]:
        """(class names, the class of each row of the split in the folder), held-out rows too. Raises BenchError."""
        train, paths = self._paths("train"), self._paths(split)
        stamps = tuple((path, path.stat().st_mtime_ns, path.stat().st_size) for path in (*train, *paths))
        return _read_labels(self.name, train, paths, self._column("train", "label"), stamps)

    def _rows(self, split: Split) -> list[int]:
        """The rows of the split in the folder that are of ``split``."""
        count = len(self._labels(split)[1])
        if split == "test" or not self.holdout:
            return list(range(count)) if split != "validation" else []
        return [row for row in range(count) if self._held_out(row) == (split == "validation")]

    def _held_out(self, row: int) -> bool:
        found = hashlib.sha256(f"{self.name}:{row}".encode()).digest()
        return int.from_bytes(found[:4], "big") % self.holdout == 0

    def _labels_of(self, split: Split) -> list[int]:
        labels = self._labels(split)[1]
        return [labels[row] for row in self._rows(split)]

    def _no_images(self, split: Split) -> BenchError:
        setting = f"--set data.{self.name}.holdout=10"
        if split == "validation" and not self.holdout:
            return BenchError(f"{self.name} has no validation part. Set one aside with {setting}")
        return BenchError(f"{self.name}: the split {split} has no image.")

    def _load(self, split: Split, resize: Resize | Viewed, cache: Cache | None) -> LabeledImages:
        import numpy as np
        import torch

        if not (labels := np.asarray(self._labels_of(split), dtype=np.int64)).size:
            raise self._no_images(split)
        shape = (len(labels), 3, resize.side, resize.side)
        if cache is None:
            images, start = np.empty(shape, dtype=np.uint8), 0
            for chunk in self._decoded(split, resize):
                images[start : start + len(chunk)] = chunk
                start += len(chunk)
            return LabeledImages(torch.from_numpy(images), torch.from_numpy(labels), self.classes)

        def fill(folder: Path) -> None:
            mapped.write(folder, shape, self._decoded(split, resize), labels, {"dataset": self.name, "split": split})

        options = {k: v for k, v in describe(self).items() if k not in (*self.judging, *self.naming, *self.location)}
        what = {"format": mapped.FORMAT, "data": self.fingerprint(split), "split": split, "options": options}
        what |= {"folder": str(self._folder)}
        if isinstance(resize, Viewed):
            what |= {"view": asdict(resize.view)}
        return mapped.load(cache(f"{self.name}-{split}-{digest(what)}", fill), self.classes)

    def _contents(self, split: Split) -> Iterator[tuple[int, bytes]]:
        """(row, encoded image) of a split."""
        paths, rows = self._paths(split), set(self._rows(split))
        for row, value in enumerate(shards.column(paths, self._column(split, "image"))):
            if row in rows:
                yield row, shards.content(paths[0].parent, self._where(split, row), value)

    def _where(self, split: Split, row: int) -> str:
        return f"{self._paths(split)[0].parent}, row {row} of {self._split(split)}"

    def _decoded(self, split: Split, resize: Resize | Viewed) -> Iterator[np.ndarray]:
        """Chunks of images, uint8 (n, 3, side, side). Raises InvalidData, naming every broken row, after the last."""
        import numpy as np

        contents, broken = self._contents(split), list[str]()
        step = max(1, CHUNK_BYTES // (3 * resize.side**2))

        def one(row: int, content: bytes) -> np.ndarray | BenchError:
            try:
                image = opened(self._where(split, row), content, "RGB")
            except BenchError as error:
                return error
            return np.asarray(resize(image)).transpose(2, 0, 1)

        with (
            told(f"decoding {self.name} {split}", len(self._rows(split))) as advance,
            ThreadPoolExecutor(allowed_processors()) as pool,
        ):
            while part := list(islice(contents, step)):
                found = list(pool.map(lambda pair: one(*pair), part))
                broken += [str(image) for image in found if isinstance(image, BenchError)]
                if not broken:
                    yield np.stack([image for image in found if not isinstance(image, BenchError)])
                advance(len(part))
        if broken:
            raise InvalidData(f"{len(broken)} images of {self._folder} cannot be read", broken)


def _tail(path: Path) -> str:
    """SHA-256 of the last 16 KiB of a file."""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - 2**14))
        return hashlib.sha256(file.read()).hexdigest()


@lru_cache(maxsize=8)
def _read_labels(
    name: str, train: tuple[Path, ...], paths: tuple[Path, ...], column: str, stamps: tuple[Any, ...]
) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """(class names, class of each row of ``paths``). ``stamps`` of the files tell one content from the next."""
    feature = shards.features(shards.schema(train[0])).get(column, {})
    names = tuple(map(str, feature.get("names") or ()))
    values = list(shards.column(paths, column))
    if not names:
        known = set(values if paths == train else shards.column(train, column))
        if not all(isinstance(value, str) for value in known):
            raise BenchError(
                f"{name}: the labels in {column} of {train[0].parent} are neither text nor a ClassLabel with names "
                f"({next(v for v in known if not isinstance(v, str))!r}). In Python, cast_column({column!r}, "
                "ClassLabel(names=...)) and save it again: a class is known by its name."
            )
        names = tuple(sorted(known))
        place = {value: i for i, value in enumerate(names)}
        values = [place.get(value, value) for value in values]
    for row, value in enumerate(values):
        if not isinstance(value, int) or not 0 <= value < len(names):
            raise BenchError(
                f"{name}: row {row} of {paths[0].parent} has the label {value!r}, which is none of the "
                f"{len(names)} classes of train. Name a split that has labels with --set data.{name}.test=NAME"
            )
    return names, tuple(values)
