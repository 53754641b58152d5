"""The protocol of DC, DSA, DM and MTT on CIFAR and Tiny-ImageNet (``evaluate_synset`` in utils.py of
VICO-UoE/DatasetCondensation at 53f63a6): hard labels, SGD, DSA's augmentation."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

from ddbench.evaluators.protocols import HardLabels
from ddbench.types import DataFacts, Evaluation, LabeledImages, Network, StageContext

Constants = tuple[tuple[float, ...], tuple[float, ...]]

CONSTANTS: dict[str, Constants] = {
    "fashion-mnist": ((0.2861,), (0.3530,)),
    "svhn": ((0.4377, 0.4438, 0.4728), (0.1980, 0.2010, 0.1970)),
    "cifar10": ((0.4914, 0.4822, 0.4465), (0.2023, 0.1994, 0.2010)),
    "cifar100": ((0.5071, 0.4866, 0.4409), (0.2673, 0.2564, 0.2762)),
    "tiny-imagenet": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
}
"""dataset -> mean and standard deviation of each channel that the source normalises by (``get_dataset`` in utils.py)"""


@dataclass(frozen=True)
class Condensation(HardLabels):
    """Images are normalised by the source's constants of the dataset; of a dataset that the source does not have, or
    where ``mean`` and ``sd`` are set, by those of the distilled set, or by what is set."""

    def problems(self, data: DataFacts) -> Sequence[str]:
        if self.mean and len(self.mean) != data.shape[0]:
            return [f"the protocol's mean has {len(self.mean)} values, the images have {data.shape[0]} channels"]
        return []

    def evaluate(
        self, distilled: LabeledImages, test: LabeledImages, network: Network, ctx: StageContext
    ) -> Evaluation:
        known = CONSTANTS.get(ctx.dataset)
        if known is None or self.mean or len(known[0]) != distilled.shape[0]:
            return super().evaluate(distilled, test, network, ctx)
        scaled = dataclasses.replace(self, mean=known[0], sd=known[1])
        return HardLabels.evaluate(scaled, distilled, test, network, ctx)


dc_1 = Condensation(
    epochs_by_ipc=((1, 1001),),
    optimiser="sgd",
    lr=0.01,
    momentum=0.9,
    weight_decay=5e-4,
    batch=256,
    schedule="tenth_past_half",
    shift=0.0,
    siamese="color_crop_cutout_flip_scale_rotate",
)
"""hard labels, SGD, 1,001 epochs, DSA's augmentation: DC, DSA, DM, MTT on CIFAR and Tiny-ImageNet"""
