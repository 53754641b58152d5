"""A plug-in: protocols of two epochs that put the trained weights, as a number, on the record."""

import hashlib
from dataclasses import dataclass, replace

from ddbench.evaluators.protocols import HardLabels
from ddbench.plugins.registry import register

SIDE = 32
"""pixels: what most networks of timm need"""


@dataclass(frozen=True)
class TwoEpochs(HardLabels):
    """``cpu-small`` for two epochs of small batches."""

    def evaluate(self, distilled, test, network, ctx):
        kept = []

        def keep(shape, num_classes):
            kept.append(network(shape, num_classes))
            return kept[-1]

        found = super().evaluate(distilled, test, keep, ctx)
        ctx.log({"weights": float(int(digest_of(kept[0])[:13], 16))})  # 52 bits: a float holds them exactly
        return found


def digest_of(module):
    """SHA-256 of all weights and buffers of a module, 64 hex digits."""
    found = hashlib.sha256()
    for name, value in sorted(module.state_dict().items()):
        found.update(name.encode() + value.detach().cpu().contiguous().numpy().tobytes())
    return found.hexdigest()


two_epochs = TwoEpochs(epochs_by_ipc=((1000, 2),), evaluations=2, batch=3, min_side=SIDE)
if not __name__.startswith("tests."):  # as a plug-in, and not where a test imports it
    register("protocol", "two-epochs@1")(two_epochs)
    register("protocol", "two-epochs-64@1")(replace(two_epochs, min_side=64))
