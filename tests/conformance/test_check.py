"""The conformance suite: every built-in method passes, and each way to cheat fails for its own reason."""

import re
from pathlib import Path

import pytest

from ddbench.config.schema import load_config
from ddbench.config.study import resolve
from ddbench.conformance import suite
from ddbench.conformance.checks import CHECKS
from ddbench.conformance.datasets import DATASET_CHECKS
from ddbench.conformance.elsewhere import digests_elsewhere
from ddbench.conformance.suite import run_checks
from ddbench.plugins import registry
from tests.plugins.test_plugins import plugin  # noqa: F401  (a fixture
from tests.support.invoke import invoke

pytestmark = pytest.mark.slow

BUILT_IN = [name for name, entry in registry.entries("method").items() if not entry.load().whole]


@pytest.fixture(scope="module")
def elsewhere():
    """What another process makes by every method: one process for all, since they take seconds to start."""
    return digests_elsewhere(resolve(load_config("check", {"grid.methods": BUILT_IN}, [])), suite.ASKED)


@pytest.mark.parametrize("name", BUILT_IN)
def test_built_in_methods_keep_all_rules(name, elsewhere, monkeypatch):
    monkeypatch.setattr(suite, "digests_elsewhere", lambda study, asked: elsewhere)
    findings = run_checks(resolve(load_config("check", {"grid.methods": [name]}, [])), name)
    assert {f.check.name: f.wrong for f in findings if f.wrong} == {}


CHEAT = '''
import random as python_random
from dataclasses import dataclass

import numpy as np
import torch

from ddbench import seeding
from ddbench.plugins.registry import register
from ddbench.types import Distiller, LabeledImages, MicroBatch, Needs

KEPT, KEPT_BY = [], {}


@register("method", "cheat")
@dataclass(frozen=True)
class Cheat(Distiller):
    """Draws real images, and breaks one rule."""

    scale: float = 1.0
    at_once: MicroBatch = 8
    # OPTIONS

    def distill(self, real, state, ipc, ctx):
        chosen = []
        for k, name in enumerate(real.classes):
            members = (real.labels == k).nonzero()[:, 0]
            order = torch.randperm(len(members), generator=seeding.generator("cheat", ctx.seed, name))
            chosen.append(members[order[:ipc]])
        index = torch.cat(chosen)
        images, labels = real.images[index], real.labels[index]
        # HERE
        return LabeledImages(images=images, labels=labels, classes=real.classes)
'''

OPTIONS = """separable = True

    def needs(self):
        return Needs(memory_gib=0.1)
"""

