"""Reading draws ahead: their order, blocks, errors and what is remembered with each, with and without a thread."""

import threading

import pytest
import torch

from ddbench import steps
from ddbench.steps import ahead
from ddbench.steps.batch import Batch, static

CPU = torch.device("cpu")
INLINE, AHEAD = steps.Mode(CPU), steps.Mode(CPU, ahead=True)


def drawn(n, random=None):
    for i in range(n):
        noise = torch.randn(2 + i % 2, generator=random) if random else torch.zeros(2 + i % 2)
        yield {"i": torch.tensor(i), "noise": noise, "flag": torch.tensor([i % 3 == 0])}


@pytest.mark.parametrize("mode", [INLINE, AHEAD], ids=["inline", "ahead"])
@pytest.mark.parametrize("n", [0, 1, 3, 64, 65, 200])
def test_batches_come_in_order_and_hold_what_was_drawn(mode, n):
    expected = list(drawn(n, torch.Generator().manual_seed(1)))
    with steps.read_ahead(drawn(n, torch.Generator().manual_seed(1)), mode) as batches:
        found = [{name: t.clone() for name, t in batch.items()} for batch in batches]
    assert len(found) == n
    for one, other in zip(found, expected, strict=True):
        assert one.keys() == other.keys()
        assert all(torch.equal(one[name], other[name]) and one[name].dtype == other[name].dtype for name in other)


@pytest.mark.parametrize("mode", [INLINE, AHEAD], ids=["inline", "ahead"])
def test_what_is_remembered_is_of_the_step_and_not_of_the_reader(mode):
    random, again = torch.Generator().manual_seed(1), torch.Generator().manual_seed(1)
    with steps.read_ahead(drawn(100, random), mode, random.get_state) as batches:
        for batch in batches:
            assert torch.equal(batch["noise"], torch.randn(len(batch["noise"]), generator=again))
            assert torch.equal(batch.after, again.get_state())


def test_a_block_ends_at_its_size(monkeypatch):
    monkeypatch.setattr(ahead, "BLOCK_BYTES", 1000)
    made = []

    def large():
        for i in range(6):
            made.append(i)
            yield {"x": torch.full((100,), float(i))}  # 400 bytes: blocks of three

    with steps.read_ahead(large(), AHEAD) as batches:
        assert [float(batch["x"][99]) for batch in batches] == [0, 1, 2, 3, 4, 5]


def test_an_error_while_drawing_is_raised_where_the_batch_would_have_come():
    def broken():
        yield from drawn(70)
        raise ValueError("no more images")

    seen = []
    with pytest.raises(ValueError, match="no more images"), steps.read_ahead(broken(), AHEAD) as batches:
        seen += [int(batch["i"]) for batch in batches]
    assert [thread.name for thread in threading.enumerate()].count("draws") == 0


def test_a_loop_that_ends_early_ends_the_thread_of_endless_draws():
    def endless():
        while True:
            yield {"x": torch.zeros(10)}

    with pytest.raises(KeyError), steps.read_ahead(endless(), AHEAD) as batches:
        next(batches)
        raise KeyError
    assert [thread.name for thread in threading.enumerate()].count("draws") == 0


def test_a_static_batch_takes_the_values_of_another_and_keeps_its_memory():
    first, second = ({"a": torch.tensor([i, 2], dtype=torch.uint8), "b": torch.tensor(i / 3)} for i in (1, 7))
    place = static(Batch(first).layout, CPU)
    before = {name: tensor.data_ptr() for name, tensor in place.items()}
    place.take(Batch(second))
    assert {name: tensor.data_ptr() for name, tensor in place.items()} == before
    assert all(torch.equal(place[name], second[name]) for name in second)
