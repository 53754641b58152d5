"""The words that every part speaks: cells, records, images, and the interfaces of datasets, methods and evaluators.

This is the ground that methods, evaluators and results stand on. It imports nothing heavy, so that a plan can be
made, listed and priced without torch.
"""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from ddbench.hyperparameters import Count as Count
from ddbench.hyperparameters import Fraction as Fraction
from ddbench.hyperparameters import MicroBatch as MicroBatch
from ddbench.hyperparameters import NonNegative as NonNegative
from ddbench.hyperparameters import NonNegativeInt as NonNegativeInt
from ddbench.hyperparameters import Positive as Positive
from ddbench.images import DistilledSet as DistilledSet
from ddbench.images import ImageView as ImageView
from ddbench.images import LabeledImages as LabeledImages
from ddbench.images import Shape as Shape
from ddbench.records import Cell as Cell
from ddbench.records import Outcome as Outcome
from ddbench.records import Record as Record
from ddbench.watchers import RunEnd as RunEnd
from ddbench.watchers import RunStart as RunStart
from ddbench.watchers import StageEnd as StageEnd
from ddbench.watchers import Watcher as Watcher

if TYPE_CHECKING:
    import torch

Split = Literal["train", "validation", "test"]

Cache = Callable[[str, Callable[[Path], None]], Path]
"""``cache(name, fill)``: the folder that ``fill`` wrote files into, made once for ``name`` by whoever comes first"""

PreparationStage = Literal["prior", "fit", "embed"]
"""prior: train or load a generative model; fit: fine-tune it; embed: train a feature extractor"""


@dataclass(frozen=True)
class Dataset(ABC):
    """A dataset with a fixed split. Its fields are its options; a class is its name (wnid), never an index."""

    name: ClassVar[str]
    location: ClassVar[tuple[str, ...]] = ()
    """fields that say where the data is, not what it is: no part of any key, so that folders may move"""
    naming: ClassVar[tuple[str, ...]] = ()
    """fields that name the data or its split and change no image: part of the cell alone, so that a data set under
    another name is judged anew and nothing is distilled again"""
    decodes_views: ClassVar[bool] = False
    """whether ``load_view`` can decode original files; else judged images are those that ``load`` gives"""

    @property
    @abstractmethod
    def classes(self) -> tuple[str, ...]:
        """Class names in the order of the labels."""

    @property
    @abstractmethod
    def shape(self) -> Shape:
        """Shape of an image as ``load`` gives it."""

    @property
    @abstractmethod
    def split_name(self) -> str:
        """Which split this is (``fastai``, ``stratified-60-20-20``): results of two are never one column."""

    @abstractmethod
    def train_counts(self) -> tuple[int, ...]:
        """Number of train images of each class, without decoding any."""

    @abstractmethod
    def fingerprint(self, split: Split) -> str:
        """A digest of the images that ``load(split)`` gives; cheap, and part of every key that depends on them.

        What is distilled is keyed by that of ``train`` alone, so that a change of the test images distils nothing anew.
        """

    def aliases(self) -> Mapping[str, str]:
        """Other names of classes, as people write them, and the class that each means: ``tench`` -> ``n01440764``."""
        return {}

    @abstractmethod
    def load(self, split: Split, cache: Cache | None = None) -> LabeledImages:
        """The images of a split; a dataset that is costly to decode keeps the result in ``cache``.

        Raises BenchError when the data is missing or not what was declared.
        """

    def load_view(self, split: Split, view: ImageView, cache: Cache | None = None) -> LabeledImages:
        """The images of a split in the order of ``load``, decoded as ``view`` says: uint8 (N, C, side, side).

        Called only where ``decodes_views`` is true. Raises BenchError as ``load`` does.
        """
        raise NotImplementedError(f"{type(self).__name__} has no files to decode: its decodes_views must be False")


class Network(ABC):
    """Builds an untrained network; what a name such as ``convnet3`` is registered to."""

    version: ClassVar[int] = 1
    """raised when the same name means another network: part of keys and records, which tell versions apart"""

    @abstractmethod
    def __call__(self, shape: Shape, num_classes: int) -> torch.nn.Module:
        """A module from float (N, *shape) to logits (N, num_classes), with ``features(x)``: its input to the head."""


@dataclass(frozen=True)
class Compute:
    """How classifiers are computed. None of it belongs to a protocol, all of it moves a result: it is in every key."""

    precision: Literal["float32", "bfloat16"] = "float32"
    """bfloat16: forward passes under autocast; weights, losses and optimiser stay float32"""
    channels_last: bool = False
    """memory layout of convolutions; faster with batch norm on most GPUs"""
    compile: bool = False
    """torch.compile the network: seconds to minutes at first, then faster steps"""


@dataclass(frozen=True)
class StageContext:
    """What the harness lends to a running stage."""

    seed: int
    """the coordinate to derive streams from: ``seeding.generator("name", ctx.seed, ...)``"""
    device: str = "cpu"
    data: str = ""
    """digest of the dataset with its options: what things made of the train images alone may be cached under"""
    networks: Mapping[str, Network] = field(default_factory=dict)
    """the registered networks that the method declared"""
    compute: Compute = field(default_factory=Compute)
    """for whoever trains a classifier"""
    log: Callable[[Mapping[str, float]], None] = lambda _: None
    """``log({name: value})``: a line for this stage's log, kept with its artifact"""
    progress: Callable[[int, int], None] = lambda done, total: None
    """``progress(done, total)``: for whoever watches"""
    cache: Cache | None = None
    """for what can be computed again from the data, such as latents; None keeps nothing"""
    scratch: Path | None = None
    """a folder of this stage's own that outlives a crash, to resume from; None where nothing is kept"""
    judged_view: ImageView | None = None
    """for a protocol: the view through which the judged images were decoded; None for those of ``Dataset.load``"""