CHEATS = {
    "reads test labels": (
        "from ddbench.data.digits import Digits; Digits().load('test')",
        "data",
        "loads the test split of digits itself, at cheat_0.py, line 36",
    ),
    "reads files": ("np.load('/nowhere/images.npy')", "data", "opens the file images.npy, at cheat_1.py, line 36"),
    "reads the images past the harness": (
        "from sklearn.datasets import load_digits; load_digits()",
        "data",
        "opens the file digits.csv.gz, at cheat_2.py, line 36",
    ),
    "reads test labels if it can": (
        "exec('try:\\n from ddbench.data.digits import Digits; Digits().load(\"test\")\\nexcept Exception: pass')",
        "data",
        "loads the test split of digits itself",
    ),
    "reads test labels in a thread": (
        "import threading; from ddbench.data.digits import Digits;"
        " t = threading.Thread(target=Digits().load, args=('test',)); t.start(); t.join()",
        "data",
        "loads the test split of digits itself",
    ),
    "lets another process read": (
        "import subprocess; subprocess.run(['true'])",
        "data",
        "starts another process",
    ),
    "seeds by hash": (
        "images = images.clone(); images[0, 0] = hash(real.classes[0]) % 256",
        "another process",
        "another process makes other images with the same seed",
    ),
    "keeps what it made by seed": (
        "images = KEPT_BY.setdefault((ctx.seed, ipc), images)",
        "no memory",
        "what was made before changes what is made next",
    ),
    "moves one pixel by the seed": (
        "images = real.images[torch.cat([(real.labels == k).nonzero()[:ipc, 0] for k in range(4)])];"
        " images[0, 0, 0, 0] = 3 * ctx.seed % 255",
        "another seed",
        "seeds 0 and 1 give nearly the same images",
    ),
    "diverges and recovers": (
        "ctx.log({'loss': float('inf')}); ctx.log({'loss': 1.0})",
        "finite",
        "it logged loss = inf",
    ),
    "leaves": ("raise SystemExit(0)", "format", "SystemExit"),
    "asks another host": (
        "import socket; socket.create_connection(('127.0.0.1', 9))",
        "data",
        "connects to the network, at cheat_",
    ),
    "ignores the seed": (
        "images = real.images[torch.cat([(real.labels == k).nonzero()[3:3 + ipc, 0] for k in range(4)])]",
        "another seed",
        "seeds 0 and 1 give the same images",
    ),
    "takes the first files by name": (
        "images = real.images[torch.cat([(real.labels == k).nonzero()[:ipc, 0] for k in range(4)])]",
        "another seed",
        "takes the first images of each class as they are stored",
    ),
    "draws from torch's generator": (
        "images = images.clone(); images[0, 0, 0, 0] = int(torch.randint(256, ()))",
        "global random state",
        "draws from the global generator of torch",
    ),
    "draws from numpy's generator": (
        "images = images.clone(); images[0, 0, 0, 0] = np.random.randint(256)",
        "global random state",
        "draws from the global generator of numpy",
    ),
    "draws from Python's generator": (
        "images = images.clone(); images[0, 0, 0, 0] = python_random.randrange(256)",
        "global random state",
        "draws from the global generator of random",
    ),
    "returns ipc - 1": (
        "keep = torch.arange(len(labels)) % ipc > 0; images, labels = images[keep], labels[keep]",
        "format",
        "at ipc 1: 4 of 4 classes do not have ipc = 1 images",
    ),
    "returns floats": ("images = images.float() * 3", "format", "images must be uint8, not torch.float32"),
    "keeps state between calls": (
        "KEPT.append(1); images = images // len(KEPT)",
        "no memory",
        "what was made before changes what is made next",
    ),
    "changes the real images": ("real.images.zero_()", "data", "changes the real images in place"),
    "names streams by place": (
        "images = torch.cat([real.of_class(k)[torch.randperm(12, generator=seeding.generator(ctx.seed, k))[:ipc]]"
        " for k in range(4)])",
        "class order",
        "with the classes in another order",
    ),
    "trains what the loss does not reach": (
        "a, b = torch.nn.Parameter(torch.ones(2)), torch.nn.Parameter(torch.ones(3)); a.sum().backward();"
        " torch.optim.SGD([a, b], lr=1).step()",
        "gradients",
        "1 trainable parameters get no gradient, one of shape (3,)",
    ),
    "diverges": ("ctx.log({'loss': float('nan')})", "finite", "it logged loss = nan"),
    "lets the micro-batch into the images": (
        "images = images // self.at_once",
        "batch size",
        "with at_once = 1, class '0' gets other images",
    ),
    "lets the other classes into an image": (
        "images = images // len(real.classes)",
        "batch size",
        "with fewer classes beside it, though it is separable",
    ),
    "takes more memory than it declares": (
        "kept = torch.ones(2**26)",
        "memory",
        "a handful of small images took 0.25 GiB, and it declares 0.1",
    ),
    "raises": ("raise RuntimeError('out of luck')", "format", "RuntimeError: out of luck, at cheat_"),
    "uses a part of the seed": (
        "part = ctx.seed % 2; images = torch.cat([real.of_class(k)[torch.randperm(12, "
        "generator=seeding.generator(part, name))[:ipc]] for k, name in enumerate(real.classes)])",
        "another seed",
        "seeds 0 and 232792560 give the same images",
    ),
    "leaves another dtype": (
        "torch.set_default_dtype(torch.float64)",
        "process state",
        "it changes torch's default dtype: torch.float32 -> torch.float64",
    ),
    "leaves the grad mode off": (
        "torch.set_grad_enabled(False)",
        "process state",
        "it changes torch's grad mode: True -> False",
    ),
    "silences warnings": (
        "import warnings; warnings.simplefilter('ignore')",
        "process state",
        "it changes warnings filters: 1 added",
    ),
}


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize("cheat", CHEATS)
def test_a_cheat_fails_for_its_own_reason(cheat, plugin):  # noqa: F811
    line, check, reason = CHEATS[cheat]
    path = plugin(f"cheat_{list(CHEATS).index(cheat)}", CHEAT.replace("# OPTIONS", OPTIONS).replace("# HERE", line))
    config = load_config("check", {"grid.methods": ["cheat"], "plugins": [str(path)]}, [])
    asked = [one for one in CHECKS if one.name == check]
    found = {f.check.name: f.wrong for f in run_checks(resolve(config), "cheat", checks=asked) if f.wrong}
    assert reason in found[check]


def test_an_honest_plug_in_passes_and_a_cheat_exits_with_3_and_advice(plugin):  # noqa: F811
    honest = plugin("honest", CHEAT)
    done = invoke("check", "cheat", "--plugin", honest)
    assert done.returncode == 0, done.stdout
    assert "15 of 15 rules kept" in done.stdout
    path = plugin("dishonest", CHEAT.replace('"cheat"', '"other"').replace("# HERE", "images = images.float()"))
    done = invoke("check", "other", "--plugin", path)
    assert done.returncode == 3
    assert "FAILED  format" in done.stdout
    assert "-> return LabeledImages with exactly ipc uint8 images" in done.stdout


