"""Parts of ImageNet that papers distil: ImageNet-100, and subsets of ten classes. Classes: ``data.class_lists``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

from ddbench.data import class_lists
from ddbench.data.files import ClassFiles
from ddbench.data.imagefolder import Files
from ddbench.data.imagenet import ImageNetFolders, wnids
from ddbench.data.layout import checked, part
from ddbench.keys import digest
from ddbench.types import Split


@dataclass(frozen=True)
class ImageNetPart(ImageNetFolders):
    """Some classes of ImageNet, from folders that hold these or all 1,000 of ILSVRC-2012, whose others are not read.

    ``variant``: ``ilsvrc`` (the train and validation images of ILSVRC-2012, 50 test images a class, as in the papers)
    or ``any`` for other splits.
    """

    chosen: ClassVar[str]
    """wnids in the order of the code that they come from; classes are sorted"""

    variant: Literal["ilsvrc", "any"] = "ilsvrc"

    @property
    def classes(self) -> tuple[str, ...]:
        return tuple(sorted(self.chosen.split()))

    @property
    def test_images(self) -> Mapping[str, int]:  # type: ignore[override]
        return {"ilsvrc": 50 * len(self.classes)}

    def files(self, split: Split) -> Files:
        found = self._folders(split)
        return [self._of_split(split, found[label].names) for label in self.classes]

    def _listed(self, split: Split) -> str:
        found = self._folders(split)
        return digest([[label, found[label].digest] for label in self.classes])

    def _folders(self, split: Split) -> Mapping[str, ClassFiles]:
        """Class -> files; of all of ImageNet where the folder holds all of it. Raises BenchError."""
        folder, whole = self.folder(split), wnids()
        is_whole = part(folder).classes.keys() == set(whole)
        return checked(self.name, folder, whole if is_whole else self.classes)


@dataclass(frozen=True)
class ImageNet100(ImageNetPart):
    """A hundred classes of ImageNet, those of IDC and Minimax, from folders on disk.

    Kim et al., "Dataset Condensation via Efficient Synthetic-Data Parameterization", ICML 2022.
    """

    name: ClassVar[str] = "imagenet100"
    chosen: ClassVar[str] = class_lists.IDC_100


@dataclass(frozen=True)
class ImageIDC(ImageNetPart):
    """The first ten classes of IDC's hundred, also called ImageNet-10, from folders on disk.

    Kim et al., "Dataset Condensation via Efficient Synthetic-Data Parameterization", ICML 2022.
    """

    name: ClassVar[str] = "imageidc"
    chosen: ClassVar[str] = " ".join(class_lists.IDC_100.split()[:10])


@dataclass(frozen=True)
class ImageFruit(ImageNetPart):
    """Ten fruits and vegetables of ImageNet, from folders on disk.

    Cazenavette et al., "Dataset Distillation by Matching Training Trajectories", CVPR 2022.
    """

    name: ClassVar[str] = "imagefruit"
    chosen: ClassVar[str] = class_lists.FRUIT


@dataclass(frozen=True)
class ImageMeow(ImageNetPart):
    """Ten cats of ImageNet, from folders on disk.

    Cazenavette et al., "Dataset Distillation by Matching Training Trajectories", CVPR 2022.
    """

    name: ClassVar[str] = "imagemeow"
    chosen: ClassVar[str] = class_lists.MEOW


@dataclass(frozen=True)
class ImageSquawk(ImageNetPart):
    """Ten birds of ImageNet, from folders on disk.

    Cazenavette et al., "Dataset Distillation by Matching Training Trajectories", CVPR 2022.
    """

    name: ClassVar[str] = "imagesquawk"
    chosen: ClassVar[str] = class_lists.SQUAWK


@dataclass(frozen=True)
class ImageYellow(ImageNetPart):
    """Ten yellowish things of ImageNet, from folders on disk.

    Cazenavette et al., "Dataset Distillation by Matching Training Trajectories", CVPR 2022.
    """

    name: ClassVar[str] = "imageyellow"
    chosen: ClassVar[str] = class_lists.YELLOW


@dataclass(frozen=True)
class GladA(ImageNetPart):
    """The ten classes of ImageNet that a ResNet-50 tells best; not the adversarial images of that name.

    Cazenavette et al., "Generalizing Dataset Distillation via Deep Generative Prior", CVPR 2023.
    """

    name: ClassVar[str] = "imagenet-a"
    chosen: ClassVar[str] = class_lists.A


@dataclass(frozen=True)
class GladB(ImageNetPart):
    """The ten classes of ImageNet that a ResNet-50 tells best after those of imagenet-a."""

    name: ClassVar[str] = "imagenet-b"
    chosen: ClassVar[str] = class_lists.B


@dataclass(frozen=True)
class GladC(ImageNetPart):
    """The ten classes of ImageNet that a ResNet-50 tells best after those of imagenet-b."""

    name: ClassVar[str] = "imagenet-c"
    chosen: ClassVar[str] = class_lists.C


@dataclass(frozen=True)
class GladD(ImageNetPart):
    """The ten classes of ImageNet that a ResNet-50 tells best after those of imagenet-c."""

    name: ClassVar[str] = "imagenet-d"
    chosen: ClassVar[str] = class_lists.D


@dataclass(frozen=True)
class GladE(ImageNetPart):
    """The ten classes of ImageNet that a ResNet-50 tells best after those of imagenet-d."""

    name: ClassVar[str] = "imagenet-e"
    chosen: ClassVar[str] = class_lists.E