@dataclass(frozen=True)
class Preparation(ABC):
    """A stage that must have run before a method can distil: training a prior, fine-tuning it, training an embedder.

    Its fields are all that it reads besides the train images and the state of the preparation before it; methods
    whose preparations have equal fields share them.
    """

    stage: ClassVar[PreparationStage]
    apart: ClassVar[bool] = False
    """whether it is made of the train images alone, whatever stands before it: ``run`` gets None for ``before``, and
    its key does not depend on those; ``load`` gets their state, to put its own beside it"""

    def networks(self) -> tuple[str, ...]:
        """Names of the registered networks that ``ctx.networks`` is asked for."""
        return ()

    @abstractmethod
    def run(self, real: LabeledImages, before: Any, ctx: StageContext) -> Any:
        """The state that this stage makes; ``before`` is the state of the preparation before it, or None."""

    @abstractmethod
    def save(self, state: Any, folder: Path) -> None:
        """Write the state into an empty folder, in formats that load without executing code.

        What the preparation before it saved need not be written again.
        """

    @abstractmethod
    def load(self, folder: Path, before: Any, ctx: StageContext) -> Any:
        """The state as ``save`` wrote it; ``before`` as in ``run``."""


@dataclass(frozen=True)
class Needs:
    """What a method needs of a cell. A cell that lacks it is skipped, on record, with the reason."""

    inputs: Literal["images", "latents", "class-conditional prior"] = "images"
    """what it works on, for readers of ``bench info``"""
    ipc: tuple[int, int | None] = (1, None)
    """smallest and largest ipc; None is no bound"""
    channels: tuple[int, ...] = ()
    """numbers of channels that it can take; empty is any"""
    gpu: bool = False
    memory_gib: float = 0.0
    """that ``distill`` takes of the device, the process and its libraries left out; 0 is unknown"""
    knowledge: str = ""
    """what it knows from outside the train split: pretrained networks, other data; tables should say so"""

    def unmet(self, shape: Shape, ipc: int, device: str, memory_gib: float | None = None) -> str:
        """Why a cell cannot be, or nothing; ``memory_gib`` is what the configuration gives to distilling."""
        least, most = self.ipc
        if ipc < least or (most is not None and ipc > most):
            bounds = f"{least} or more" if most is None else f"{least} to {most}"
            return f"the method needs an ipc of {bounds}"
        if self.channels and shape[0] not in self.channels:
            return f"the method needs images of {' or '.join(map(str, self.channels))} channels, these have {shape[0]}"
        if self.gpu and device == "cpu":
            return "the method needs a GPU, and the configuration says device: cpu"
        if memory_gib is not None and self.memory_gib > memory_gib:
            given = f"resources.distill.memory_gib is {memory_gib:g}"
            return f"the method needs {self.memory_gib:g} GiB of memory, and {given}"
        return ""


@dataclass(frozen=True)
class Distiller(ABC):
    """A distillation method; its fields are its hyper-parameters.

    A method never touches files, test data, global random state or evaluation: the harness owns those.
    """

    version: ClassVar[int] = 1
    """raised when the same options mean another method: part of keys and records, which tell versions apart"""
    family: ClassVar[str] = ""
    """name under which a configuration reaches all methods of a family at once"""
    separable: ClassVar[bool] = False
    """whether the images of a class depend on that class alone, so that classes may be distilled apart"""
    whole: ClassVar[bool] = False
    """whether it stands for the whole train split: nothing is distilled, and ipc and seed do not count"""

    def preparations(self, seed: int) -> tuple[Preparation, ...]:
        """The stages that must have run, each starting from the state of the one before.

        ``seed`` is that of the distilled set; a preparation that uses it is made for each seed, others once.
        """
        return ()

    def reads(self) -> tuple[str, ...]:
        """Names of the fields that ``distill`` itself reads. Its key is made of them, and it runs with the others at
        their defaults, so that nothing undeclared can matter."""
        return tuple(f.name for f in dataclasses.fields(self))

    def networks(self) -> tuple[str, ...]:
        """Names of the registered networks that ``ctx.networks`` is asked for."""
        return ()

    def needs(self) -> Needs:
        """What a cell must have, and what the method knows from elsewhere."""
        return Needs()

    @abstractmethod
    def distill(self, real: LabeledImages, state: Any, ipc: int, ctx: StageContext) -> LabeledImages:
        """``ipc`` images a class. ``real`` is the train split, ``state`` the last preparation's state or None."""


@dataclass(frozen=True)
class Evaluation:
    """What judging one distilled set with one seed gave. Accuracies are fractions."""

    curve: tuple[tuple[int, float], ...]
    """(epoch, top-1) pairs in order; the last is the end of training"""
    correct: tuple[bool, ...]
    """for each image of the evaluated split, whether the final model was right"""


@dataclass(frozen=True)
class Protocol(ABC):
    """A named, versioned way to judge a distilled set (``cpu-small@1``). Its fields are all of its details."""

    def test_view(self) -> ImageView | None:
        """How judged images are decoded from their files; None for the images that the dataset gives.

        A dataset without files (``Dataset.decodes_views``) gives its own whatever this says: ``ctx.judged_view`` tells.
        """
        return None

    @abstractmethod
    def evaluate(
        self, distilled: LabeledImages, test: LabeledImages, network: Network, ctx: StageContext
    ) -> Evaluation:
        """Train ``network`` from scratch on the saved pixels and judge it on ``test``; classes match by name."""
