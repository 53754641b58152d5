"""The interfaces of datasets, methods, networks and protocols, and the data types that pass between them.

Methods, evaluators and results import this and nothing else of the harness. It imports nothing heavy, so that studies
are planned and listed without torch.
"""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from ddbench.context import Cache as Cache
from ddbench.context import Network as Network
from ddbench.context import StageContext as StageContext
from ddbench.hyperparameters import Compute as Compute
from ddbench.hyperparameters import Count as Count
from ddbench.hyperparameters import Fraction as Fraction
from ddbench.hyperparameters import MicroBatch as MicroBatch
from ddbench.hyperparameters import NonNegative as NonNegative
from ddbench.hyperparameters import NonNegativeInt as NonNegativeInt
from ddbench.hyperparameters import Positive as Positive
from ddbench.images import DataFacts as DataFacts
from ddbench.images import DistilledSet as DistilledSet
from ddbench.images import ImageView as ImageView
from ddbench.images import LabeledImages as LabeledImages
from ddbench.images import Shape as Shape
from ddbench.needs import Needs as Needs
from ddbench.records import WHOLE as WHOLE
from ddbench.records import Cell as Cell
from ddbench.records import Outcome as Outcome
from ddbench.records import Record as Record
from ddbench.watchers import RunEnd as RunEnd
from ddbench.watchers import RunStart as RunStart
from ddbench.watchers import StageEnd as StageEnd
from ddbench.watchers import Watcher as Watcher

if TYPE_CHECKING:
    pass

Split = Literal["train", "validation", "test"]

PreparationStage = Literal["prior", "fit", "embed", "teacher"]
"""prior: train or load a generative model; fit: fine-tune it; embed: train a feature extractor; teacher: train or load
a classifier whose outputs are soft labels"""


@dataclass(frozen=True)
class Dataset(ABC):
    """A dataset with a fixed split. Its fields are its options; a class is known by its name (wnid), never an index."""

    name: ClassVar[str]
    location: ClassVar[tuple[str, ...]] = ()
    """fields that say where the data lies: left out of all keys, so that folders may move"""
    naming: ClassVar[tuple[str, ...]] = ()
    """fields that name the data or its split without changing an image: part of the cell alone, so that data under
    another name is evaluated again but not distilled again"""
    judging: ClassVar[tuple[str, ...]] = ()
    """fields that say which judged images are accepted: part of the key of evaluations alone, where they are not at
    their defaults; a field that changes train images changes ``fingerprint("train")``"""
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
        """Name of the split (``fastai``, ``stratified-60-20-20``). Tables never mix two splits in a column."""

    @abstractmethod
    def train_counts(self) -> tuple[int, ...]:
        """Number of train images of each class, without decoding any."""

    @property
    def counts_exact(self) -> bool:
        """Whether ``train_counts`` is exact; else images may be left out when they are read, and it is the most."""
        return True

    @abstractmethod
    def fingerprint(self, split: Split) -> str:
        """A digest of the images that ``load(split)`` returns, cheap to compute; part of the key of every stage that
        reads them.

        Preparations and distilled sets are keyed by that of ``train`` alone, so that a change of the test images runs
        only the evaluations again.
        """

    def aliases(self) -> Mapping[str, str]:
        """Other names of classes, as people write them, and the class that each means: ``tench`` -> ``n01440764``."""
        return {}

    def remarks(self) -> tuple[str, ...]:
        """Sentences that a run says once when it begins, such as what lies in the folder and is not used."""
        return ()

    def check(self, split: Split, view: ImageView | None, cache: Cache) -> dict[str, int]:
        """Check all that only reading tells, before anything is trained: broken files, images in both splits.

        ``split`` and ``view``: the judged images. Returns numbers for the records of evaluations: images by split, and
        by what else there is to tell, which captions say where it is not zero. ``load`` of both splits is tried
        afterwards. Raises BenchError that names everything wrong. Called only for a dataset with a ``location``, since
        what lies elsewhere is not the user's to mend.
        """
        return {}

    @abstractmethod
    def load(self, split: Split, cache: Cache | None = None) -> LabeledImages:
        """The images of a split. A dataset that is slow to decode keeps the decoded images in ``cache``.

        Raises BenchError when the data is missing or differs from what the dataset declares.
        """

    def load_view(self, split: Split, view: ImageView, cache: Cache | None = None) -> LabeledImages:
        """The images of a split in the order of ``load``, decoded as ``view`` says: uint8 (N, C, side, side).

        Called only where ``decodes_views`` is true. Raises BenchError as ``load`` does.
        """
        raise NotImplementedError(f"{type(self).__name__} has no files to decode: its decodes_views must be False")


@dataclass(frozen=True)
class Preparation(ABC):
    """A stage that runs before a method distils or a protocol judges: training a prior, fine-tuning it, training a
    feature extractor or a teacher.

    It reads its fields, the train images and the state of the preparation before it, and nothing else unless it says so
    (``reads_validation``); methods and protocols whose preparations have equal fields share the result.
    """

    stage: ClassVar[PreparationStage]
    apart: ClassVar[bool] = False
    """whether it is independent of the preparations before it in the chain: ``run`` gets None for ``before``, and their
    keys are no part of its key. ``load`` does get their state, so that it can return a state that holds both"""

    reads_validation: ClassVar[bool] = False
    """whether it reads the labelled validation images, ``ctx.validation``. They are then part of its key, captions name
    them by its ``knowledge``, and a study that judges on the validation part is refused"""

    def networks(self) -> tuple[str, ...]:
        """Names of the registered networks to provide as ``ctx.networks``."""
        return ()

    def problems(self, data: DataFacts) -> Sequence[str]:
        """Why it cannot run on this data, as far as can be known beforehand (see ``DataFacts``); empty: it can."""
        return ()

    def network_shape(self, data: DataFacts) -> Shape | None:
        """The shape for which it builds its networks; None: not told. See ``Protocol.network_shape``."""
        return None

    @abstractmethod
    def run(self, real: LabeledImages, before: Any, ctx: StageContext) -> Any:
        """The state that this stage computes, such as a network; ``before`` is the previous preparation's, or None."""

    @abstractmethod
    def save(self, state: Any, folder: Path) -> None:
        """Write the state into an empty folder, in formats that load without executing code.

        Parts that the previous preparation saved need not be written again.
        """

    @abstractmethod
    def load(self, folder: Path, before: Any, ctx: StageContext) -> Any:
        """The state that ``save`` wrote; ``before`` is the loaded state of the previous preparation, or None."""


