"""What a network may draw while it is trained, and what `bench check` finds."""

import pytest

from ddbench.config.schema import load_config
from ddbench.config.study import resolve
from ddbench.conformance.checks import CHECKS
from ddbench.conformance.suite import run_checks
from tests.plugins.test_plugins import plugin  # noqa: F401  (a fixture)

NETWORK = """
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from ddbench.plugins.registry import register
from ddbench.types import Network

OWN = np.random.default_rng(0)


class Module(nn.Module):
    def __init__(self, shape, num_classes):
        super().__init__()
        self.head = nn.Linear(shape[0] * shape[1] * shape[2], num_classes)

    def features(self, x):
        x = x.flatten(1)
        if not self.training:
            return x
        return # HERE

    def forward(self, x):
        return self.head(self.features(x))


@register("arch", "drawing")
@dataclass(frozen=True)
class Drawing(Network):
    def __call__(self, shape, num_classes):
        return Module(shape, num_classes)
"""


AGAIN = "preparation 1 of 1, run again after other draws, writes another network.safetensors"


@pytest.mark.parametrize(
    ("line", "wrong"),
    [
        ("nn.functional.dropout(x, 0.5)", ""),
        ("x + torch.from_numpy(np.random.randn(*x.shape)).float()", ""),
        (
            "x + torch.from_numpy(OWN.normal(size=x.shape)).float()",
            "run again after other draws, writes another network",
        ),
        ("x * np.random.default_rng().uniform()", "run again after other draws, writes another network"),
    ],
    ids=["dropout", "numpy's generator", "a generator that lives on", "a generator without a seed"],
)
def test_a_network_may_draw_in_training_from_the_process_alone(line, wrong, plugin):  # noqa: F811
    path = plugin("drawing", NETWORK.replace("# HERE", line))
    config = load_config("check", {"grid.methods": ["herding[network=drawing]"], "plugins": [str(path)]}, [])
    asked = [one for one in CHECKS if one.name in ("global random state", "preparations")]
    (name,) = config.grid.methods
    found = {f.check.name: f.wrong for f in run_checks(resolve(config), name, checks=asked)}
    assert found["global random state"] == ""
    assert wrong in found["preparations"] and bool(wrong) == bool(found["preparations"])
