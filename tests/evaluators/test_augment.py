"""Augmentation: exact under fixed parameters, of the declared distribution when drawn."""

import itertools
import math

import pytest
import torch
import torch.nn.functional as F

from ddbench.evaluators import colour, crops
from ddbench.evaluators.augment import augment
from ddbench.evaluators.cutmix import Cut, cutmix, draw_cut
from ddbench.evaluators.recipe import Augmentation
from ddbench.learning import colours


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def pictures(n=3, height=24, width=24):
    return torch.rand(n, 3, height, width, generator=generator(9))


FULL = Augmentation(shuffle=2, crop=(0.5, 1.0), flip=0.5, brightness=0.4, contrast=0.4, saturation=0.4, lighting=0.1)


def test_the_default_augmentation_changes_and_draws_nothing():
    random = generator()
    x = pictures()
    assert augment(x, Augmentation(), random) is x
    assert torch.equal(random.get_state(), generator().get_state())


def test_neutral_parameters_are_the_identity():
    x = pictures()
    whole = torch.tensor([[0, 0, 24, 24]] * 3)
    torch.testing.assert_close(crops.crop(x, whole), x, rtol=0, atol=1e-5)
    assert torch.equal(crops.flip(x, torch.zeros(3, dtype=torch.bool)), x)
    assert torch.equal(crops.shuffle(x, torch.arange(3).expand(3, 2, 3)), x)
    assert torch.equal(colour.jitter(x, torch.zeros(3, 3), torch.arange(3).expand(3, 3)), x)
    assert torch.equal(colour.light(x, torch.zeros(3, 3)), x)
    assert torch.equal(cutmix(x, Cut(4, 4, 2, 9, torch.tensor([1, 2, 0])).box, torch.tensor([1, 2, 0])), x)


def test_same_generator_same_images_another_seed_others_and_each_image_its_own():
    x = pictures(1).expand(4, -1, -1, -1)
    first = augment(x, FULL, generator(1))
    assert torch.equal(first, augment(x, FULL, generator(1)))
    assert not torch.equal(first, augment(x, FULL, generator(2)))
    assert not torch.equal(first[0], first[1])


