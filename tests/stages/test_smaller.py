"""Out of memory: one more try with half of each micro-batch, told on the record and to the user; and a stage's share
of a card."""

import pytest

from ddbench.stages.gpu import CONTEXT_MIB, allowed_fraction, position
from ddbench.store.opening import open_store
from tests.plugins.test_plugins import QUICK, plugin  # noqa: F401  (a fixture
from tests.support.invoke import invoke

GREEDY = '''
from dataclasses import dataclass

from ddbench.plugins.registry import register
from ddbench.types import Distiller, LabeledImages, MicroBatch


@register("method", "greedy")
@dataclass(frozen=True)
class Greedy(Distiller):
    """The first images of each class, in micro-batches of which those above ``fits`` find no room."""

    at_once: MicroBatch = 8
    fits: int = 4

    def distill(self, real, state, ipc, ctx):
        import torch

        if self.at_once > self.fits:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        index = torch.cat([(real.labels == k).nonzero()[:ipc, 0] for k in range(len(real.classes))])
        return LabeledImages(images=real.images[index], labels=real.labels[index], classes=real.classes)
'''
AGAIN = "at_once 8 -> 4"


def run(path, store, *more):
    arguments = ["run", "--plugin", path, "--methods", "greedy", *QUICK, "--store", store, "--executor", "inline"]
    done = invoke(*arguments, *more)
    return done, open_store(store, create=False).records()[0]


def test_a_stage_without_memory_is_tried_once_more_with_half_and_says_so(tmp_path, plugin):  # noqa: F811
    path = plugin("greedy_half", GREEDY)
    done, record = run(path, tmp_path / "s")
    assert done.returncode == 0, done.stderr
    assert record.outcome == "ok"
    assert AGAIN in done.stderr
    shown = invoke("show", record.cell, "--store", tmp_path / "s").stdout
    assert "distill ran out of it at" in shown and f"tried once more with {AGAIN}" in shown
    (told,) = record.run["out_of_memory"]["distill"]
    assert told["halved"] == {"at_once": [8, 4]}
    assert told["peak_memory_mib"] > 0
    assert told["reason"] == "CUDA out of memory. Tried to allocate 2.00 GiB"
    done, other = run(path, tmp_path / "t", "--set", "methods.greedy.at_once=4")
    assert done.returncode == 0 and "out_of_memory" not in other.run
    assert other.curve == record.curve, "half a micro-batch changes no image"


def test_what_does_not_fit_by_half_is_a_record_with_the_peaks_of_both_tries(tmp_path, plugin):  # noqa: F811
    done, record = run(plugin("greedy_never", GREEDY), tmp_path / "s", "--set", "methods.greedy.fits=3")
    assert done.returncode == 1
    assert record.outcome == "out_of_memory"
    assert AGAIN in record.reason
    assert "a stage ran out of it at" in invoke("show", record.cell, "--store", tmp_path / "s").stdout
    first, second = record.run["out_of_memory"]
    assert first["halved"] == {"at_once": [8, 4]} and second["halved"] == {}
    assert first["peak_memory_mib"] > 0 and second["peak_memory_mib"] > 0


def test_what_cannot_be_halved_is_not_tried_again(tmp_path, plugin):  # noqa: F811
    options = ["--set", "methods.greedy.at_once=1", "--set", "methods.greedy.fits=0"]
    done, record = run(plugin("greedy_one", GREEDY), tmp_path / "s", *options)
    assert done.returncode == 1
    assert record.outcome == "out_of_memory"
    assert len(record.run["out_of_memory"]) == 1
    assert "tried once more" not in done.stderr + record.reason


@pytest.mark.parametrize(
    ("assigned", "visible", "expected"),
    [
        ([], None, None),
        ([0], None, 0),
        ([3], None, 3),
        (["2"], "2,3", 0),
        (["3"], "2,3", 1),
        (["GPU-b"], "GPU-a, GPU-b", 1),
        ([3], "3", 0),
        ([1], "", 1),
    ],
)
def test_a_card_is_known_by_its_place_among_the_visible_ones(assigned, visible, expected):
    environment = {} if visible is None else {"CUDA_VISIBLE_DEVICES": visible}
    assert position(assigned, environment) == expected


def test_shares_of_a_card_with_their_processes_never_exceed_it():
    total = 80_000
    for parts in (1, 2, 4, 8):
        taken = parts * (allowed_fraction(1 / parts, total) * total + (CONTEXT_MIB if parts > 1 else 0))
        assert taken <= total + 1e-6
    assert allowed_fraction(1.0, total) == allowed_fraction(2.0, total) == 1.0
