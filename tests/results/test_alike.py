"""Images that sets of one method have in common, by the digests on their records."""

import random

import pytest
import torch

from ddbench.api.copies import alike_by_place
from ddbench.images import LabeledImages
from ddbench.results.tables import CaptionFacts
from ddbench.results.tables.copies import shared_images
from ddbench.stages.copies import LEAST, find_copies
from tests.support.records import cell, record


def digests(images):
    return tuple(sorted(images)[:LEAST])


def test_of_small_sets_the_share_is_exact():
    a, b = (digests(f"{i:016x}" for i in part) for part in (range(10), range(4, 14)))
    assert shared_images(a, b, LEAST) == pytest.approx(0.6)
    assert shared_images(a, a, LEAST) == 1
    assert shared_images(a, digests(["f" * 16]), LEAST) == 0


def test_of_large_sets_it_is_estimated_without_bias():
    draw = random.Random(0)
    found = []
    for _ in range(50):
        names = [f"{draw.getrandbits(64):016x}" for _ in range(750)]
        found.append(shared_images(digests(names[:500]), digests(names[250:]), LEAST))
    assert sum(found) / len(found) == pytest.approx(0.5, abs=0.03)


def test_a_set_has_the_digests_of_its_images_each_once():
    images = torch.arange(3, dtype=torch.uint8).view(3, 1, 1, 1).expand(3, 1, 8, 8).contiguous()[[0, 1, 1, 2]]
    made = LabeledImages(images, torch.tensor([0, 0, 1, 1]), ("a", "b"))
    judged = LabeledImages(torch.full((2, 1, 8, 8), 99, dtype=torch.uint8), torch.arange(2), ("a", "b"))
    found = find_copies(made, judged, lambda: judged)
    assert len(found.digests) == 3
    assert list(found.digests) == sorted(found.digests)


def test_captions_warn_of_sets_that_share_images_and_of_no_others():
    def judged(method, seed, images):
        copies = {"images": 10, "digests": digests(f"{i:016x}" for i in images)}
        return record(cell(method, seed=seed), 0.5, parents=[f"{method}{seed}"], run={"copies": copies})

    records = [judged("x", 0, range(10)), judged("x", 1, range(4, 14)), judged("y", 0, range(10))]
    records += [judged("y", 1, range(9, 19)), record(cell("old"), 0.5)]
    alike = alike_by_place(records)
    assert alike["s/test", "p@1"] == {"x": pytest.approx(0.6), "y": pytest.approx(0.1)}
    said = CaptionFacts(alike=alike).place("s/test", "p@1")
    assert "Sets of one method that share images" in said
    assert "x (60 % of the images)." in said
    assert "y" not in said.partition("independent sets:")[2]