def test_an_unknown_method_is_a_slip_with_the_nearest_name():
    done = invoke("check", "randm")
    assert done.returncode == 2
    assert "Did you mean 'random'" in done.stderr


def test_what_is_no_guidance_is_not_tried(plugin):  # noqa: F811
    path = plugin("torn", "from ddbench.plugins.registry import register\n\n\nregister('guidance', 'torn')(1)\n")
    done = invoke("check", "dit[guidance=torn]", "--plugin", path)
    assert done.returncode == 2
    assert "the guidance 'torn'" in done.stderr and "is no Steering class" in done.stderr


@pytest.mark.parametrize(
    ("line", "check"),
    [
        (
            "body, head = torch.nn.Linear(2, 2).requires_grad_(False), torch.nn.Linear(2, 1);"
            " head(body(torch.ones(1, 2))).sum().backward();"
            " torch.optim.SGD([*body.parameters(), *head.parameters()], lr=1).step()",
            "gradients",
        ),
        (
            "table = torch.nn.Embedding(4, 2, sparse=True); table(torch.tensor([1])).sum().backward();"
            " torch.optim.SparseAdam(table.parameters()).step()",
            "gradients",
        ),
    ],
    ids=["a frozen body", "sparse gradients"],
)
def test_what_is_honest_is_not_taken_for_a_cheat(line, check, plugin):  # noqa: F811
    name = f"honest_{abs(hash(line))}"
    seeded = f"with seeding.seeded('honest', ctx.seed):\n            {line}"
    path = plugin(name, CHEAT.replace("# HERE", seeded))
    config = load_config("check", {"grid.methods": ["cheat"], "plugins": [str(path)]}, [])
    (found,) = run_checks(resolve(config), "cheat", checks=[one for one in CHECKS if one.name == check])
    assert found.wrong == ""


def test_what_cannot_travel_is_told_once_and_nothing_else_tried(plugin):  # noqa: F811
    path = plugin("local", CHEAT.replace("# OPTIONS", "def __eq__(self, other):\n        return False\n"))
    config = load_config("check", {"grid.methods": ["cheat"], "plugins": [str(path)]}, [])
    (found,) = run_checks(resolve(config), "cheat")
    assert found.check.name == "travels to workers"
    assert "a pickled copy is not equal to it" in found.wrong


def test_a_variant_with_blanks_and_a_grid(plugin):  # noqa: F811
    assert invoke("check", "cgs[eta_dm=3, eta_dpp=2]").returncode == 0
    done = invoke("check", "rsm[weight=grid(1,2)]")
    assert done.returncode == 2
    assert "a check is of one method" in done.stderr


def test_the_guide_names_every_rule_in_the_order_in_which_they_are_tried():
    guide = (Path(__file__).parents[2] / "docs" / "adding-a-method.md").read_text()
    rows = re.findall(r"^\| ([a-z ]+) \| ", guide.partition("## 2.")[0], re.M)
    methods = ["rule", *(check.name for check in CHECKS)]
    assert rows == [*methods, "rule of datasets", *(check.name for check in DATASET_CHECKS)]


UNSEEDED = """
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch

from ddbench.plugins.registry import register
from ddbench.types import Distiller, LabeledImages, Preparation


@dataclass(frozen=True)
class Drawn(Preparation):
    stage: ClassVar[str] = "embed"

    def run(self, real, before, ctx):
        return int(np.random.default_rng().integers(2**40))

    def save(self, state, folder):
        (folder / "state.txt").write_text(str(state))

    def load(self, folder, before, ctx):
        return int((folder / "state.txt").read_text())


@register("method", "unseeded")
@dataclass(frozen=True)
class Unseeded(Distiller):
    def preparations(self, seed):
        return (Drawn(),)

    def distill(self, real, state, ipc, ctx):
        index = [k for label in range(4) for k in (real.labels == label).nonzero()[:ipc, 0].tolist()]
        random = torch.Generator().manual_seed(state + ctx.seed)
        images = torch.randint(0, 256, real.images[index].shape, dtype=torch.uint8, generator=random)
        return LabeledImages(images=images, labels=real.labels[index], classes=real.classes)
"""


def test_a_preparation_that_draws_without_a_seed_is_found_by_another_process(plugin):  # noqa: F811
    config = load_config("check", {"grid.methods": ["unseeded"], "plugins": [str(plugin("unseeded", UNSEEDED))]}, [])
    found = {f.check.name: f.wrong for f in run_checks(resolve(config), "unseeded", checks=CHECKS[3:5])}
    there = "another process makes other images with the same seed, in the stages of a run"
    assert found == {"same seed": "", "another process": there}
