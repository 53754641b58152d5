"""Named streams for what draws from the process: a function of the coordinates, and nothing is left behind."""

import random

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from ddbench import seeding


def draws():
    return random.random(), float(np.random.rand()), float(np.random.randn()), float(torch.rand(()))


def states():
    kind, keys, *rest = np.random.get_state()
    return random.getstate(), (kind, keys.tolist(), *rest), torch.get_rng_state().tolist()


def elsewhere(seed):
    """Leaves the generators of the process where other work might have left them."""
    random.seed(seed)
    np.random.seed(seed)
    np.random.randn()  # a normal draw keeps its twin
    torch.manual_seed(seed)


def test_the_generators_of_the_process_are_the_stream_inside_and_as_before_afterwards():
    found = []
    for seed in (1, 2):
        elsewhere(seed)
        before = states()
        with seeding.seeded("a", 0):
            found.append(draws())
        assert states() == before
    assert found[0] == found[1]
    with seeding.seeded("a", 1):
        assert draws() != found[0]


def test_an_exception_puts_them_back_too():
    before = states()
    with pytest.raises(RuntimeError), seeding.seeded("a"):
        draws()
        raise RuntimeError
    assert states() == before


def test_each_step_has_its_own_stream_whatever_was_drawn_between():
    with seeding.seeded("a", 0) as at:
        found = [draws() for step in range(3) if at(step) is None]
        at(0)
        draws(), draws()
        at(2)
        assert draws() == found[2]
    with seeding.seeded("a", 0, 1):
        assert draws() == found[1]
    assert len(set(found)) == 3


def test_a_loader_shuffles_by_the_name_of_its_stream():
    def order():
        return torch.cat(list(DataLoader(torch.arange(50), batch_size=7, shuffle=True))).tolist()

    found = []
    for seed in (1, 2):
        elsewhere(seed)
        with seeding.seeded("loader", 0):
            found.append(order())
    assert found[0] == found[1] != sorted(found[0])
