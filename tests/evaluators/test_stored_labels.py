"""Training on stored soft labels: the stored views, with the outputs that were stored for them."""

import dataclasses
import math

import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from torchvision.transforms import InterpolationMode
from torchvision.transforms import functional as tv

from ddbench.data.external.stored import read_stored
from ddbench.evaluators.classifier import learning_rate, train_and_judge
from ddbench.evaluators.losses import Distillation, StoredDistillation, Target
from ddbench.evaluators.networks import ConvNet
from ddbench.evaluators.protocols import small_64_1
from ddbench.evaluators.recipe import Augmentation
from ddbench.evaluators.relabel import store_labels
from ddbench.evaluators.stored import fkd_1, views
from ddbench.evaluators.views import make_view
from ddbench.learning.teacher import Taught
from ddbench.types import LabeledImages, StageContext
from tests.data.test_stored_labels import published

SIDE, EPOCHS = 16, 4
SMALL = dataclasses.replace(
    fkd_1, epochs_by_ipc=((1, EPOCHS),), batch=4, side=SIDE, test_resize=SIDE, evaluate_every=2, temperature=3.0
)
NAMES = ("light", "dark", "grey")
"""not in the order of the alphabet, in which the outputs of a teacher stand"""


def images(n=3, seed=0, side=SIDE):
    random = torch.Generator().manual_seed(seed)
    labels = torch.arange(len(NAMES)).repeat_interleave(n)
    levels = torch.tensor([180, 60, 120])[labels].view(-1, 1, 1, 1)
    noise = torch.randint(-40, 40, (len(labels), 3, side, side), generator=random)
    return LabeledImages((levels + noise).to(torch.uint8), labels, NAMES)


def teacher():
    torch.manual_seed(1)
    network = ConvNet(depth=2, width=8)((3, SIDE, SIDE), len(NAMES)).eval().requires_grad_(False)
    return Taught(network, tuple(sorted(NAMES)), 3, None)


class Kept:
    """A network whose module can be looked at after it was trained."""

    def __call__(self, shape, num_classes):
        self.module = ConvNet(depth=2, width=8)(shape, num_classes)
        return self.module

    def weights(self):
        return torch.cat([p.detach().flatten() for p in self.module.parameters()])


def with_labels(folder, protocol=SMALL, half=True):
    data = images()
    store_labels(protocol, data, teacher(), folder, seed=5, half=half)
    return dataclasses.replace(data, stored=read_stored(folder, len(data), len(NAMES)))


def trained(data, protocol=SMALL, seed=0, log=None):
    network = Kept()
    context = StageContext(seed=seed, log=(log if log is not None else {}).update)
    found = protocol.evaluate(data, images(seed=1), network, context)
    return found, network.weights()


def live(data, protocol=SMALL):
    """The same training with the teacher asked at every step."""
    network = Kept()
    loss = Distillation(teacher(), protocol.temperature)
    found = train_and_judge(
        protocol,
        data,
        images(seed=1),
        network,
        StageContext(seed=0),
        loss,
        lambda epoch: views(data.stored, epoch, SIDE),
    )
    return found, network.weights()


@pytest.mark.parametrize("cut", [True, False])
def test_stored_in_float32_it_is_training_with_the_teacher_live_bit_for_bit(tmp_path, cut):
    protocol = dataclasses.replace(SMALL, cutmix=cut)
    data = with_labels(tmp_path / "labels", protocol, half=False)
    (stored, ours), (asked, theirs) = trained(data, protocol), live(data, protocol)
    assert stored == asked
    assert torch.equal(ours, theirs)


def test_stored_in_half_precision_it_is_the_same_within_that_precision(tmp_path):
    data = with_labels(tmp_path / "labels")
    ours, theirs = trained(data)[1], live(data)[1]
    assert not torch.equal(ours, theirs)
    torch.testing.assert_close(ours, theirs, rtol=0, atol=2e-3)


def test_other_stored_outputs_teach_something_else_and_the_seed_changes_the_start_alone(tmp_path):
    data = with_labels(tmp_path / "a")
    other = dataclasses.replace(data, stored=read_stored(published(tmp_path / "b", 9, 3, EPOCHS, 4), 9, 3))
    assert not torch.equal(trained(data)[1], trained(other)[1])
    assert not torch.equal(trained(data)[1], trained(data, seed=1)[1])


def test_bytes_of_the_outputs_are_logged(tmp_path):
    logged = {}
    trained(with_labels(tmp_path / "labels"), log=logged)
    assert logged["soft_label_bytes"] == EPOCHS * 9 * 3 * 2


