"""Embedders, surrogates and DM with networks that draw while they are trained, and last batches of one image."""

import dataclasses

import pytest
import torch

from ddbench.methods.diffusion.guidances.igd_surrogate import TrainedSurrogate
from ddbench.methods.dm import DM
from ddbench.methods.embedder import TrainedEmbedder
from ddbench.types import LabeledImages, StageContext
from tests.support.networks import RandomNetwork, weights

EMBEDDER = TrainedEmbedder(network="net", epochs=2, batch=8)
SURROGATE = TrainedSurrogate(network="net", epochs=2, batch=8, checkpoints=(2,))


def context(network=None):
    return StageContext(seed=0, networks={"net": network or RandomNetwork()})


def some(images, n):
    return LabeledImages(images.images[:n], images.labels[:n], images.classes)


def embedded(images, before):
    torch.manual_seed(before)
    return weights(EMBEDDER.run(images, None, context()).network)


def guiding(images, before):
    torch.manual_seed(before)
    return weights(SURROGATE.run(images, None, context()).embedder.network)


def distilled(images, before, ipc=2):
    torch.manual_seed(before)
    method = DM(iterations=3, batch_real=4, lr=30.0, embedder="net", augmentations="color_crop")
    return method.distill(images, None, ipc, context()).images


@pytest.mark.parametrize("made", [embedded, guiding, distilled])
def test_dropout_does_not_follow_what_was_drawn_before(images, made):
    assert torch.equal(made(images, 1), made(images, 2))


@pytest.mark.parametrize("training", [EMBEDDER, SURROGATE])
def test_a_last_batch_of_one_joins_the_one_before_it(images, training):
    network = RandomNetwork()
    training.run(some(images, 33), None, context(network))
    assert network.sizes == [8, 8, 8, 9] * 2


def test_one_image_a_class_is_distilled_through_batch_norm_with_the_other_classes(images):
    """A batch of one image a channel has no variance; of the classes together it has, in whatever order they come."""
    made = distilled(images, 1, ipc=1)
    turned = LabeledImages(images.images, 3 - images.labels, images.classes[::-1])
    assert torch.equal(made, distilled(images, 2, ipc=1))
    assert torch.equal(made, distilled(turned, 1, ipc=1).flip(0))


@pytest.mark.parametrize(
    ("training", "of"), [(dataclasses.replace(EMBEDDER, lr=1e38), "embedder"), (SURROGATE, "surrogate")]
)
def test_a_loss_that_is_not_finite_names_the_step(images, training, of):
    class Broken(RandomNetwork):
        def __call__(self, shape, num_classes):
            module = super().__call__(shape, num_classes)
            module.register_forward_hook(lambda module, x, y: y / 0 if len(self.sizes) > 3 else y)
            return module

    with pytest.raises(FloatingPointError, match=rf"loss of the {of} became (nan|inf) at step [24] of 10: lower {of}"):
        training.run(images, None, context(Broken()))


def test_dm_names_the_iteration_or_the_class_that_diverged(images):
    class Linear(RandomNetwork):
        def __call__(self, shape, num_classes):
            module = torch.nn.Module()
            module.features = lambda x: x.flatten(1) ** 2
            return module

    method = DM(iterations=5, batch_real=4, lr=1e30, embedder="net", augmentations="color_crop")
    with pytest.raises(FloatingPointError, match=r"loss of dm's pixels became (nan|inf) at iteration [23] of 5: lower"):
        method.distill(images, None, 2, context(Linear()))
    once = dataclasses.replace(method, iterations=1)
    with pytest.raises(FloatingPointError, match=r"images of class '[a-d]' are not finite grey levels"):
        once.distill(images, None, 2, context(Linear()))
