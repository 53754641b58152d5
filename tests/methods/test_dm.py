"""Distribution matching: where the pixels go under an embedder solved by hand, and the memory that it takes."""

import weakref

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from ddbench import seeding, steps
from ddbench.evaluators.networks import convnet3_w32
from ddbench.learning import dsa
from ddbench.methods.dm import DM
from ddbench.methods.embedder import Scaling
from ddbench.methods.matching import Passes
from ddbench.types import LabeledImages, Network, StageContext


class LargestTensor(TorchDispatchMode):
    """Notes the size, in elements, of the largest tensor that is made meanwhile; views are not made."""

    size = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        made = func(*args, **(kwargs or {}))
        if isinstance(made, torch.Tensor) and not made._is_view():
            self.size = max(self.size, made.numel())
        return made


class Pixels(Network):
    """The linear embedder whose features are the pixels themselves; keeps the batches that it is given: one that shows
    whether it draws, then real and synthetic ones in turns."""

    def __init__(self):
        self.seen = []

    def __call__(self, shape, num_classes):
        module = torch.nn.Module()
        module.features = lambda x: (self.seen.append(x.detach().clone()), x.flatten(1))[1]
        return module


def constant(levels):
    """8x8 images without structure (a mirrored one is itself), ``levels`` (classes, n) grey."""
    levels = torch.tensor(levels, dtype=torch.uint8)
    return LabeledImages(
        images=levels.flatten()[:, None, None, None].expand(-1, 1, 8, 8).clone(),
        labels=torch.arange(len(levels)).repeat_interleave(levels.shape[1]),
        classes=tuple("abcdefgh"[: len(levels)]),
    )


def distil(real, ipc, **options):
    method = DM(embedder="pixels", augmentations="flip", momentum=0.0, **options)
    return method.distill(real, None, ipc, StageContext(seed=0, networks={"pixels": Pixels()}))


def means(images, classes):
    return images.float().unflatten(0, (classes, -1)).mean((1, 2, 3, 4))


@pytest.mark.parametrize("ipc", [1, 2])
@pytest.mark.parametrize("way", [0.5, 1.0])
def test_one_step_on_a_linear_embedder_goes_the_way_to_the_class_mean_that_the_gradient_says(ipc, way):
    """loss = |mean of ipc images - target|^2 has the gradient 2 / ipc * gap in each image: the mean moves by
    2 * lr / ipc of the gap."""
    real = constant([[40, 50, 60, 130], [120, 130, 140, 210]])
    start = means(distil(real, ipc, iterations=1, lr=1e-9).images, 2)
    moved = means(distil(real, ipc, iterations=1, lr=way * ipc / 2).images, 2)
    target = means(real.images, 2)
    assert (start - target).abs().min() > 5
    torch.testing.assert_close(moved, start + way * (target - start), rtol=0, atol=1.0)


def test_without_a_gap_nothing_moves():
    real = constant([[70, 70, 70], [130, 130, 130]])
    made = distil(real, 2, iterations=3, lr=1.0)
    assert torch.equal(made.images, real.images[[0, 1, 3, 4]])


@pytest.mark.parametrize("given", [{}, {"mean": (90.0, 100.0, 110.0), "sd": (40.0, 10.0, 70.0)}])
def test_steps_in_grey_levels_are_those_of_pixels_normalised_by_the_dataset(given, monkeypatch):
    """By hand on levels g, with x = (g - mean) / sd and SGD on x with momentum 0.5: v <- 0.5 v + dL/dg, and g moves by
    -lr * sd^2 * v. Nothing is augmented, a batch is the whole class. VICO's main_DM gives the same steps."""
    monkeypatch.setitem(dsa.OPERATIONS, "flip", lambda x, u: x)
    random, lr, iterations = torch.Generator().manual_seed(1), 40.0, 3
    images = torch.randint(60, 200, (8, 3, 8, 8), generator=random)
    images[:, 1] = images[:, 1] // 4 + 90  # a channel of another spread
    real = LabeledImages(images.to(torch.uint8), torch.arange(2).repeat_interleave(4), ("a", "b"))
    context = StageContext(seed=0, networks={"net": convnet3_w32})

    def distilled(lr):
        method = DM(iterations=iterations, lr=lr, embedder="net", augmentations="flip", **given)
        return method.distill(real, None, 2, context).images.double()

    g = real.images.double()
    mean = torch.tensor(given.get("mean") or g.mean((0, 2, 3)).tolist(), dtype=torch.float64).view(1, 3, 1, 1)
    spread = g.var((0, 2, 3), correction=0).sqrt().tolist()
    sd = torch.tensor(given.get("sd") or spread, dtype=torch.float64).view(1, 3, 1, 1)
    start = distilled(1e-9)
    level, velocity = start.clone().requires_grad_(True), 0.0
    for step in range(iterations):
        with seeding.seeded("dm-embedder", 0, step):
            net = convnet3_w32((3, 8, 8), 2).double()
        loss = sum(
            (
                net.features((level[2 * k : 2 * k + 2] - mean) / sd).mean(0)
                - net.features((g[4 * k : 4 * k + 4] - mean) / sd).mean(0)
            )
            .square()
            .sum()
            for k in range(2)
        )
        velocity = 0.5 * velocity + torch.autograd.grad(loss, level)[0]
        level = (level - lr * sd**2 * velocity).detach().requires_grad_(True)
    expected = level.detach().clamp(0, 255)
    assert (expected - start).square().mean().sqrt() > 3
    torch.testing.assert_close(distilled(lr), expected, rtol=0, atol=0.6)  # rounded to whole levels


