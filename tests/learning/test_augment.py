"""Augmentation of a method's training images: each image has its own draw, in the ranges that are said."""

import pytest
import torch

from ddbench.learning import augment


def crops(images, area):
    return augment.resized_crops(images, augment.draw_boxes(len(images), *images.shape[2:], area, random()))


def jittered(images, strength):
    return augment.jitter(images, *augment.draw_jitter(len(images), strength, random()))


def lit(images):
    return augment.lighting(images, augment.draw_lighting(len(images), 0.1, random()))


def random(seed=0):
    return torch.Generator().manual_seed(seed)


def test_a_crop_of_the_whole_image_is_the_image_and_others_stay_inside():
    ramp = torch.linspace(0, 1, 32).expand(200, 1, 32, 32)
    whole = crops(torch.rand(4, 3, 16, 16, generator=random()), (1.0, 1.0))
    assert whole.shape == (4, 3, 16, 16)
    cut = crops(ramp, (0.25, 0.25))
    widths = (cut[:, 0, 0, -1] - cut[:, 0, 0, 0]) * 31 + 1  # of the box, in pixels
    ratios = (widths / 16) ** 2  # width / height of a box of a quarter of the area
    assert ratios.min() > 0.7 and ratios.max() < 1.4  # 3/4 to 4/3, up to the half pixels at the border
    assert cut.min() >= 0 and cut.max() <= 1
    assert len({round(v, 4) for v in cut[:, 0, 0, 0].tolist()}) > 150  # each its own place


def test_a_box_is_what_slicing_and_interpolation_would_give():
    image = torch.rand(1, 2, 12, 12, generator=random(3))
    found = crops(image.repeat(50, 1, 1, 1), (0.4, 0.9))
    share, ratio, down, right = torch.rand(4, 50, generator=random())
    share, ratio = 0.4 + 0.5 * share, 0.75 * (16 / 9) ** ratio
    for i in (0, 7, 31):
        wide, high = 12 * min(1, float((share[i] * ratio[i]).sqrt())), 12 * min(1, float((share[i] / ratio[i]).sqrt()))
        rows = (torch.arange(12) + 0.5) * high / 12 + float(down[i]) * (12 - high) - 0.5
        columns = (torch.arange(12) + 0.5) * wide / 12 + float(right[i]) * (12 - wide) - 0.5
        expected = bilinear(image[0], rows.clamp(0, 11), columns.clamp(0, 11))
        torch.testing.assert_close(found[i], expected, rtol=1e-4, atol=1e-5)


def bilinear(image, rows, columns):
    low_r, low_c = rows.floor().long().clamp(max=10), columns.floor().long().clamp(max=10)
    r, c = (rows - low_r)[:, None], (columns - low_c)[None]
    corner = [[image[:, low_r + i][:, :, low_c + j] for j in (0, 1)] for i in (0, 1)]
    top = corner[0][0] * (1 - c) + corner[0][1] * c
    return top * (1 - r) + (corner[1][0] * (1 - c) + corner[1][1] * c) * r


def test_about_half_are_mirrored_each_by_itself():
    x = torch.arange(8.0).expand(400, 1, 1, 8)
    mirrored = augment.flips(x, augment.draw_mirrored(400, random()))[:, 0, 0, 0] == 7
    assert 160 < mirrored.sum() < 240


@pytest.mark.parametrize("channels", [1, 3])
def test_jitter_moves_brightness_contrast_and_saturation_within_its_strength(channels):
    x = torch.rand(300, channels, 4, 4, generator=random())
    torch.testing.assert_close(jittered(x, 0.0), x)
    changed = jittered(x, 0.4)
    bright = changed.mean((1, 2, 3)) / x.mean((1, 2, 3))
    assert 0.55 < bright.min() < 0.7 and 1.3 < bright.max() < 1.45
    assert len({round(v, 4) for v in bright.tolist()}) > 250


def test_saturation_leaves_grey_images_grey_and_lighting_moves_along_imagenets_axes():
    grey = torch.rand(20, 1, 4, 4, generator=random()).expand(20, 3, 4, 4)
    changed = jittered(grey, 0.4)
    torch.testing.assert_close(changed[:, 0], changed[:, 2])
    light = lit(torch.zeros(4000, 3, 1, 1))[:, :, 0, 0]
    expected = torch.tensor(augment.LIGHT) @ torch.tensor(augment.LIGHT).T * 0.01
    torch.testing.assert_close(light.T.cov(), expected, rtol=0.1, atol=1e-6)
    assert lit(torch.zeros(2, 1, 1, 1)).abs().max() == 0
