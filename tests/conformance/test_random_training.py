"""One key, one number: networks that draw while they are trained, alone, after another, and in two orders.

The long form, with every such network of timm and under both executors, is in tests/conformance_long.
"""

import random

import numpy as np
import pytest
import torch

from tests.support.trained import network_of, trained
from tests.support.two_epochs import SIDE

NAMES = ("convnet3-w32", "resnet18-bn", "timm:test_vit_relpos", "timm:repghostnet_050")


def test_the_networks_of_this_test_do_draw_or_do_not():
    drawing = []
    for name in NAMES:
        network = network_of(name)((3, SIDE, SIDE), 2).train()
        before = torch.get_rng_state()
        network(torch.zeros(2, 3, SIDE, SIDE))
        drawing.append(not torch.equal(before, torch.get_rng_state()))
    assert drawing == [False, False, True, True]


@pytest.fixture(scope="module")
def in_order():
    torch.manual_seed(1)
    return {name: trained(name) for name in NAMES}


def test_another_order_after_other_draws_gives_the_same_weights(in_order):
    torch.manual_seed(2)
    np.random.seed(2)
    random.seed(2)
    assert {name: trained(name) for name in reversed(NAMES)} == in_order
