"""Slips in plug-ins and in their options: one message that says what and where, exit code 2, and no traceback."""

import pytest

from tests.plugins.test_plugins import METHOD, PARTS, QUICK, plugin  # noqa: F401  (a fixture
from tests.support.invoke import invoke

HEAD = """
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from ddbench.plugins.registry import register
from ddbench.types import Count, Dataset, Distiller, LabeledImages, Positive

"""

DATASET = (
    HEAD
    + """
@register("dataset", "mine")
@dataclass(frozen=True)
class Mine(Dataset):
    name: ClassVar[str] = "mine"
    classes = ("a", "b")
    shape = (1, 8, 8)
    split_name = "drawn"

    def train_counts(self):
        return (20, 20)

    def fingerprint(self, split):
        return "1"

    def load(self, split, cache=None):
        import torch

        random = torch.Generator().manual_seed(len(split))
        images = torch.randint(0, 256, (40, 1, 8, 8), dtype=torch.uint8, generator=random)
        return LabeledImages(images, torch.arange(2).repeat_interleave(20), ("a", "b"))
"""
)


def own(fields="", decorator="@dataclass(frozen=True)", registered='@register("method", "mine")', more=""):
    """A method of one's own, with something wrong about it."""
    return (
        HEAD
        + f"""
{registered}
{decorator}
class Mine(Distiller):
    {fields or "pass"}

    def distill(self, real, state, ipc, ctx):
        return real
{more}
"""
    )


MINE = ["--datasets", "mine"]

SLIPS = {
    "a kind that is none": (own(registered='@register("methods", "mine")'), [], "unknown kind 'methods'"),
    "a name with a comma": (own(registered='@register("method", "a,b")'), [], "'a,b' cannot name a method"),
    "no dataclass": (own("low: Positive = 0.1", decorator=""), [], "has the field low but is no dataclass"),
    "the same name twice": (
        own(more='register("method", "mine")(Mine())'),
        [],
        "two methods are called 'mine'",
    ),
    "two parts of the harness under one name": (
        HEAD + "from methods.diffusion.method import Diffusion\nregister('method', 'mine')(Diffusion())\n"
        "register('method', 'mine')(Diffusion())\n",
        [],
        "two methods are called 'mine'",
    ),
    "a file that leaves": (HEAD + "raise SystemExit(3)\n", [], "SystemExit: 3 (slip_"),
    "a missing distill": (
        HEAD + "@register('method', 'mine')\nclass Mine(Distiller):\n    pass\n",
        [],
        "Can't instantiate",
    ),
    "a field whose type is hidden": (
        own("low: 'Hidden' = 1"),
        ["--methods", "mine[low=2]"],
        "name 'Hidden' is not defined. Import the types of fields",
    ),
    "a field of a type that YAML has not": (
        HEAD + "class Odd:\n    pass\n" + own("odd: Odd = None").removeprefix(HEAD),
        ["--methods", "mine[odd=2]"],
        ".odd cannot be set from a configuration",
    ),
    "a field that cannot be recorded": (own("at: Path = Path('x')"), [], "the method 'mine' cannot be recorded"),
    "a refusal of its own": (
        own(
            "low: float = 0.1\n\n"
            "    def __post_init__(self):\n        if self.low > 0.5:\n            raise ValueError('too low')"
        ),
        ["--methods", "mine[low=0.9]"],
        "bad options of mine[low=0.9]: too low",
    ),
    "reads() of no field": (own("def reads(self):\n        return ('lo',)"), [], "unknown field 'lo' in reads()"),
    "a dataset of another name": (
        DATASET.replace('"mine"\n', '"other"\n'),
        MINE,
        "calls itself 'other'",
    ),
    "a dataset's instance": (
        DATASET.replace('@register("dataset", "mine")\n', "") + "\nregister('dataset', 'mine')(Mine())\n",
        MINE,
        "is no subclass of Dataset: register the class itself",
    ),
    "a dataset without load": (
        DATASET.replace("def load", "def read"),
        MINE,
        "cannot be made",
    ),
    "classes in a list": (
        DATASET.replace('("a", "b")\n    shape', '["a", "b"]\n    shape'),
        MINE,
        "as a tuple",
    ),
    "too few counts": (DATASET.replace("(20, 20)", "(20,)"), MINE, "2 classes and 1 counts"),
    "a guidance with a field without default": (
        PARTS.replace("strength: float = 1.0", "strength: float"),
        ["--methods", "dit[guidance=still]"],
        "Still has fields without defaults",
    ),
}


