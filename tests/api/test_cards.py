"""The cards of built-in parts: where their options are in records, what is open at the papers' size and on digits."""

import dataclasses
import json
from pathlib import Path

import pytest

from ddbench.api.cards import KINDS, config_of, page
from ddbench.config.schema import load_config
from ddbench.config.study import resolve
from ddbench.methods.diffusion.method import Diffusion
from ddbench.methods.diffusion.priors.pretrained import PretrainedDiT
from ddbench.methods.diffusion.priors.prior import KLAutoencoder
from ddbench.plugins.cards import MISSING, load_card, value_at
from ddbench.plugins.registry import DISTRIBUTION, entries, load

ROOT = Path(__file__).parents[2]
PAPERS = PretrainedDiT(
    encoder=KLAutoencoder("stabilityai/sd-vae-ft-ema"), decoder=KLAutoencoder("stabilityai/sd-vae-ft-mse")
)
"""the prior of configs/paper.yaml"""

BUILT_IN = [one for kind in KINDS for one in entries(kind).values() if one.origin.startswith(DISTRIBUTION)]


def config_at_papers_size(entry):
    """As JSON, which is how records are stored."""
    value = load(entry.kind, entry.name)
    if isinstance(value, type):  # timm, which has no network of its own name
        return {}
    if isinstance(value, Diffusion):
        value = dataclasses.replace(value, prior=PAPERS)
    return json.loads(json.dumps(config_of(value)))


@pytest.mark.parametrize("entry", BUILT_IN, ids=lambda one: f"{one.kind} {one.name}")
def test_the_options_of_a_card_are_places_of_a_record(entry):
    config = config_at_papers_size(entry)
    for item in load_card(entry).items:
        if item.option:
            found = value_at(config, item.option)
            assert found is not MISSING, item.option
            assert isinstance(found, type(item.value)), f"{item.option}: {found!r} and {item.value!r}"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("random", []),
        ("dit", []),
        ("dit_ft", []),
        ("rsm", []),
        ("cgs", []),
        ("rsm_cgs", []),
        ("mgd3", []),
        ("minimax", []),
        ("igd", ["null row in the gradient", "real images drawn", "surrogate's normalisation"]),
        ("dm", ["stored images", "normalising constants"]),
        ("d4m_style", ["prior", "prompt", "clustering", "labels", "k-means' seed", "guidance scale"]),
    ],
)
def test_at_the_papers_size_only_what_is_done_otherwise_is_open(name, expected):
    entry = entries("method")[name]
    assert load_card(entry).open_in(config_at_papers_size(entry)) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("random", set()),
        ("rsm_cgs", {"prior"}),
        ("minimax", {"prior", "fine-tuning steps", "learning rate", "tuned weights"}),
        ("mgd3", {"pull's scale", "guided steps"}),
        ("igd", {"deviation factor", "surrogate's network", "null row in the gradient"}),
        ("d4m_style", {"prior", "strength"}),
        ("dm", {"iterations", "augmentation"}),
    ],
)
def test_on_digits_what_is_scaled_is_open(name, expected):
    study = resolve(load_config("digits", {}, []))
    found = load_card(entries("method")[name]).open_in(config_of(study.methods["digits", name]))
    assert expected <= set(found)
    assert bool(expected) == bool(found)
    assert "influence step" not in found and "average's warm-up" not in found


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("minimax-sgd@1", ["test images", "epochs at 100 classes", "reported epoch", "train images' resize"]),
        ("minimax-sgd@2", ["reported epoch", "train images' resize"]),
        ("igd-adamw@2", ["reported epoch", "train images' resize"]),
        ("rded-1k@1", ["test images", "second forward pass", "batch at IPC 1", "reported epoch"]),
        ("rded-1k@2", ["batch at IPC 1", "reported epoch"]),
        ("cpu-small@1", []),
    ],
)
def test_a_later_version_of_a_protocol_closes_what_the_earlier_had_open(name, expected):
    entry = entries("protocol")[name]
    assert load_card(entry).open_in(config_at_papers_size(entry)) == expected


def test_torchs_start_is_open_for_resnet18():
    card = load_card(entries("arch")["resnet18"])
    assert card.open_in(config_of(load("arch", "resnet18"))) == []
    assert card.open_in(config_of(dataclasses.replace(load("arch", "resnet18"), init="torch"))) == ["initial weights"]


def test_the_page_is_that_of_the_cards():
    text = (ROOT / "docs" / "fidelity.md").read_text(encoding="utf-8")
    assert text == page(), "python -m ddbench.api.cards > docs/fidelity.md"
    assert all(f"### `{one.name}`\n" in text for one in BUILT_IN)
