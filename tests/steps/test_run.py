"""Running steps: what is captured, what is not and why, and when outputs are seen."""

import pytest
import torch

from ddbench import steps
from ddbench.steps.run import MOST_LAYOUTS, WARM_STEPS
from tests.support.recorded import Recordings


def mode(kept=4, graphs=None):
    return steps.Mode(torch.device("cpu"), graphs or Recordings(), kept=kept, apart=True)


def batches(n, size=lambda i: 3):
    return [steps.Batch({"x": torch.full((size(i),), float(i))}) for i in range(n)]


def sums(total, seen=lambda at, outputs: None, **options):
    """Steps that add each batch to ``total`` in place."""

    def step(batch):
        total.add_(batch["x"].sum())
        return {"total": total.clone(), "doubled": 2 * batch["x"].sum()}

    return steps.Steps(step, mode(**options), seen)


def test_every_step_has_its_effect_once_and_is_seen_in_order():
    total, found = torch.zeros(()), []
    run = sums(total, lambda at, outputs: found.append((at, float(outputs["total"]), float(outputs["doubled"]))))
    for batch in batches(10):
        run(batch)
    assert len(found) == 8  # two looks of four
    run.settle()
    assert found == [(i, 3 * i * (i + 1) / 2, 6 * i) for i in range(10)]
    assert (run.mode.graphs.warm_ups, run.mode.graphs.captures, run.mode.graphs.replays) == (WARM_STEPS, 1, 7)
    run.settle()
    assert len(found) == 10


def test_each_layout_has_a_graph_up_to_a_number():
    total = torch.zeros(())
    run = sums(total)
    n = (MOST_LAYOUTS + 2) * (WARM_STEPS + 2)
    for batch in batches(n, lambda i: 1 + i % (MOST_LAYOUTS + 2)):
        run(batch)
    assert run.mode.graphs.captures == MOST_LAYOUTS
    assert float(total) == sum(i * (1 + i % (MOST_LAYOUTS + 2)) for i in range(n))


@pytest.mark.parametrize("read", [lambda t: t.item(), lambda t: bool(t > 1), lambda t: torch.tensor([2.0])])
def test_a_step_that_a_card_would_refuse_runs_eagerly_and_says_why(read):
    total = torch.zeros(())

    def step(batch):
        total.add_(batch["x"].sum())
        read(total)
        return {}

    run = steps.Steps(step, mode())
    for batch in batches(6):
        run(batch)
    assert "not permitted when stream is capturing" in run.eager
    assert float(total) == 3 * 15  # the capture that failed left nothing behind


def test_a_step_that_draws_on_the_cpu_runs_eagerly_and_says_why():
    run = steps.Steps(lambda batch: {"x": batch["x"] + torch.rand(())}, mode())
    for batch in batches(6):
        run(batch)
    assert "a generator of the CPU" in run.eager
    assert run.mode.graphs.warm_ups == 1


def test_a_number_of_python_in_a_graph_is_that_of_the_capture():
    """Why a learning rate is a tensor: the recordings of these tests would notice one that is not."""
    total, rates = torch.zeros(()), iter(range(100))

    def step(batch):
        total.add_(batch["x"].sum() * 0 + next(rates))
        return {}

    run = steps.Steps(step, mode())
    for batch in batches(WARM_STEPS + 3):
        run(batch)
    assert float(total) == sum(range(WARM_STEPS)) + 3 * WARM_STEPS


@pytest.mark.parametrize("optimiser", [steps.adamw, steps.sgd])
def test_a_rate_is_that_of_its_step(optimiser):
    """Against numbers in the groups, as torch documents them."""
    rates = [0.1 / (i + 1) for i in range(9)]

    def trained(captured):
        weight = torch.nn.Parameter(torch.ones(5))
        here = mode() if captured else steps.Mode(torch.device("cpu"), apart=True)
        made = optimiser([weight], here, lr=1.0, weight_decay=0.1)
        rate = steps.Rate(made, here) if captured else None

        def step(batch):
            if rate:
                rate.set(batch["rate"])
            made.zero_grad(set_to_none=True)
            (weight * batch["x"]).square().sum().backward()
            made.step()
            return {}

        run = steps.Steps(step, here)
        for i, value in enumerate(rates):
            if not rate:
                made.param_groups[0]["lr"] = value
            run(steps.Batch({"x": torch.arange(5.0) + i, "rate": steps.rate(value)}))
        return weight.detach()

    assert torch.equal(trained(True), trained(False))


def test_a_constant_is_made_once_and_takes_part_in_training_wherever_it_was_made_first():
    with torch.inference_mode():
        made = steps.constant((1.5, 2.5), "cpu")
    assert steps.constant((1.5, 2.5), "cpu") is made
    x = torch.ones(2, requires_grad=True)
    (x * made).sum().backward()
    assert x.grad.tolist() == [1.5, 2.5]


def test_dropout_draws_and_a_convolution_does_not():
    x = torch.ones(3, 1, 4, 4)
    assert steps.draws_itself(lambda: torch.nn.functional.dropout(x), "cpu")
    assert not steps.draws_itself(lambda: torch.nn.functional.conv2d(x, x[:1]), "cpu")