def test_real_images_of_a_batch_are_drawn_without_replacement():
    levels = [[10 * i + k for i in range(20)] for k in (0, 3)]
    for batch_real, size in ((7, 7), (20, 20), (256, 20)):
        pixels = Pixels()
        method = DM(iterations=4, batch_real=batch_real, embedder="pixels", augmentations="flip", at_once=1)
        method.distill(constant(levels), None, 1, StageContext(seed=0, networks={"pixels": pixels}))
        drawn = [batch[:, 0, 0, 0].tolist() for batch in pixels.seen[1::2]]
        assert [len(set(batch)) for batch in drawn] == [size] * 8
        assert len({tuple(batch) for batch in drawn[::2]}) == 4  # a fresh draw at each iteration


@pytest.mark.parametrize("operation", ["cutout", "crop"])
def test_what_an_augmentation_leaves_empty_has_the_mean_colour(operation):
    """Zero of normalised pixels: the mean of the train images, and no level that an image has."""
    real, pixels = constant([[20, 40, 60], [200, 220, 240]]), Pixels()
    method = DM(iterations=8, embedder="pixels", augmentations=operation, at_once=1)
    method.distill(real, None, 1, StageContext(seed=0, networks={"pixels": pixels}))
    real_levels = {20, 40, 60, 200, 220, 240}
    scaling = Scaling.of(real.images, min_side=1)
    found = {level for batch in pixels.seen[1::2] for level in scaling.levels(batch).unique().tolist()}
    assert found - real_levels == {130}


def test_levels_are_the_way_back_from_normalised_pixels():
    images = torch.arange(256, dtype=torch.uint8).view(1, 1, 16, 16).repeat(2, 3, 1, 1)
    scaling = Scaling(mean=(120.7, 3.0, 250.1), sd=(61.3, 1.0, 7.7), min_side=1)
    assert torch.equal(scaling.levels(scaling(images, "cpu")), images)
    assert scaling.levels(torch.tensor([-9.0, 9.0]).view(2, 1, 1, 1).repeat(1, 3, 1, 1)).flatten(1).tolist() == [
        [0, 0, 181],
        [255, 12, 255],
    ]


def test_moments_for_another_number_of_channels_are_refused():
    with pytest.raises(ValueError, match=r"dm\.sd has 3 values, the images have 1 channels"):
        distil(constant([[10, 20]]), 1, iterations=1, sd=(1.0, 2.0, 3.0))


def random_images(classes, each):
    random = torch.Generator().manual_seed(0)
    return LabeledImages(
        images=torch.randint(0, 256, (classes * each, 1, 8, 8), generator=random, dtype=torch.uint8),
        labels=torch.arange(classes).repeat(each),
        classes=tuple(str(k) for k in range(classes)),
    )


def small_run(real):
    method = DM(iterations=2, batch_real=16, embedder="net", augmentations="flip", at_once=4)
    return method.distill(real, None, 2, StageContext(seed=0, networks={"net": convnet3_w32}))


def test_no_tensor_grows_with_the_dataset():
    sizes = []
    for each in (20, 1000):
        real = random_images(3, each)
        with LargestTensor() as largest:
            small_run(real)
        sizes.append(largest.size)
    assert sizes[0] == sizes[1] < 3000 * 64


def most_kept_at_once(classes):
    """The most tensors that autograd keeps at a time, for a set of so many classes."""
    alive, most = weakref.WeakSet(), 0

    class Kept:
        def __init__(self, tensor):
            nonlocal most
            self.tensor = tensor
            alive.add(self)
            most = max(most, len(alive))

    with torch.autograd.graph.saved_tensors_hooks(Kept, lambda kept: kept.tensor):
        small_run(random_images(classes, 20))
    return most


def test_what_a_pass_keeps_for_its_gradient_is_gone_before_the_next():
    assert most_kept_at_once(8) == most_kept_at_once(2) > 0


