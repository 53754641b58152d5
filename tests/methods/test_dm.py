"""Distribution matching: where the pixels go under an embedder solved by hand, and the memory that it takes."""

import weakref

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from ddbench.evaluators.networks import convnet3_w32
from ddbench.methods.dm import DM
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
    """The linear embedder whose features are the pixels themselves."""

    def __call__(self, shape, num_classes):
        module = torch.nn.Module()
        module.features = lambda x: x.flatten(1)
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
    moved = means(distil(real, ipc, iterations=1, lr=way * ipc / 2, batch_real=20000).images, 2)
    target = means(real.images, 2)
    assert (start - target).abs().min() > 5
    torch.testing.assert_close(moved, start + way * (target - start), rtol=0, atol=1.0)


def test_without_a_gap_nothing_moves():
    real = constant([[70, 70, 70], [130, 130, 130]])
    made = distil(real, 2, iterations=3, lr=1.0)
    assert torch.equal(made.images, real.images[[0, 1, 3, 4]])


def random_images(classes, each):
    random = torch.Generator().manual_seed(0)
    return LabeledImages(
        images=torch.randint(0, 256, (classes * each, 1, 8, 8), generator=random, dtype=torch.uint8),
        labels=torch.arange(classes).repeat(each),
        classes=tuple(str(k) for k in range(classes)),
    )


def small_run(real):
    method = DM(iterations=2, batch_real=16, embedder="net", augmentations="flip")
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


def test_what_a_class_keeps_for_its_gradient_is_gone_before_the_next():
    assert most_kept_at_once(8) == most_kept_at_once(2) > 0
