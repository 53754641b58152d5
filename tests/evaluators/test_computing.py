"""How classifiers are computed: precision, layout and compilation are asked for, and change nothing by default."""

import dataclasses

import pytest
import torch

from ddbench.evaluators.computing import Computed
from ddbench.evaluators.networks import ConvNet, ResNet18
from ddbench.evaluators.protocols import HardLabels
from ddbench.types import Compute, LabeledImages, StageContext

QUICK = HardLabels(epochs_by_ipc=((100, 6),), evaluations=3)


@pytest.fixture(scope="module")
def bright():
    """Two classes that differ in brightness, 20 RGB images each."""
    random = torch.Generator().manual_seed(0)
    labels = torch.arange(2).repeat_interleave(20)
    pixels = 60 + 120 * labels.view(-1, 1, 1, 1) + torch.randint(-40, 40, (40, 3, 8, 8), generator=random)
    return LabeledImages(pixels.to(torch.uint8), labels, ("dark", "light"))


def network():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return ResNet18()((3, 16, 16), 5)


X = torch.randn(4, 3, 16, 16, generator=torch.Generator().manual_seed(1))


def test_by_default_a_network_is_computed_as_it_is():
    model = network()
    computed = Computed(model, "cpu", Compute())
    assert computed.forward is model
    assert torch.equal(computed(X), model(X))


def test_bfloat16_rounds_the_forward_pass_and_nothing_else():
    model = network()
    exact = model(X)
    computed = Computed(model, "cpu", Compute(precision="bf16"))
    kinds = []
    model.body[0].register_forward_hook(lambda module, inputs, output: kinds.append(output.dtype))
    logits = computed(X)
    assert kinds == [torch.bfloat16]
    assert logits.dtype == torch.float32
    assert not torch.equal(logits, exact)
    torch.testing.assert_close(logits, exact, rtol=0.1, atol=0.1)
    logits.sum().backward()
    assert {p.dtype for p in model.parameters()} == {p.grad.dtype for p in model.parameters()} == {torch.float32}


def test_channels_last_is_a_layout_of_weights_and_batches_and_the_same_numbers():
    model = network()
    exact = model(X)
    computed = Computed(model, "cpu", Compute(channels_last=True))
    layouts = []
    model.body[0].register_forward_hook(
        lambda module, inputs, output: layouts.append(inputs[0].is_contiguous(memory_format=torch.channels_last))
    )
    found = computed(X)
    assert layouts == [True]
    assert model.body[0].weight.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(found, exact, rtol=1e-3, atol=1e-4)


def test_compile_compiles_the_network_once_and_runs_what_it_gives(monkeypatch, bright):
    made, ran = [], []

    def compiled(model, **options):
        made.append(model)
        return lambda batch: (ran.append(len(batch)), model(batch))[1]

    monkeypatch.setattr(torch, "compile", compiled)
    plain = QUICK.evaluate(bright, bright, ConvNet(2, 4), StageContext(seed=0))
    assert not made
    found = QUICK.evaluate(bright, bright, ConvNet(2, 4), StageContext(seed=0, compute=Compute(compile="blocks")))
    assert found == plain
    assert len(made) == 1
    assert len(ran) == 6 + 3  # six steps, three looks at the judged images


@pytest.mark.parametrize("options", [{"precision": "bf16"}, {"channels_last": True}], ids=str)
def test_a_protocol_follows_the_options_and_still_learns(bright, options):
    context = StageContext(seed=0, compute=Compute(**options))
    slow = dataclasses.replace(QUICK, epochs_by_ipc=((100, 12),))
    found = slow.evaluate(bright, bright, ConvNet(2, 8), context)
    assert [epoch for epoch, _ in found.curve] == [4, 8, 12]
    assert found.curve[-1][1] > 0.9
    assert found == slow.evaluate(bright, bright, ConvNet(2, 8), context)