@dataclass(frozen=True)
class Distiller(ABC):
    """A distillation method; its fields are its hyper-parameters.

    A method never touches files, test data, global random state or evaluation, which belong to the harness.
    """

    version: ClassVar[int] = 1
    """raised when the same options mean another method: part of keys and records, which tell versions apart"""
    family: ClassVar[str] = ""
    """name under which a configuration sets options of all methods of the family"""
    separable: ClassVar[bool] = False
    """whether the images of a class depend on that class alone, so that classes may be distilled in separate stages"""
    whole: ClassVar[bool] = False
    """whether it stands for the whole train split: nothing is distilled, and ipc and seed are ignored"""
    makes_soft_labels: ClassVar[bool] = False
    """whether its sets carry soft labels (``LabeledImages.soft``), without which protocols that train on those of the
    set, such as ``cpu-small-soft@1``, are refused before anything is distilled"""

    def exceeds_class(self) -> bool:
        """Whether it can make more images of a class than the class has, as a generative model can."""
        return False

    def drawn_from(self) -> tuple[Distiller, ...]:
        """For a set that is sampled from a generative model: the methods that merely draw from its own model and from
        the model before fine-tuning, in this order. ``bench worth`` counts how many of their images a set is worth;
        empty where nothing of this kind stands behind the set."""
        return ()

    def preparations(self, seed: int) -> tuple[Preparation, ...]:
        """The stages that run before ``distill``, each starting from the state of the one before it.

        ``seed`` is the seed of the distilled set. A preparation with a field that depends on it runs once for each
        seed, any other once.
        """
        return ()

    def reads(self) -> tuple[str, ...]:
        """Names of the fields that ``distill`` itself reads. They make up its key; the stage runs with all other fields
        at their defaults, so that an undeclared one cannot change the images."""
        return tuple(f.name for f in dataclasses.fields(self))

    def networks(self) -> tuple[str, ...]:
        """Names of the registered networks to provide as ``ctx.networks``."""
        return ()

    def needs(self) -> Needs:
        """Requirements on a cell, and knowledge from outside the train split."""
        return Needs()

    def problems(self, data: DataFacts, preparations: Sequence[Preparation]) -> Sequence[str]:
        """Why it cannot distil this data, as far as can be known beforehand (see ``DataFacts``), and apart from what
        its ``preparations`` say themselves."""
        return ()

    @abstractmethod
    def distill(self, real: LabeledImages, state: Any, ipc: int, ctx: StageContext) -> LabeledImages:
        """``ipc`` images a class. ``real``: the train split; ``state``: that of the last preparation, or None."""


@dataclass(frozen=True)
class Evaluation:
    """The result of training a classifier on a distilled set with one seed. Accuracies are fractions."""

    curve: tuple[tuple[int, float], ...]
    """(epoch, top-1) pairs in order; the last is the end of training"""
    correct: tuple[bool, ...]
    """for each image of the evaluated split, whether the final model classifies it correctly"""


@dataclass(frozen=True)
class Protocol(ABC):
    """A named, versioned way to evaluate a distilled set (``cpu-small@1``); its fields define it completely."""

    def test_view(self) -> ImageView | None:
        """How judged images are decoded from their files; None for the images that the dataset gives.

        A dataset without files (``Dataset.decodes_views``) gives its own whatever this says: ``ctx.judged_view`` tells.
        """
        return None

    def view_of(self, data: DataFacts, network: Network) -> ImageView | None:
        """``test_view`` where it depends on the dataset or on the network that is judged."""
        return self.test_view()

    def network_shape(self, data: DataFacts, network: Network) -> Shape | None:
        """The shape in which ``network`` sees images of ``data.shape``; None: not told. Where it is told, a network
        that cannot be built for it (``Network.problems``, or a ValueError when it is built) is refused before a run."""
        return None

    def preparations(self) -> tuple[Preparation, ...]:
        """The stages that run before it judges, each starting from the state of the one before it; ``evaluate`` finds
        the state of the last one as ``ctx.state``. They run once for a dataset, whatever is judged."""
        return ()

    def networks(self) -> tuple[str, ...]:
        """Names of the registered networks to provide as ``ctx.networks``, also while its preparations are loaded."""
        return tuple(name for preparation in self.preparations() for name in preparation.networks())

    def problems(self, data: DataFacts) -> Sequence[str]:
        """Why it cannot judge sets of this data, as far as can be known beforehand (see ``DataFacts``)."""
        return ()

    @abstractmethod
    def evaluate(
        self, distilled: LabeledImages, test: LabeledImages, network: Network, ctx: StageContext
    ) -> Evaluation:
        """Train ``network`` from scratch on the saved pixels and judge it on ``test``; classes match by name."""
