"""Gradient matching: the distance of the source, its loops, and pixels that go where the gradients say."""

import pytest
import torch
from torch import nn

from ddbench.methods.dc import DC, loops
from ddbench.methods.gradients import gradient_distance
from ddbench.types import LabeledImages, Network, StageContext


class Linear(Network):
    """One linear layer on the pixels, without bias."""

    def __call__(self, shape, num_classes):
        return nn.Sequential(nn.Flatten(), nn.Linear(shape[0] * shape[1] * shape[2], num_classes, bias=False))


def test_the_distance_is_one_minus_the_cosine_of_each_output_unit_and_leaves_biases_out():
    random = torch.Generator().manual_seed(0)
    shapes = [(4, 3, 3, 3), (4,), (5, 4)]
    a, b = ([torch.randn(s, generator=random) for s in shapes] for _ in range(2))
    expected = 0.0
    for one, other in ((a[0], b[0]), (a[2], b[2])):
        for u, v in zip(one, other, strict=True):
            expected += 1 - float(torch.nn.functional.cosine_similarity(u.flatten(), v.flatten(), dim=0))
    assert float(gradient_distance(a, b)) == pytest.approx(expected, abs=1e-4)
    assert float(gradient_distance(a, [2 * x for x in a])) == pytest.approx(0, abs=1e-4)


@pytest.mark.parametrize(
    ("ipc", "expected"), [(1, (1, 1)), (10, (10, 50)), (5, (10, 50)), (50, (50, 10)), (99, (50, 10))]
)
def test_loops_follow_the_images_per_class_as_in_the_source(ipc, expected):
    assert loops(ipc) == expected


def real(n=8, classes=("a", "b")):
    labels = torch.arange(len(classes)).repeat_interleave(n)
    noise = torch.randint(-20, 20, (len(labels), 1, 4, 4), generator=torch.Generator().manual_seed(0))
    pattern = torch.stack([torch.eye(4), torch.eye(4).flip(1)])[labels][:, None] * 100
    return LabeledImages((60 + pattern + noise).to(torch.uint8), labels, classes)


def distilled(**options):
    method = DC(network="linear", start="noise", batch_real=8, **options)
    return method.distill(real(), None, 1, StageContext(seed=0, networks={"linear": Linear()}))


def test_from_noise_images_come_to_look_like_their_class():
    """Under a linear network the gradient of a class's weights is its mean image, so that noise turns into that."""

    def likeness(images, label):
        mean = real().of_class(label).float().mean(0).flatten()
        return torch.corrcoef(torch.stack([images[label].float().flatten(), mean]))[0, 1]

    before, after = (distilled(iterations=n, lr=2.0).images for n in (1, 60))
    for label in (0, 1):
        assert likeness(after, label) > 0.8
        assert likeness(after, label) > likeness(before, label) + 0.2


def test_the_network_is_trained_between_the_steps_of_the_pixels():
    """Of one linear layer the direction of a gradient does not depend on the weights; of two it does."""

    class Two(Network):
        def __call__(self, shape, num_classes):
            return nn.Sequential(nn.Flatten(), nn.Linear(16, 8), nn.ReLU(), nn.Linear(8, num_classes))

    def images(inner, outer=2):
        method = DC(network="two", iterations=1, outer=outer, inner=inner, lr=3.0, network_lr=0.5, batch_real=8)
        return method.distill(real(), None, 1, StageContext(seed=0, networks={"two": Two()})).images

    assert not torch.equal(images(1), images(20))
    assert torch.equal(images(1, outer=1), images(20, outer=1))  # after the last step it is not trained


def test_batch_norm_is_fixed_by_real_images_so_that_one_image_a_class_will_do():
    """Batch norm that is trained refuses a batch of one image."""

    class Normed(Network):
        def __call__(self, shape, num_classes):
            return nn.Sequential(
                nn.Flatten(), nn.Linear(16, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, num_classes)
            )

    method = DC(network="normed", iterations=2, outer=2, inner=1, batch_real=8)
    found = method.distill(real(), None, 1, StageContext(seed=0, networks={"normed": Normed()}))
    assert len(found) == 2


def test_real_images_may_be_the_start():
    method = DC(network="linear", start="real", iterations=1, lr=1e-9, batch_real=8)
    found = method.distill(real(), None, 2, StageContext(seed=0, networks={"linear": Linear()}))
    everything = {image.numpy().tobytes() for image in real().images}
    assert all(image.numpy().tobytes() in everything for image in found.images)


def test_a_loss_that_is_not_finite_names_the_iteration():
    class Broken(Linear):
        def __call__(self, shape, num_classes):
            net = super().__call__(shape, num_classes)
            nn.init.constant_(net[1].weight, float("nan"))
            return net

    with pytest.raises(FloatingPointError, match=r"dc's pixels became nan at iteration 1 of 2: lower dc.lr"):
        DC(network="x", iterations=2, batch_real=4).distill(
            real(), None, 1, StageContext(seed=0, networks={"x": Broken()})
        )
