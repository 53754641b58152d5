"""RDED's validation beside ``rded@1``: one set, one teacher of ours, the first weights drawn by each side.

    RDED=CLONE IMAGENETTE=FOLDER pytest tests/peers/test_rded.py -s -o addopts= -o timeout=0

CLONE: of https://github.com/LINs-lab/RDED at 3f6453d. ImageNette at 64 px, random images at IPC 1, a ConvNet-4 with
batch norm and of width 32 as student and teacher, 300 epochs; EPOCHS and SEEDS shorten it. Half an hour on one
processor. Its code moves everything to a card: ``cuda`` is replaced from outside.
"""

import contextlib
import dataclasses
import io
import sys

import numpy as np
import torch
from PIL import Image

from ddbench.evaluators.rded import rded_1
from ddbench.evaluators.students import BatchNormConvNet
from ddbench.learning.teacher import TrainedTeacher
from ddbench.types import ImageView, LabeledImages, StageContext
from tests.peers.beside import checkout, difference, nette, number

NETWORK = BatchNormConvNet(4, 32)
SIDE, SHORTER = 64, 72
"""pixels of the students' images; those of the shorter side from which the judged images are cut"""


def write(data, folder):
    """A folder for each class, numbered, as its loader expects."""
    for number_, (x, label) in enumerate(zip(data.images, data.labels.tolist(), strict=True)):
        place = folder / f"{label:05d}"
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(x.permute(1, 2, 0).numpy()).save(place / f"{number_:05d}.png")


def cut(data):
    """Resized to ``SHORTER`` px and cut to the central ``SIDE``, as both sides judge."""
    edge = (SHORTER - SIDE) // 2
    large = [
        Image.fromarray(x.permute(1, 2, 0).numpy()).resize((SHORTER, SHORTER), Image.BILINEAR) for x in data.images
    ]
    images = torch.stack([torch.tensor(np.asarray(one)).permute(2, 0, 1) for one in large])
    inner = images[:, :, edge : edge + SIDE, edge : edge + SIDE].contiguous()
    return LabeledImages(inner, data.labels, data.classes)


def their_code(monkeypatch, folder, epochs):
    """(its module of validation, its options) for the images below ``folder``."""
    monkeypatch.syspath_prepend(str(checkout("RDED", "3f6453d")))
    monkeypatch.chdir(folder)
    given = (
        f"main.py --subset imagenet-nette --arch-name conv4 --stud-name conv4 --ipc 1 --factor 1 --re-epochs {epochs}"
    )
    monkeypatch.setattr(sys, "argv", given.split())
    for moved in (torch.Tensor, torch.nn.Module):
        monkeypatch.setattr(moved, "cuda", lambda self, *_, **__: self)
    import validation.main as peer
    from argument import args

    args.input_size, args.val_ipc, args.workers = SIDE, 50, 0
    args.syn_data_path, args.val_dir = str(folder / "syn"), str(folder / "val")
    return peer, args


def test_one_set_has_the_accuracy_that_their_validation_gives_it(monkeypatch, tmp_path):
    epochs = number("EPOCHS", 300)
    peer, options = their_code(monkeypatch, tmp_path, epochs)
    train, pool, test = nette("train", 1, SIDE, 1), nette("train", 40, SIDE, 2), nette("val", 50, SIDE)
    write(train, tmp_path / "syn")
    write(test, tmp_path / "val")
    recipe = TrainedTeacher(network="n", epochs=4, sides=(SIDE,))
    taught = recipe.run(pool, None, StageContext(seed=0, networks={"n": NETWORK}))
    protocol = dataclasses.replace(rded_1, epochs_by_ipc=((1, epochs),))
    validate, curve = peer.validate, {}

    def watched(model, args, epoch=None):
        curve[epoch] = float(validate(model, args, epoch)) / 100
        return 100 * curve[epoch]

    monkeypatch.setattr(peer, "validate", watched)
    ours, theirs = [], []
    for seed in range(number("SEEDS", 3)):
        context = StageContext(seed=seed, state=taught, judged_view=ImageView(SHORTER, SIDE))
        ours.append(protocol.evaluate(train, cut(test), NETWORK, context).curve[-1][1])

        def load(model_name, dataset, pretrained, classes, seed=seed):
            if pretrained:
                return taught.network
            torch.manual_seed(seed)
            return NETWORK((3, SIDE, SIDE), 10)

        monkeypatch.setattr(peer, "load_model", load)
        options.seed = 500 + seed
        np.random.seed(seed)
        curve.clear()
        with contextlib.redirect_stdout(io.StringIO()):
            peer.main(options)
        theirs.append(curve[max(curve)])
    _, low, high = difference(ours, theirs)
    assert low < 0 < high
