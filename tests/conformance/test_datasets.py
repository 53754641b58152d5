"""The rules for datasets: built-in digits keep them, and each way to break one is found for its own reason."""

import pytest

from ddbench.config.schema import load_config
from ddbench.config.study import resolve
from ddbench.conformance import suite
from ddbench.conformance.datasets import DATASET_CHECKS
from ddbench.conformance.suite import run_dataset_checks
from tests.plugins.test_plugin_slips import DATASET
from tests.plugins.test_plugins import plugin  # noqa: F401  (a fixture
from tests.support.invoke import invoke

IMAGES = "        images = torch.randint(0, 256, (40, 1, 8, 8), dtype=torch.uint8, generator=random)\n"

BROKEN = {
    "gives floats": ("images = images.float() / 255", "format", "train: images must be uint8, not torch.float32"),
    "puts a train image into test": (
        "images[3] = images[3] if split == 'train' else self.load('train').images[7]",
        "splits apart",
        "1 images of test are in train too: image 3 is image 7 of train",
    ),
    "judges on what it validates on": (
        "random.manual_seed(5 if split == 'train' else 6); images = torch.randint(0, 256, (40, 1, 8, 8),"
        " dtype=torch.uint8, generator=random)",
        "splits apart",
        "40 images of test are in validation too",
    ),
    "draws anew": (
        "images[0, 0] = torch.frombuffer(bytearray(__import__('os').urandom(64)), dtype=torch.uint8).view(8, 8)",
        "same images",
        "loading train twice gives different",
    ),
    "leaves a class without test images": (
        "return LabeledImages(images, torch.arange(2).repeat_interleave(20) * (split == 'train'), ('a', 'b'))",
        "format",
        "the validation split has no image of the class 'b'",
    ),
    "counts others": (
        "return LabeledImages(images[:39], torch.arange(2).repeat_interleave(20)[:39], ('a', 'b'))",
        "format",
        "declares the counts (20, 20), and its train split has (20, 19)",
    ),
    "leaves another dtype": (
        "torch.set_default_dtype(torch.float64)",
        "process state",
        "loading changes torch's default dtype: torch.float32 -> torch.float64",
    ),
    "raises": ("1 / 0", "format", "ZeroDivisionError: division by zero, at data_7.py, line 29"),
}


def findings(path, checks=DATASET_CHECKS):
    study = resolve(load_config("check", {"grid.datasets": ["mine"], "plugins": [str(path)]}, []))
    return {f.check.name: f.wrong for f in run_dataset_checks(study, checks=checks)}


NO_PROCESS = [check for check in DATASET_CHECKS if check.name != "another process"]
"""the rules without the other process, which takes seconds"""


@pytest.mark.parametrize("way", BROKEN)
def test_a_broken_dataset_fails_for_its_own_reason(way, plugin):  # noqa: F811
    line, check, reason = BROKEN[way]
    assert IMAGES in DATASET
    path = plugin(f"data_{list(BROKEN).index(way)}", DATASET.replace(IMAGES, f"{IMAGES}        {line}\n"))
    broken = {name: wrong for name, wrong in findings(path, NO_PROCESS).items() if wrong}
    assert list(broken) == [check] and reason in broken[check]


SPLIT_BY_NAME = DATASET.replace("manual_seed(len(split))", "manual_seed({'train': 1, 'validation': 2}.get(split, 3))")


def _here(study, dataset, splits):
    """What another process would answer for an honest dataset."""
    return {split: [dataset.load(split).digest(), dataset.fingerprint(split)] for split in splits}


def test_a_dataset_is_checked_by_its_file(plugin, monkeypatch):  # noqa: F811
    monkeypatch.setattr(suite, "splits_elsewhere", _here)
    path = plugin("data_honest", SPLIT_BY_NAME)
    done = invoke("check", path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "mine: 6 of 6 rules kept" in done.stdout


def test_a_dataset_that_depends_on_its_folder_is_found_by_the_other_process(plugin):  # noqa: F811
    line = (
        "images.view(-1)[:4] = torch.tensor([*__import__('zlib').crc32(__import__('os').getcwdb()).to_bytes(4, 'big')])"
    )
    path = plugin("data_folder", SPLIT_BY_NAME.replace(IMAGES, f"{IMAGES}        {line}\n"))
    asked = [check for check in DATASET_CHECKS if check.name == "another process"]
    assert findings(path, asked) == {"another process": "another process loads other images of train"}


def test_the_digits_keep_the_rules(monkeypatch):
    study = resolve(load_config("check", {}, []))

    monkeypatch.setattr(suite, "splits_elsewhere", _here)
    assert {f.check.name: f.wrong for f in run_dataset_checks(study) if f.wrong} == {}
