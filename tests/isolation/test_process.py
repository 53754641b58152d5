"""The state of a process that several stages have in turn: each goes on where it left off."""

import os
import random
import sys
import warnings

import numpy as np
import pytest
import torch

from ddbench.isolation.process import ProcessState


@pytest.fixture
def states():
    before = ProcessState()
    two = before, before.another(), before.another()
    yield two
    for state in two:
        state.close()


def draws():
    return random.random(), float(np.random.rand()), float(torch.rand(()))


def seed(n):
    random.seed(n)
    np.random.seed(n)
    torch.manual_seed(n)


def exchange(last, following):
    last.leave()
    following.enter(last)


def test_generators_go_on_where_each_left_them(states):
    before, first, second = states
    untouched = torch.get_rng_state()
    expected = {}
    for n in (1, 2):
        seed(n)
        expected[n] = [draws(), draws()]
    torch.set_rng_state(untouched)
    exchange(before, first)
    seed(1)
    found = {1: [draws()], 2: []}
    exchange(first, second)
    seed(2)
    found[2].append(draws())
    exchange(second, first)
    found[1].append(draws())
    exchange(first, second)
    found[2].append(draws())
    exchange(second, before)
    assert found == expected
    assert torch.equal(torch.get_rng_state(), untouched)


def test_settings_and_outputs_are_each_ones_own(states, tmp_path):
    before, first, second = states
    shown = warnings.showwarning
    kept = sys.stdout
    exchange(before, first)
    torch.use_deterministic_algorithms(True, warn_only=True)
    warnings.simplefilter("error")
    warnings.showwarning = lambda *a, **o: None
    with (tmp_path / "log").open("w") as log:
        sys.stdout = log
        outer = os.dup(1)
        os.dup2(log.fileno(), 1)
        exchange(first, second)
        assert sys.stdout is kept and warnings.showwarning is shown
        assert not torch.are_deterministic_algorithms_enabled()
        os.write(1, b"second\n")
        exchange(second, first)
        assert sys.stdout is log and torch.is_deterministic_algorithms_warn_only_enabled()
        assert warnings.filters[0][0] == "error"
        os.write(1, b"first\n")
        os.dup2(outer, 1)
        os.close(outer)
        exchange(first, before)
    assert (tmp_path / "log").read_text() == "first\n"
    assert sys.stdout is kept and warnings.showwarning is shown
    assert not torch.are_deterministic_algorithms_enabled()
