"""The evaluator of DC, DSA and DM beside ``dc@1``: one set, the same classifiers' first weights drawn by each side.

    VICO=CLONE IMAGENETTE=FOLDER pytest tests/peers/test_vico.py -s -o addopts= -o timeout=0

CLONE: of https://github.com/VICO-UoE/DatasetCondensation at 53f63a6. ImageNette at 32 px, random images at IPC 1, a
ConvNet-3 of width 32, E = 1,000; EPOCHS and SEEDS shorten it. Eight minutes on one processor.
"""

import dataclasses
import sys
import types

import scipy.ndimage
import torch

from ddbench.evaluators.condensation import CONSTANTS, dc_1
from ddbench.evaluators.networks import ConvNet
from ddbench.types import StageContext
from tests.peers.beside import checkout, difference, nette, number

STRATEGY = "color_crop_cutout_flip_scale_rotate"


def their_code(monkeypatch):
    """Its module of training; a module of scipy that it imports has moved since."""
    moved = types.ModuleType("scipy.ndimage.interpolation")
    moved.rotate = scipy.ndimage.rotate
    monkeypatch.setitem(sys.modules, "scipy.ndimage.interpolation", moved)
    monkeypatch.syspath_prepend(str(checkout("VICO", "53f63a6")))
    import utils

    return utils


def test_one_set_has_the_accuracy_that_their_evaluator_gives_it(monkeypatch):
    peer, epochs = their_code(monkeypatch), number("EPOCHS", 1000)
    train, test = nette("train", 1, 32), nette("val", 50, 32)
    protocol = dataclasses.replace(dc_1, epochs_by_ipc=((1, epochs + 1),), evaluations=1)
    mean, sd = (torch.tensor(value).view(1, 3, 1, 1) for value in CONSTANTS["cifar10"])
    x, judged = ((data.images.float() / 255 - mean) / sd for data in (train, test))
    loader = torch.utils.data.DataLoader(peer.TensorDataset(judged, test.labels), batch_size=256)
    options = types.SimpleNamespace(
        device="cpu",
        lr_net=0.01,
        epoch_eval_train=epochs,
        batch_train=256,
        dsa=True,
        dsa_strategy=STRATEGY,
        dsa_param=peer.ParamDiffAug(),
        dc_aug_param=None,
    )
    shape = {"channel": 3, "num_classes": 10, "net_width": 32, "net_depth": 3, "im_size": (32, 32)}
    ours, theirs = [], []
    for seed in range(number("SEEDS", 3)):
        found = protocol.evaluate(train, test, ConvNet(3, 32), StageContext(seed=seed, dataset="cifar10"))
        ours.append(found.curve[-1][1])
        torch.manual_seed(seed)
        network = peer.ConvNet(**shape, net_act="relu", net_norm="instancenorm", net_pooling="avgpooling")
        torch.manual_seed(1000 + seed)
        theirs.append(float(peer.evaluate_synset(seed, network, x, train.labels, loader, options)[2]))
    _, low, high = difference(ours, theirs)
    assert low < 0 < high
