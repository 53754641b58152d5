"""The loop of the guide to training loops runs as it stands, and learns; on a card's terms too, with the same bytes."""

import re
from pathlib import Path

import torch

from ddbench import seeding
from ddbench.evaluators.networks import ConvNet
from tests.support.networks import weights
from tests.support.recorded import card

PAGE = Path(__file__).parents[2] / "docs" / "training-loops.md"


def loop():
    written = {}
    exec(re.search(r"```py\n(.+?)```", PAGE.read_text(), re.DOTALL)[1], written)
    return written["trained"]


def trained(images, epochs=3):
    with seeding.seeded("guide"):
        network = ConvNet(2, 8)((1, 8, 8), 4)
    return loop()(network, images, epochs=epochs, seed=0, device="cpu")


def test_the_loop_of_the_guide_learns(images):
    network = trained(images, 200)
    with torch.no_grad():
        right = network(images.images.float() / 255).argmax(1) == images.labels
    assert right.double().mean() > 0.9


def test_it_is_captured_and_gives_the_same_bytes(images, monkeypatch):
    with card(monkeypatch) as recordings:
        found = weights(trained(images, 6))
    assert recordings.captures == 1
    assert torch.equal(found, weights(trained(images, 6)))
