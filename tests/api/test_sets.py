"""What is known of distilled sets from their store: images and memory, without reading the images."""

import json

import pytest
import torch

from ddbench.api.sets import bytes_of_set, facts_of_sets
from ddbench.api.stores import Stores
from ddbench.results.cost import SetFacts
from ddbench.results.export import export_set
from ddbench.store.distilled import save_distilled
from ddbench.types import LabeledImages
from tests.support.invoke import invoke
from tests.support.records import cell, hexkey, record, stored


def alone(store):
    return Stores.of_store(store, {})


@pytest.fixture
def store(tmp_path):
    """A store with a set of six images that rests on a prior and a fine-tuning, and a record that judged it."""
    run = {"seconds": {"prior": 50.0, "fit": 9.0, "distill": 3.0, "evaluate": 1.0}}
    made = stored(tmp_path / "s", [record(cell(), 0.5, key=hexkey(1), parents=["set"], run=run)])
    images = torch.zeros(6, 1, 4, 4, dtype=torch.uint8)
    data = LabeledImages(images=images, labels=torch.arange(3).repeat(2), classes=("a", "b", "c"))

    def keep(kind, key, memory, **task):
        about = {"task": task, "run": {"seconds": 1.0, "peak_memory_mib": memory, "peak_gpu_mib": memory // 10}}
        made.write(kind, key, lambda folder: save_distilled(data, folder), about)

    keep("prior", "p", 9000)
    keep("fit", "f", 700)
    keep("distill", "set", 400, chain=["p", "f"], state=[])
    return made


def test_images_and_the_highest_peak_of_what_was_made_for_the_method(store):
    assert facts_of_sets(alone(store), store.records()) == {"set": SetFacts(images=6, memory_mib=700, gpu_mib=70)}


def test_cost_table_and_leaderboard_show_them(store):
    (row,) = json.loads(invoke("table", "--store", store.root, "--layout", "cost", "--format", "json").stdout)
    assert (row["per_image_s"], row["own_per_image_s"], row["memory_mib"], row["gpu_mib"]) == (0.5, 2.0, 700, 70)
    assert (row["raw_bytes"], row["label_bytes"], row["teacher_bytes"]) == (6 * 16, 0, None)
    (entry,) = json.loads(invoke("leaderboard", store.root, "--format", "json").stdout)
    assert (entry["seconds_per_image"], entry["front"]) == (2.0, True)


def test_bytes_as_png_are_those_of_the_export(store, tmp_path):
    for soft in (None, torch.full((6, 3), 1 / 3)):
        images = torch.randint(0, 256, (6, 1, 4, 4), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
        data = LabeledImages(images, torch.arange(3).repeat(2), ("a", "b", "c"), soft)
        key = f"set {soft is None}"
        store.write("distill", key, lambda folder, data=data: save_distilled(data, folder), {"task": {}, "run": {}})
        facts = {"dataset": "d", "split": "s", "method": "m", "ipc": 2, "seed": 0}
        export_set(tmp_path / key, data, facts)
        png = sum(path.stat().st_size for path in (tmp_path / key).glob("*/*.png"))
        sizes = {"raw_bytes": 96, "soft_bytes": 0 if soft is None else 6 * 3 * 4, "png_bytes": png}
        assert bytes_of_set(store, key) == sizes
        assert bytes_of_set(store, key) == sizes  # from the cache


def test_show_tells_the_bytes(store):
    (found,) = store.records()
    shown = invoke("show", found.key[:8], "--store", store.root)
    assert "pixels 96, as PNG files " in shown.stdout, shown.stderr


def test_a_set_that_is_damaged_or_gone_is_unknown(store, tmp_path):
    folder = store.folder("distill", "set")
    (folder / "images.safetensors").write_bytes(b"no")
    (folder / "manifest.json").write_text("{}")
    assert facts_of_sets(alone(store), store.records()) == {"set": SetFacts()}
    other = stored(tmp_path / "t", [record(cell(), 0.5, key=hexkey(1), parents=["set"])])
    assert facts_of_sets(alone(other), other.records()) == {}


def test_the_first_store_that_has_a_set_tells(store, tmp_path):
    other = stored(tmp_path / "t", [record(cell(), 0.5, key=hexkey(1), parents=["set"])])
    assert facts_of_sets(Stores([other.root, store.root]), other.records())["set"].images == 6
