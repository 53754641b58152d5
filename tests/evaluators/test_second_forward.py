"""RDED's second forward pass: batch norm moves twice a step, and nothing else changes."""

import dataclasses

import pytest
import torch

from ddbench.evaluators.protocols import cpu_small_1
from ddbench.types import StageContext
from tests.evaluators.test_protocols import rgb


class Counting(torch.nn.Module):
    """One batch norm and a linear layer; keeps each batch seen in train mode and the running variance after it."""

    def __init__(self):
        super().__init__()
        self.norm, self.head = torch.nn.BatchNorm2d(3), torch.nn.Linear(3, 2)
        self.seen = []

    def forward(self, x):
        normed = self.norm(x)
        if self.training:
            self.seen.append((x, self.norm.running_var.clone(), torch.is_grad_enabled()))
        return self.head(normed.mean((2, 3)))


@pytest.mark.parametrize("second", [True, False])
def test_batch_norm_moves_twice_a_step_under_rded(second):
    """By hand: r <- 0.9 r + 0.1 v with the unbiased variance v of the batch, once or twice with the same batch. In
    RDED's loop the first pass sees the mixed batch too: its CutMix writes into the batch."""
    net = Counting()
    protocol = dataclasses.replace(cpu_small_1, epochs_by_ipc=((1, 3),), batch=4, cutmix=True, second_forward=second)
    protocol.evaluate(rgb(), rgb(), lambda shape, classes: net, StageContext(seed=0))
    steps, passes = 3 * 2, 2 if second else 1
    assert len(net.seen) == steps * passes
    assert [grad for *_, grad in net.seen] == [False, True] * steps if second else [True] * steps
    running = torch.ones(3)
    for batch, found, _ in net.seen[passes - 1 :: passes]:
        for _ in range(passes):
            running = 0.9 * running + 0.1 * batch.transpose(0, 1).flatten(1).var(1)
        torch.testing.assert_close(found, running)
    if second:
        assert all(torch.equal(a[0], b[0]) for a, b in zip(net.seen[::2], net.seen[1::2], strict=True))


def test_a_second_forward_pass_changes_no_gradient():
    """Batch norm in train mode normalises by the batch: without running statistics the weights are the same."""

    def weights(second):
        with torch.random.fork_rng():
            torch.manual_seed(0)
            net = Counting()
        options = {"epochs_by_ipc": ((1, 2),), "batch": 4, "second_forward": second}
        dataclasses.replace(cpu_small_1, **options).evaluate(rgb(), rgb(), lambda *_: net, StageContext(seed=0))
        return torch.cat([p.detach().flatten() for p in net.parameters()])

    assert torch.equal(weights(True), weights(False))