@pytest.mark.parametrize("slip", SLIPS)
def test_a_slip_in_a_plug_in_is_one_message(slip, plugin):  # noqa: F811
    text, options, message = SLIPS[slip]
    path = plugin(f"slip_{list(SLIPS).index(slip)}", text)
    methods = [] if "--methods" in options else ["--methods", "random" if "--datasets" in options else "mine"]
    done = invoke("run", "--plugin", path, *methods, *options, *QUICK, "--dry-run")
    assert done.returncode == 2, done.stderr
    assert message in done.stderr
    assert done.stderr.startswith("bench: ") and done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("method", "message"),
    [
        ("cgs[eta_dm=.inf]", "it must be a finite number"),
        ("rsm[finetune.steps=true]", "it must be a number, not true or false"),
        ("cgs[window=[0.9, 0.1]]", ".guidance: window (0.9, 0.1) ends before it begins"),
        ("rsm[weight=grid(1,2]", "the grid of 'weight' is not closed"),
        ("mgd3 ", ""),
        ("cgs[guidance=igd,k=3]", ""),
        ("dit[guidance=mgd3,scale=1]", ""),
        ("igdd", "Did you mean 'igd'"),
    ],
)
def test_an_option_is_taken_or_refused_with_its_place(method, message):
    done = invoke("run", "--methods", method, *QUICK, "--dry-run")
    assert done.returncode == (2 if message else 0), done.stderr
    assert message in done.stderr


def test_a_guidance_named_as_a_method_is_told_how_to_use_it(plugin):  # noqa: F811
    path = plugin("slip_part", PARTS)
    done = invoke("check", "still", "--plugin", path)
    assert done.returncode == 2
    assert "still is a guidance: a method with it is 'dit[guidance=still]'" in done.stderr


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("(40, 1, 8, 8)", "(40, 3, 8, 8)"), "declares the shape (1, 8, 8), and its train split has (3, 8, 8)"),
        (("(20, 20)", "(30, 10)"), "declares the counts (30, 10), and its train split has (20, 20)"),
        (('leave(20), ("a", "b")', 'leave(20), ("b", "a")'), "declares the classes ('a', 'b')"),
    ],
    ids=["shape", "counts", "classes"],
)
def test_a_dataset_that_loads_what_it_does_not_declare_fails_its_cells(change, message, plugin, tmp_path):  # noqa: F811
    text = DATASET.replace(*change)
    assert text != DATASET
    path = plugin("slip_load", text)
    done = invoke("run", "--plugin", path, *MINE, "--methods", "random", *QUICK, "--store", tmp_path / "s")
    assert done.returncode == 1
    assert message in done.stderr


def test_a_plain_dataset_runs(plugin, tmp_path):  # noqa: F811
    path = plugin("slip_none", DATASET)
    done = invoke("run", "--plugin", path, *MINE, "--methods", "random", *QUICK, "--store", tmp_path / "s")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(("kind", "name"), [("method", "dm"), ("objective", "rsm"), ("method", "numpy")])
def test_a_new_plug_in_is_not_called_as_something_that_is_there(kind, name, tmp_path):
    done = invoke("new", kind, name, "--out", tmp_path)
    assert done.returncode == 2
    assert "already" in done.stderr
    assert not list(tmp_path.iterdir())


JUDGE = """
from dataclasses import dataclass

from ddbench.plugins.registry import register
from ddbench.types import Evaluation, Protocol


@register("protocol", "odd@1")
@dataclass(frozen=True)
class Odd(Protocol):
    def evaluate(self, distilled, test, network, ctx):
        n = len(test)
        return Evaluation(curve=CURVE, correct=CORRECT)
"""


@pytest.mark.parametrize(
    ("curve", "correct", "message"),
    [
        ("((1, 0.99),)", "(False,) * n", "0 of 355 images right and, at the last epoch, the accuracy 0.99"),
        ("((1, 1.0),)", "(True,)", "said of 1 images whether it was right, and there are 355"),
        ("((2, 1.0), (1, 1.0))", "(True,) * n", "whose epochs do not rise"),
    ],
)
def test_a_protocol_that_contradicts_itself_is_no_result(curve, correct, message, plugin, tmp_path):  # noqa: F811
    path = plugin("slip_judge", JUDGE.replace("CURVE", curve).replace("CORRECT", correct))
    options = ["--methods", "random", "--ipc", "1", "--seeds", "0", "--eval-seeds", "0", "--protocol", "odd@1"]
    done = invoke("run", "--plugin", path, *options, "--executor", "inline", "--store", tmp_path / "s")
    assert done.returncode == 1
    assert message in done.stderr