def test_changes_come_in_the_order_of_the_fields():
    random, x = generator(3), pictures()
    expected = crops.shuffle(x, crops.draw_strips(3, 2, random))
    expected = crops.crop(expected, crops.draw_crops(3, 24, 24, (0.5, 1.0), (3 / 4, 4 / 3), random))
    expected = crops.flip(expected, crops.draw_flips(3, 0.5, random))
    expected = colour.jitter(expected, *colour.draw_jitter(3, (0.4, 0.4, 0.4), random))
    expected = colour.light(expected, colour.draw_lighting(3, 0.1, random))
    torch.testing.assert_close(augment(x, FULL, generator(3)), expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize(("height", "width"), [(32, 32), (40, 64), (50, 32)])
def test_resize_and_crop_is_what_torchvision_does(height, width):
    from torchvision.transforms.v2 import functional as tv

    x = pictures(2, height, width)
    expected = tv.center_crop(tv.resize(x, [20], antialias=True), [16, 16])
    torch.testing.assert_close(crops.resize_and_crop(x, 20, 16), expected, rtol=0, atol=1e-6)


def test_a_centre_crop_larger_than_the_resized_image_is_refused():
    with pytest.raises(ValueError, match="32 px does not fit into images of 16 px"):
        crops.resize_and_crop(pictures(), 16, 32)


def test_a_crop_is_slicing_and_interpolation_for_each_image():
    x = pictures(3)
    places = [(0, 0, 12, 24), (3, 5, 17, 13), (23, 23, 1, 1)]
    found = crops.crop(x, torch.tensor(places))
    for image, result, (top, left, h, w) in zip(x, found, places, strict=True):
        part = image[None, :, top : top + h, left : left + w]
        expected = F.interpolate(part, size=(24, 24), mode="bilinear", align_corners=False)[0]
        torch.testing.assert_close(result, expected, rtol=0, atol=1e-5)


def test_crops_have_uniform_areas_log_uniform_ratios_and_uniform_places():
    n, side = 20_000, 1000
    top, left, h, w = crops.draw_crops(n, side, side, (0.1, 0.4), (3 / 4, 4 / 3), generator()).double().T
    area, ratio = h * w / side**2, (w / h).log() / math.log(4 / 3)
    assert area.mean().item() == pytest.approx(0.25, abs=0.003)
    assert area.std().item() == pytest.approx(0.3 / math.sqrt(12), abs=0.003)
    assert ratio.mean().item() == pytest.approx(0, abs=0.02)
    assert ratio.std().item() == pytest.approx(1 / math.sqrt(3), abs=0.02)
    for start, length in ((top, h), (left, w)):
        assert ((start >= 0) & (start + length <= side)).all()
        assert (start / (side - length)).mean().item() == pytest.approx(0.5, abs=0.01)


def test_crops_that_do_not_fit_are_drawn_again():
    """Near the whole area most ratios do not fit: drawing again favours square crops, as torchvision does."""
    _, _, h, w = crops.draw_crops(5000, 1000, 1000, (0.5, 1.0), (3 / 4, 4 / 3), generator()).double().T
    share = h * w / 1e6
    assert share.min() >= 0.499
    assert share.max() <= 1
    assert share.mean() < 0.745  # uniform would be 0.75; crops that do not fit are the large ones


@pytest.mark.parametrize(
    ("size", "expected"), [((10, 100), (0, 43, 10, 13)), ((100, 10), (43, 0, 13, 10)), ((20, 20), (0, 0, 20, 20))]
)
def test_where_no_crop_fits_the_central_one_of_allowed_ratio_is_taken(size, expected):
    drawn = crops.draw_crops(4, *size, (4.0, 5.0), (3 / 4, 4 / 3), generator())
    assert drawn.tolist() == [list(expected)] * 4


def test_flips_mirror_the_chosen_images_and_are_half_of_them():
    x = pictures()
    flipped = crops.flip(x, torch.tensor([True, False, True]))
    assert torch.equal(flipped, torch.stack([x[0].flip(2), x[1], x[2].flip(2)]))
    assert crops.draw_flips(20_000, 0.5, generator()).float().mean().item() == pytest.approx(0.5, abs=0.015)


def test_shuffled_strips_move_as_wholes():
    x = pictures(1, 5, 4)
    swapped = crops.shuffle(x, torch.tensor([[[1, 0], [1, 0]]]))
    assert torch.equal(swapped, x[:, :, [2, 3, 4, 0, 1]][:, :, :, [2, 3, 0, 1]])
    orders = crops.draw_strips(4000, 2, generator())
    assert orders[:, :, 0].float().mean(0).tolist() == pytest.approx([0.5, 0.5], abs=0.03)


def test_each_jitter_is_a_step_towards_its_target():
    x = pictures(1)
    grey = (x * torch.tensor([0.299, 0.587, 0.114])[:, None, None]).sum(1, keepdim=True)
    order = torch.tensor([[0, 1, 2]])
    for which, target in enumerate((torch.zeros_like(x), grey.mean().expand_as(x), grey.expand_as(x))):
        share = torch.zeros(1, 3)
        share[0, which] = -0.3
        torch.testing.assert_close(colour.jitter(x, share, order), x.lerp(target, -0.3))


def test_jitter_takes_all_three_steps_one_after_another_in_any_order():
    """Unclamped, the steps commute: grey is what saturation keeps, and its mean scales as the image does."""
    x = pictures(1).expand(6, -1, -1, -1)
    shares = torch.tensor([[0.4, 0.3, -0.2]])
    orders = torch.tensor(list(itertools.permutations(range(3))))
    found = colour.jitter(x, shares.expand(6, -1), orders)
    one_by_one = x[:1]
    for which in range(3):
        alone = torch.zeros(1, 3)
        alone[0, which] = shares[0, which]
        one_by_one = colour.jitter(one_by_one, alone, orders[:1])
    torch.testing.assert_close(found, one_by_one.expand(6, -1, -1, -1))
    assert found.max() < x.max()


def test_shares_of_jitter_are_uniform_and_all_orders_occur():
    shares, orders = colour.draw_jitter(6000, (0.4, 0.4, 0.2), generator())
    assert shares.mean(0).tolist() == pytest.approx([0, 0, 0], abs=0.015)
    assert shares.std(0).tolist() == pytest.approx([0.8 / 12**0.5, 0.8 / 12**0.5, 0.4 / 12**0.5], rel=0.03)
    assert shares.abs().amax(0).tolist() == pytest.approx([0.4, 0.4, 0.2], abs=0.002)
    _, counts = orders.unique(dim=0, return_counts=True)
    assert counts.tolist() == pytest.approx([1000] * 6, rel=0.15)


def test_lighting_shifts_the_colour_of_a_whole_image():
    x = pictures()
    moved = colour.light(x, colour.draw_lighting(3, 0.1, generator())) - x
    torch.testing.assert_close(moved, moved[:, :, :1, :1].expand_as(moved), rtol=0, atol=1e-6)
    assert not torch.allclose(moved[0], moved[1])


def test_lighting_has_the_covariance_of_its_eigenvectors():
    drawn = colour.draw_lighting(50_000, 0.1, generator()).double()
    vectors = torch.tensor(colour.EIGENVECTORS, dtype=torch.float64)
    scale = torch.diag((0.1 * torch.tensor(colour.EIGENVALUES, dtype=torch.float64)) ** 2)
    torch.testing.assert_close(drawn.T.cov(), vectors @ scale @ vectors.T, rtol=0.05, atol=2e-7)
    torch.testing.assert_close(vectors.T @ vectors, torch.eye(3, dtype=torch.float64), rtol=0, atol=2e-3)


def test_normalising_takes_imagenets_mean_to_zero_and_a_deviation_to_one():
    mean, std = (torch.tensor(v)[None, :, None, None] for v in (colours.IMAGENET_MEAN, colours.IMAGENET_STD))
    torch.testing.assert_close(colours.normalise(torch.cat([mean, mean + std])).flatten(1).T[0], torch.tensor([0.0, 1]))


def test_cutmix_pastes_the_partners_box_and_mixes_labels_by_its_area():
    x = torch.arange(4.0)[:, None, None, None].expand(4, 3, 20, 30)
    for seed in range(30):
        cut = draw_cut(4, 20, 30, generator(seed))
        mixed = cutmix(x, cut.box, cut.partners)
        own = (mixed == x).flatten(1).double().mean(1)
        partner = (mixed == x[cut.partners]).flatten(1).double().mean(1)
        changed = cut.partners != torch.arange(4)
        assert own[changed].tolist() == pytest.approx([cut.kept(20, 30)] * int(changed.sum()))
        assert partner[changed].tolist() == pytest.approx([1 - cut.kept(20, 30)] * int(changed.sum()))
        assert sorted(cut.partners.tolist()) == [0, 1, 2, 3]


def test_the_box_of_cutmix_is_uniform_in_area_before_it_is_cut_off():
    """Sides sqrt(s) with s ~ U[0, 1] at a uniform centre: E[(E overlap)^2] = E[(r - r^2 / 4)^2] = 1/2 - 1/5 + 1/48."""
    shares = torch.tensor([1 - draw_cut(1, 400, 400, generator(seed)).kept(400, 400) for seed in range(2000)])
    assert shares.mean().item() == pytest.approx(1 / 2 - 1 / 5 + 1 / 48, abs=0.02)
