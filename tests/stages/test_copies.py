"""Images of the judged split in a distilled set: found whatever was done to them, and told from train images."""

import io

import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn.functional import interpolate

from ddbench.api.captions import facts_of
from ddbench.results.tables.captions import CaptionFacts
from ddbench.results.tables.copies import SetCopies
from ddbench.stages.copies import CopiesJudged, find_copies
from ddbench.types import LabeledImages
from tests.support.records import cell, record


def images(n, seed, channels=3, side=32):
    """Pictures with structure: brightness and some colour on a coarse grid, smoothed, with some noise."""
    random = torch.Generator().manual_seed(seed)
    coarse = 0.8 * torch.rand(n, 1, 5, 5, generator=random) + 0.2 * torch.rand(n, channels, 5, 5, generator=random)
    fine = interpolate(coarse, (side, side), mode="bilinear") * 255 + 6 * torch.randn(
        n, channels, side, side, generator=random
    )
    return labelled(fine.clamp(0, 255).round().byte())


def labelled(pixels):
    return LabeledImages(pixels, torch.arange(len(pixels)) % 2, ("cat", "dog"))


def join(*parts):
    return labelled(torch.cat([part.images for part in parts]))


TRAIN, JUDGED, MADE = images(40, 1), images(30, 2), images(10, 3)


def found(made, judged=JUDGED, train=TRAIN):
    copies = find_copies(made, judged, lambda: train)
    return copies.equal, copies.near, copies.in_both, copies.repeated


def none():
    raise AssertionError("the train split is read only where something is found")


def test_unrelated_images_are_none_and_cost_no_look_at_the_train_images():
    found = find_copies(MADE, JUDGED, none).to_json()
    assert len(found.pop("digests")) == 10
    assert found == {
        "images": 10,
        "equal": 0,
        "near": 0,
        "in_both": 0,
        "repeated": 0,
    }


def test_train_images_are_none_however_near_judged_ones_are():
    assert found(labelled(TRAIN.images[:8])) == (0, 0, 0, 0)
    near_twin = labelled((TRAIN.images.int() + 3).clamp(0, 255).byte())
    assert found(labelled(TRAIN.images[:8]), near_twin) == (0, 0, 8, 0)


def test_copies_are_counted_and_the_first_is_named():
    copies = find_copies(join(MADE, labelled(JUDGED.images[3:7])), JUDGED, lambda: TRAIN)
    assert (copies.equal, copies.near, copies.in_both) == (4, 0, 0)
    assert copies.example == "image 5 of class 'cat' equals judged image 3"
    told = str(CopiesJudged(copies, "test"))
    assert "4 of its 14 images are images of the judged test split (4 equal, 0 nearly equal)" in told
    assert "--allow-test-copies" in told


def jpeg(pixels, quality):
    file = io.BytesIO()
    Image.fromarray(pixels.permute(1, 2, 0).numpy()).save(file, "jpeg", quality=quality)
    return torch.from_numpy(np.array(Image.open(file))).permute(2, 0, 1)


def smaller(pixels):
    half = interpolate(pixels[None].float(), scale_factor=0.5, mode="area")
    return interpolate(half, scale_factor=2.0, mode="bilinear")[0].round().clamp(0, 255).byte()


def noisy(pixels):
    noise = 8 * torch.randn(pixels.shape, generator=torch.Generator().manual_seed(0))
    return (pixels + noise).clamp(0, 255).byte()


@pytest.mark.parametrize(
    "change",
    [
        lambda pixels: jpeg(pixels, 75),
        smaller,
        noisy,
        lambda pixels: (pixels.int() + 5).clamp(0, 255).byte(),
        lambda pixels: pixels.flip(-1),
    ],
    ids=["jpeg", "half the size", "noise", "brighter", "mirrored"],
)
def test_a_copy_that_was_changed_a_little_is_nearly_equal(change):
    assert found(labelled(torch.stack([change(one) for one in JUDGED.images[:8]]))) == (0, 8, 0, 0)


def test_images_that_are_in_both_splits_are_no_copies():
    both = join(TRAIN, labelled(JUDGED.images[:5]))
    assert found(labelled(JUDGED.images[:8]), train=both) == (3, 0, 5, 0)
    changed = labelled(torch.stack([jpeg(one, 75) for one in JUDGED.images[:8]]))
    assert found(changed, train=both) == (0, 3, 5, 0)


def test_a_judged_image_is_a_copy_though_a_train_image_is_nearly_equal():
    twins = join(TRAIN, labelled(torch.stack([jpeg(one, 75) for one in JUDGED.images[:5]])))
    assert found(labelled(JUDGED.images[:5]), train=twins) == (5, 0, 0, 0)


def test_flat_images_have_no_neighbours_but_equals():
    def flat(*levels):
        return labelled(torch.stack([torch.full((3, 32, 32), level, dtype=torch.uint8) for level in levels]))

    assert found(flat(10, 20, 30), flat(11, 200)) == (0, 0, 0, 0)
    assert found(flat(10, 20, 30), flat(20, 200)) == (1, 0, 0, 0)
    assert found(MADE, flat(20, 200)) == (0, 0, 0, 0)


def test_an_image_that_is_repeated_within_a_set_is_counted():
    assert found(join(MADE, MADE, labelled(MADE.images[:1]))) == (0, 0, 0, 11)


@pytest.mark.parametrize(("channels", "side"), [(1, 8), (1, 5), (3, 33)])
def test_any_shape_is_compared(channels, side):
    train, judged = (images(20, seed, channels, side) for seed in (1, 2))
    assert found(labelled(judged.images[:2]), judged, train) == (2, 0, 0, 0)
    assert found(images(10, 3, channels, side), judged, train)[0] == 0


def test_parts_of_any_size_find_the_same(monkeypatch):
    made = join(MADE, labelled(torch.stack([noisy(one) for one in JUDGED.images[10:20]])))
    whole = find_copies(made, JUDGED, lambda: TRAIN)
    monkeypatch.setattr("ddbench.stages.copies.CHUNK_BYTES", 2 * MADE.images[:1].numel())
    monkeypatch.setattr("ddbench.stages.copies.ROWS", 3)
    assert find_copies(made, JUDGED, lambda: TRAIN) == whole
    assert whole.near == 10


def test_captions_count_each_set_once_and_say_nothing_of_clean_or_old_records():
    def judged(seed, eval_seed, **copies):
        run = {"copies": {"images": 20, "equal": 0, "near": 0, "in_both": 0, "repeated": 0, **copies}}
        return record(cell(seed=seed, eval_seed=eval_seed), 0.5, parents=[f"set{seed}"], run=run)

    place = ("s/test", "p@1")
    assert facts_of([record(cell(), 0.5)]).copies == {}
    assert facts_of([judged(0, 0)]).place(*place) == CaptionFacts().place(*place)
    records = [judged(s, e, equal=3, near=1, in_both=2 * s, repeated=s) for s in (0, 1) for e in (0, 1)]
    facts = facts_of(records)
    assert facts.copies == {place: {"m": SetCopies(40, 6, 2, 2, 1)}}
    assert facts.place(*place) == (
        "Split s/test, protocol p@1. Copies of judged images, judged all the same: m (8 of 40 images). Train images "
        "that are judged images too: m (2 of 40 images). Images that repeat another of their set: m (1 of 40 images)."
    )
