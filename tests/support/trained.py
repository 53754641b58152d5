"""``python -m tests.support.trained alone|together NAME ...``: train networks for two epochs, and print {name: digest}.

alone: each in a process of its own, made by forking one that has drawn nothing. together: one after the other in this
process, in the order given. NAME: a registered network, or one of timm as ``timm:NAME``; ``NAME@64`` on images of
64 px.
"""

import json
import os
import sys

import torch

from ddbench.evaluators.from_timm import Timm
from ddbench.plugins import registry
from ddbench.types import LabeledImages, StageContext
from tests.support.two_epochs import SIDE, two_epochs


def network_of(name):
    return Timm(name.removeprefix("timm:")) if name.startswith("timm:") else registry.load("arch", name)


def trained(name):
    """A number of the weights of ``name`` after two epochs on seven random images, the last of which joins a batch."""
    name, _, asked = name.partition("@")
    side, random = int(asked or SIDE), torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (7, 3, side, side), generator=random, dtype=torch.uint8)
    data, logged = LabeledImages(images, (torch.arange(7) % 2).sort().values, ("a", "b")), {}
    two_epochs.evaluate(data, data, network_of(name), StageContext(seed=0, log=logged.update))
    return logged["weights"]


def alone(name):
    """``trained`` in a child of this process."""
    reader, writer = os.pipe()
    if not os.fork():
        try:
            os.write(writer, json.dumps(trained(name)).encode())
        finally:
            os._exit(0)
    os.close(writer)
    os.wait()
    with os.fdopen(reader) as answer:
        return json.load(answer)


def main(how, names):
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True, warn_only=True)
    import timm  # noqa: F401  (once for all children)

    print(json.dumps({name: (alone if how == "alone" else trained)(name) for name in names}))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
