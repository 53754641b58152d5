"""RDED: which crops are chosen, and how they lie in a collage."""

import dataclasses

import pytest
import torch
from torch import nn

from ddbench.config.schema import load_config
from ddbench.config.study import resolve
from ddbench.learning.teacher import Taught, TrainedTeacher
from ddbench.methods.rded import RDED, best, collage
from ddbench.plan.build import make_plan
from ddbench.types import LabeledImages, StageContext


def test_the_best_crop_of_each_image_comes_first_and_images_by_their_loss():
    losses = torch.tensor([[0.5, 0.1], [0.3, 0.9], [0.2, 0.8]])
    crops = torch.arange(6.0).view(3, 2, 1, 1, 1)  # crop j of image i is 2 i + j
    assert best(crops, losses, 3, "x").flatten().tolist() == [1, 4, 2]
    assert best(crops, losses, 5, "x").flatten().tolist() == [1, 4, 2, 0, 5]  # then the second best of each
    with pytest.raises(ValueError, match="class 'x' needs 7 crops"):
        best(crops, losses, 7, "x")


def test_part_k_of_image_i_is_the_crop_of_rank_k_n_plus_i():
    parts = torch.arange(8.0).view(8, 1, 1, 1).expand(8, 1, 2, 2)
    images = collage(parts, (4, 4), 2)
    assert images.shape == (2, 1, 4, 4)
    for i in range(2):
        corners = [images[i, 0, 0, 0], images[i, 0, 0, 3], images[i, 0, 3, 0], images[i, 0, 3, 3]]
        assert [int(c) for c in corners] == [i, 2 + i, 4 + i, 6 + i]


def test_what_a_factor_leaves_over_goes_to_the_first_parts():
    images = collage(torch.arange(4.0).view(4, 1, 1, 1).expand(4, 1, 2, 2), (5, 5), 2)
    assert (images[0, 0] == 0).sum() == 9
    assert (images[0, 0] == 3).sum() == 4


class Bright(nn.Module):
    """A teacher that takes bright images for class b and dark ones for class a."""

    def forward(self, x):
        mean = x.mean((1, 2, 3))
        return torch.stack([-mean, mean], 1)


TAUGHT = Taught(Bright(), ("a", "b"), 1, None)


def halves(n=6):
    """Images whose left half is dark and whose right half is bright."""
    images = torch.zeros(2 * n, 1, 8, 8, dtype=torch.uint8)
    images[..., 4:] = 200
    return LabeledImages(images, torch.arange(2).repeat_interleave(n), ("b", "a"))  # not sorted: label 0 is b


def distilled(ipc=2, **options):
    method = dataclasses.replace(RDED(), crops=8, area=(0.1, 0.2), **options)
    return method.distill(halves(), TAUGHT, ipc, StageContext(seed=0))


def test_crops_are_those_that_the_teacher_takes_for_their_class():
    found = distilled()
    assert found.labels.tolist() == [0, 0, 1, 1]
    assert found.images[:2].float().mean() > 150  # of class b
    assert found.images[2:].float().mean() < 50


def test_a_collage_has_factor_squared_crops_of_a_class():
    found = distilled(ipc=1, factor=2)
    assert found.images.shape == (2, 1, 8, 8)
    assert found.images[0].float().mean() > found.images[1].float().mean()


def test_the_factor_follows_the_size_as_in_the_scripts():
    small = distilled(ipc=1)
    assert torch.equal(small.images, distilled(ipc=1, factor=1).images)


def test_only_so_many_images_are_tried_as_the_pool_has():
    with pytest.raises(ValueError, match=r"class 'b' needs 9 crops, and 1 images have 8"):
        distilled(ipc=9, pool=1)


def test_method_and_protocol_share_a_teacher_whose_recipe_is_equal():
    changes = {"grid.methods": ["rded", "random"], "grid.ipc": [1], "grid.protocol": "cpu-small-teacher@1"}
    same = [
        "methods.rded.teacher.network=convnet3-w32",
        "methods.rded.teacher.crop=[0.7,1.0]",
        "methods.rded.teacher.mirror=false",
        "methods.rded.teacher.sides=[]",
    ]
    teachers = [
        sum(
            stage.kind == "teacher"
            for stage in make_plan(resolve(load_config("digits", changes, more))).stages.values()
        )
        for more in (same, [*same, "methods.rded.teacher.epochs=61"])
    ]
    assert teachers == [1, 2]


def test_the_teacher_is_outside_knowledge_and_no_field_that_distill_reads():
    assert "teacher" in RDED().needs().knowledge
    assert "teacher" not in RDED().reads()
    assert isinstance(RDED().preparations(0)[0], TrainedTeacher)