def test_a_stored_view_is_what_torchvision_makes_of_the_image(tmp_path):
    data = images(side=SIDE)
    stored = read_stored(published(tmp_path / "labels", len(data), 3, 2, 4, SIDE), len(data), 3)
    order = torch.tensor([NAMES.index(name) for name in sorted(NAMES)])
    by_name = torch.cat([data.images[data.labels == label] for label in order])
    plain = dataclasses.replace(SMALL, mean=(0.0,) * 3, sd=(1.0,) * 3)
    view = make_view(plain, by_name, "cpu")
    for batch, drawn in zip(stored.epoch(1), views(stored, 1, SIDE), strict=True):
        found = view.changed(drawn["index"], drawn)
        for n, place in enumerate(batch.index.tolist()):
            top, left, height, width = (batch.crops[n] * SIDE).tolist()
            picture = Image.fromarray(by_name[place].permute(1, 2, 0).numpy())
            bilinear = InterpolationMode.BILINEAR
            wanted = tv.resized_crop(picture, top, left, height, width, [SIDE, SIDE], bilinear)
            wanted = tv.hflip(wanted) if batch.flips[n] else wanted
            # Pillow rounds to whole levels, after rows and again after columns.
            assert (found[n] - tv.to_tensor(wanted)).abs().max() <= 1.01 / 255


def test_the_loss_is_the_divergence_from_the_stored_outputs():
    random = torch.Generator().manual_seed(0)
    logits, outputs = torch.randn(5, 3, generator=random), torch.randn(5, 3, generator=random).half()
    found = StoredDistillation(20.0)(logits, logits, Target(torch.zeros(5).long(), outputs=outputs))
    p, q = (outputs.double() / 20).softmax(1), (logits.double() / 20).log_softmax(1)
    assert found.item() == pytest.approx(F.kl_div(q, p, reduction="batchmean").item(), rel=1e-4)


def test_the_rate_falls_along_half_a_cosine_after_each_epoch():
    rates = [learning_rate(fkd_1, step, 2, 300) for step in range(600)]
    assert rates == [pytest.approx(1e-3 * 0.5 * (1 + math.cos(math.pi * (s // 2) / 300))) for s in range(600)]


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"epochs_by_ipc": ((1, 9),)}, "trains for 9 epochs, and labels of 4 are stored"),
        ({"batch": 8}, "on batches of 8, and labels are stored in batches of 4"),
        ({"cutmix": False}, "stored views are mixed by CutMix"),
        ({"side": 8, "test_resize": 8}, "end at 16 px"),
    ],
)
def test_labels_that_do_not_fit_the_protocol_are_refused_with_what_to_type(tmp_path, fields, said):
    data = with_labels(tmp_path / "labels")
    assert SMALL.unfit(data.stored, 3) == ""
    wrong = dataclasses.replace(SMALL, **fields)
    assert said in wrong.unfit(data.stored, 3)
    assert "add [" in wrong.unfit(data.stored, 3)
    with pytest.raises(ValueError, match="this protocol"):
        trained(data, wrong)


def test_labels_made_at_a_smaller_side_are_told_by_their_boxes(tmp_path):
    many = dataclasses.replace(SMALL, epochs_by_ipc=((1, 8),))
    data = with_labels(tmp_path / "labels", many)
    assert "add [side=16,test_resize=16]" in dataclasses.replace(many, side=64, test_resize=64).unfit(data.stored, 3)


def test_a_set_without_stored_labels_is_refused():
    with pytest.raises(ValueError, match=r"bench evaluate SETS --labels FOLDER"):
        trained(images())


@pytest.mark.parametrize("changes", [{"shift": 0.1}, {"augmentation": Augmentation(brightness=0.4)}, {"side": 0}])
def test_views_that_cannot_be_stored_are_not(tmp_path, changes):
    protocol = dataclasses.replace(SMALL, **{"test_resize": 0, **changes})
    with pytest.raises(ValueError, match="stored"):
        store_labels(protocol, images(), teacher(), tmp_path, seed=0)


def test_other_protocols_do_not_see_stored_labels(tmp_path):
    data = with_labels(tmp_path / "labels")
    hard = dataclasses.replace(small_64_1, epochs_by_ipc=((1, 2),), side=SIDE, evaluations=1)
    assert trained(data, hard)[0] == trained(dataclasses.replace(data, stored=None), hard)[0]