class Counted(Network):
    """ConvNet-3 that notes how many images it is given, with gradient or without; ``draws``: with dropout."""

    def __init__(self, draws=False):
        self.draws, self.sizes = draws, []

    def __call__(self, shape, num_classes):
        module = convnet3_w32(shape, num_classes)
        features = module.features

        def counted(x):
            self.sizes.append((len(x), x.requires_grad))
            return torch.nn.functional.dropout(features(x)) if self.draws else features(x)

        module.features = counted
        return module


def counted(at_once, draws=False, ipc=2):
    network = Counted(draws)
    method = DM(iterations=1, batch_real=16, embedder="net", augmentations="flip", at_once=at_once)
    method.distill(random_images(5, 20), None, ipc, StageContext(seed=0, networks={"net": network}))
    return network.sizes[1:]  # the first shows whether the network draws


def test_classes_pass_together_as_far_as_they_fit():
    assert counted(256) == [(80, False), (10, True)]
    assert counted(40) == [(32, False), (32, False), (16, False), (10, True)]
    assert counted(8) == [(16, False)] * 4 + [(8, True), (16, False), (2, True)]
    assert counted(1) == [(16, False), (2, True)] * 5


def test_classes_of_a_network_that_draws_pass_alone():
    assert counted(256, draws=True) == [(16, False), (2, True)] * 5


def test_how_many_pass_together_changes_little_in_few_iterations():
    """The rounding of a convolution over batches of other sizes."""
    real, context = random_images(5, 20), StageContext(seed=0, networks={"net": convnet3_w32})
    made = [
        DM(iterations=5, batch_real=16, lr=30.0, embedder="net", augmentations="color_crop", at_once=n).distill(
            real, None, 2, context
        )
        for n in (1, 7, 40, 256)
    ]
    for other in made[1:]:
        assert (made[0].images.int() - other.images.int()).abs().max() <= 1


def embedded(real, iterations=3, **options):
    method = DM(iterations=iterations, batch_real=16, lr=30.0, embedder="net", augmentations="color_crop", **options)
    return method.distill(real, None, 2, StageContext(seed=0, networks={"net": convnet3_w32})).images


class Noting(Network):
    """ConvNet-3 that notes the types of its weights, its input and its features at each pass."""

    def __init__(self):
        self.kinds = []

    def __call__(self, shape, num_classes):
        module = convnet3_w32(shape, num_classes)
        features = module.features

        def noted(x):
            found = features(x)
            self.kinds.append((x.dtype, next(module.parameters()).dtype, found.dtype))
            return found

        module.features = noted
        return module


def test_bf16_is_that_of_weights_images_and_features_and_pixels_are_moved_alike_each_time():
    network, real = Noting(), random_images(3, 20)
    method = DM(iterations=2, batch_real=16, embedder="net", augmentations="flip", precision="bf16")
    method.distill(real, None, 2, StageContext(seed=0, networks={"net": network}))
    assert network.kinds[0] == (torch.float32,) * 3  # shows whether it draws
    assert set(network.kinds[1:]) == {(torch.bfloat16,) * 3}
    rounded = embedded(real, precision="bf16")
    assert not torch.equal(rounded, embedded(real))
    assert torch.equal(rounded, embedded(real, precision="bf16"))


def test_distances_and_their_gradient_in_bf16_are_those_of_float32_up_to_roundings():
    """Targets are means of other images, so that distances are no difference of nearly equal numbers. A rounding to
    bfloat16 is off by at most 2^-9 of a number; 16 of these are allowed for three layers. The way back has as many
    again, and rectifiers near zero that let through what they did not: a tenth is allowed."""

    def found(precision):
        with torch.random.fork_rng():
            torch.manual_seed(0)
            network = convnet3_w32((1, 8, 8), 2).requires_grad_(False)
        passes = Passes(steps.mode("cpu"), precision)
        passes.use(network)
        random = torch.Generator().manual_seed(1)
        images, others = torch.randn(2, 6, 1, 8, 8, generator=random)
        images.requires_grad_(True)
        distances = passes.backward(images, [4, 2], passes.means(others.abs(), [4, 2]))
        assert distances.dtype == images.grad.dtype == torch.float32
        return distances, images.grad

    for exact, rounded, share in zip(found("fp32"), found("bf16"), (16 * 2**-9, 0.1), strict=True):
        assert 0 < (rounded - exact).norm() < share * exact.norm()


def test_tf32_is_float32_on_a_processor():
    real = random_images(3, 20)
    assert torch.equal(embedded(real, precision="tf32"), embedded(real, precision="fp32"))


def test_compiled_passes_are_of_one_network_that_takes_the_weights_of_each_iteration(monkeypatch):
    made = []
    monkeypatch.setattr(torch, "compile", lambda call, **options: (made.append(options), call)[1])
    real = random_images(3, 20)
    plain = embedded(real)
    assert not made
    assert torch.equal(embedded(real, compile="blocks"), plain)
    assert len(made) == 1
