"""Measuring a whole set: what is averaged, what is a copy, and what must not matter."""

from pathlib import Path

import pytest
import torch

from ddbench.evaluators.shift.measure import Shift, pixels
from ddbench.types import LabeledImages, StageContext

CONTEXT = StageContext(seed=0, data="d")


def draw(each, seed, classes=("a", "b", "c"), low=0, high=256):
    random = torch.Generator().manual_seed(seed)
    shape = (each * len(classes), 1, 4, 4)
    return LabeledImages(
        images=torch.randint(low, high, shape, generator=random, dtype=torch.uint8),
        labels=torch.arange(len(classes)).repeat_interleave(each),
        classes=classes,
    )


def subset(data, index):
    return LabeledImages(images=data.images[index], labels=data.labels[index], classes=data.classes)


def measure(made, real, shift=None, **options):
    arguments = {"features": None, "space": "pixels", "codec": None, "ctx": CONTEXT, **options}
    return (shift or Shift()).measure(made, real, **arguments)


def same(a, b):
    assert a.keys() == b.keys()
    for key, value in a.items():
        if isinstance(value, dict):
            same(value, b[key])
        else:
            assert value == (pytest.approx(b[key], rel=1e-6, abs=1e-5) if isinstance(value, float) else b[key]), key


@pytest.fixture(scope="module")
def real():
    return draw(20, seed=0)


def test_the_train_split_itself_has_no_shift_and_is_all_copies(real):
    found = measure(real, real)
    assert found["mean_distance"] == pytest.approx(0, abs=1e-6)
    assert found["spread"] == pytest.approx(1)
    assert found["copies"] == found["close"] == found["precision"] == found["recall"] == found["coverage"] == 1
    assert found["nearest_ratio"] == pytest.approx(0, abs=1e-6)
    assert found["latent_ratio"] == pytest.approx(1)
    assert found["latent_space"] == "pixels" and found["features"] == 16


def test_new_images_are_no_copies_and_one_changed_level_is_near_without_being_one(real):
    assert measure(draw(4, seed=9), real)["copies"] == 0
    changed = real.images[::20].clone()
    changed[:, 0, 0, 0] ^= 1
    near = measure(LabeledImages(changed, real.labels[::20], real.classes), real)
    assert near["copies"] == 0 and near["close"] == 1 and near["nearest_ratio"] < 0.01


def test_a_copy_counts_whatever_class_it_is_given(real):
    swapped = LabeledImages(real.images[:3], torch.tensor([1, 2, 0]), real.classes)
    assert measure(swapped, real)["copies"] == 1


def test_the_mean_is_over_classes_and_each_class_is_told_apart(real):
    made = subset(real, torch.arange(0, 60, 5))
    found = measure(made, real)
    assert set(found["classes"]) == {"a", "b", "c"}
    parts = [found["classes"][name]["mean_shift"] for name in real.classes]
    assert found["mean_shift"] == pytest.approx(sum(parts) / 3) and len(set(parts)) == 3


def test_one_image_a_class_has_no_covariance_and_no_recall(real):
    found = measure(subset(real, torch.tensor([0, 20, 40])), real)
    assert found["spread"] is found["covariance_distance"] is found["frechet"] is found["recall"] is None
    assert found["vendi"] == pytest.approx(1) and found["mean_shift"] > 0


def test_less_bright_latents_have_a_smaller_mean(real):
    grey = draw(4, seed=1, low=96, high=160)
    found = measure(grey, real)
    assert found["latent_abs"] == pytest.approx(float(pixels(grey.images).abs().mean()))
    assert found["latent_ratio"] < 0.5 and found["spread"] < 0.5


def test_a_codec_is_asked_for_the_latents(real):
    class Codec:
        def encode(self, images):
            return images.float()

        def identity(self):
            return "levels"

    found = measure(real, real, codec=Codec())
    assert found["latent_abs"] == pytest.approx(float(real.images.float().mean()))
    assert found["latent_space"] == "levels"


def test_the_order_of_images_and_classes_does_not_matter(real):
    made = draw(3, seed=5)
    order = torch.randperm(len(real), generator=torch.Generator().manual_seed(1))
    same(measure(made, real), measure(subset(made, torch.arange(8, -1, -1)), subset(real, order)))
    turned = LabeledImages(made.images, 2 - made.labels, ("c", "b", "a"))
    same(measure(made, real), measure(turned, real))


def test_features_from_a_cache_are_the_same_and_computed_once(real, tmp_path):
    calls = []

    def cache(name, fill):
        folder = tmp_path / name
        if not folder.exists():
            folder.mkdir()
            fill(folder)
        return folder

    def features(images):
        calls.append(len(images))
        return pixels(images)

    context = StageContext(seed=0, data="d", cache=cache)
    made = draw(2, seed=3)
    plain = measure(made, real, features=features)
    calls.clear()
    same(plain, measure(made, real, features=features, ctx=context))
    assert calls == [6, 60] or calls == [60, 6]
    same(plain, measure(made, real, features=features, ctx=context))
    assert sum(calls) == 72
    assert not [path for path in Path(tmp_path).rglob("*") if path.suffix not in {"", ".npy"}]


def test_a_bounded_reference_is_a_seeded_part_of_the_class(real):
    made = draw(3, seed=5)
    some = Shift(reference=10, queries=15)
    same(measure(made, real, some), measure(made, real, some))
    whole = measure(made, real)
    assert measure(made, real, some)["mean_shift"] != whole["mean_shift"]
    assert measure(made, real, some)["copies"] == whole["copies"] == 0
    assert measure(made, real, Shift(reference=10, seed=1))["mean_shift"] != measure(made, real, some)["mean_shift"]


def test_a_real_draw_is_not_compared_with_itself(real):
    shift = Shift()
    made, index = shift.draw(real, 4, seed=0)
    assert made.labels.bincount().tolist() == [4, 4, 4]
    assert torch.equal(real.images[index], made.images)
    found = measure(made, real, held_out=index)
    assert found["copies"] == 0 and 0.5 < found["nearest_ratio"] < 1.5
    rest = torch.ones(len(real), dtype=torch.bool)
    rest[index] = False
    alone = measure(made, subset(real, rest.nonzero()[:, 0]))
    same(found["classes"], alone["classes"])
    assert not torch.equal(shift.draw(real, 4, seed=1)[1], index)


def test_a_draw_needs_an_image_to_be_left(real):
    with pytest.raises(ValueError, match="20 train images: none is left beside 20"):
        Shift().draw(real, 20, seed=0)
