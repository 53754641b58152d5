"""What cannot be repeated bit by bit is refused, or on the record. ``put_`` is such an operation on every device."""

import warnings

import pytest
import torch

from ddbench.config.schema import load_config
from ddbench.config.study import resolve
from ddbench.plan.build import make_plan
from ddbench.stages.determinism import deterministic, explained, notes


def put():
    torch.zeros(4).put_(torch.tensor([0, 0]), torch.tensor([1.0, 2.0]))


def test_an_operation_that_cannot_be_repeated_is_noted_each_time_and_shown_once():
    for _ in range(2):
        with warnings.catch_warnings(record=True) as shown, deterministic(refuse=False, device="cpu"):
            assert notes() == {}
            put(), put()
            warnings.warn("Flash Attention defaults to a non-deterministic algorithm. To ...", stacklevel=1)
            assert notes() == {"nondeterministic": ["Flash Attention", "put_"]}
        assert len(shown) == 2
    assert notes() == {}
    assert not torch.are_deterministic_algorithms_enabled()


def test_it_is_refused_with_what_to_do():
    with deterministic(refuse=True, device="cpu"), pytest.raises(RuntimeError) as refused:
        put()
    assert "put_ has no deterministic implementation on this device" in explained(refused.value)
    assert "--set nondeterministic=record" in explained(refused.value)
    assert explained(RuntimeError("out of luck")) == ""


def test_refusing_is_part_of_the_keys_and_recording_changes_none():
    def keys(*assignments):
        grid = {"grid.methods": ["random"], "grid.ipc": [1], "grid.seeds": [0], "grid.eval_seeds": [0]}
        return set(make_plan(resolve(load_config("digits", grid, list(assignments)))).stages)

    assert keys("nondeterministic=record") == keys()
    assert not keys("nondeterministic=refuse") & keys()
