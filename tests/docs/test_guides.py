"""Every command of the README and the guides runs, on a budget of seconds, and does what is said of it."""

import contextlib
import re
import shlex
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from ddbench.data.imagenet_subsets import WOOF_WNIDS as WOOF
from tests.data.test_data import make_tree
from tests.data.test_external_tensors import levels, results
from tests.support.invoke import invoke, own_process
from tests.support.pipelines import tiny_pipeline
from tests.support.registered import forgotten

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]

BUDGET = {
    "methods.diffusion.prior.training.steps": 3,
    "methods.diffusion.prior.training.batch": 4,
    "methods.diffusion.finetune.steps": 2,
    "methods.diffusion.finetune.batch": 4,
    "methods.diffusion.sampler.steps": 2,
    "methods.dm.iterations": 2,
    "methods.herding.embedder.epochs": 1,
    "methods.kcenter.embedder.epochs": 1,
    "methods.igd.guidance.surrogate.epochs": 1,
    "methods.igd.guidance.surrogate.checkpoints": "[1]",
}
"""what makes a study small without making it another one"""

QUICK = [part for key, value in BUDGET.items() for part in ("--set", f"{key}={value}")]
QUICK += ["--protocol", "cpu-small@1[epochs_by_ipc=[[1000, 1]]]"]
SEEDS = ["--seeds", "0-1", "--eval-seeds", "0"]
ENDS = {
    "run": [*SEEDS, *QUICK, "--executor", "inline"],
    "tune": QUICK,
    "worth": [*SEEDS, *QUICK, "--executor", "inline"],
    "evaluate": [*QUICK, "--executor", "inline"],
    "shift": ["--set", "epochs=1", "--store", "nette"],
}
"""what is added to a command, by verb"""
PLUGINS = {
    "protocol": "my_protocol",
    "method": "my_method",
    "objective": "my_term",
    "dataset": "my_dataset",
    "watcher": "my_watcher",
}
"""kind -> name of the plug-ins that the guides write"""


def commands():
    """The indented ``bench`` lines, each once, in the order of the pages."""
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
    lines = [line.split("#")[0] for page in pages for line in page.read_text().splitlines()]
    return list(dict.fromkeys(line.strip() for line in lines if re.match(r" {4,}bench [a-z]+( |$)", line)))


def words(command, places):
    """The words of a command, with what stands for the reader's own folders replaced, and the small budget."""
    verb, *rest = shlex.split(command)[1:]
    for name, path in places.items():
        rest = [re.sub(rf"(?<![A-Z]){name}(?![A-Z])", str(path), word) for word in rest]
    for name in ("imagenette", "imagewoof"):
        if f"data.{name}.root" in command:
            rest += ["--set", f"data.{name}.variant=any"]  # a few images, which are not those of a known split
    if "--ray-address" in rest:
        rest.append("--dry-run")  # tests/execute/test_cluster.py has a cluster
    ends = [] if "--dry-run" in rest else ENDS.get(verb, [])
    if "imagenette-small" in rest:
        ends = [end if end != "0-1" else "0" for end in ends]  # larger images, fewer sets
    return [verb, *rest, *ends]


@pytest.fixture(scope="module")
def guide(tmp_path_factory):
    """A folder with what the guides presuppose: a first run, a search, files of `bench new`, and the reader's data."""
    folder = tmp_path_factory.mktemp("guide")
    places = {"IMAGES": make_tree(folder / "images", 100), "SETS": folder / "sets", "PIPELINE": folder / "pipeline"}
    places |= {"DOGS": links(places["IMAGES"], folder / "dogs")}
    places["HUGGINGFACE"] = huggingface(places["IMAGES"], folder / "huggingface")
    places |= {"/shared/imagenette": places["IMAGES"], "/shared/store": folder / "shared"}
    for path in places["IMAGES"].glob("val/*/*"):
        if not re.search(r"-[0-4]\.png$", path.name):
            path.unlink()
    places["TENSORS"] = results(folder / "res_DM_digits_ConvNet_2ipc.pt", [levels(0), levels(1)])
    tiny_pipeline().save_pretrained(places["PIPELINE"])
    places["CHECKPOINT"] = folder / "DiT-XL-2-256x256.pt"
    torch.save({}, places["CHECKPOINT"])  # a dry run looks no further than the file
    (mine,) = re.findall(r"```yaml\n(# mine.yaml\n.*?)```", (ROOT / "docs/configurations.md").read_text(), re.S)
    (folder / "mine.yaml").write_text(mine)
    with contextlib.chdir(folder):
        for kind, name in PLUGINS.items():
            prepare("new", kind, name)
        prepare("run", *ENDS["run"])
        nette = words("bench run --config imagenette-small --set data.imagenette.root=IMAGES", places)
        prepare(*nette, "--methods", "random", "--store", "nette")
        prepare("export", "--store", "nette", "--out", "made")
        next(folder.glob("made/imagenette/random/*")).rename(places["SETS"])
        search = ["tune", "cgs", "--ipc", "1", "--search", "grid", "--param", "methods.cgs.guidance.eta_dm=grid(0,5)"]
        done = own_process(*search, *SEEDS, *QUICK)
        assert done.returncode == 0, done.stderr
        (places["TUNE"],) = re.findall(r"--tuned (\S+)", done.stderr + done.stdout)
    return folder, places


def huggingface(images, folder):
    """The first images of each class as parquet files."""
    folder.mkdir()
    for split, part in (("train", "train"), ("test", "val")):
        files = [sorted(path.iterdir())[0] for path in sorted((images / part).iterdir())]
        columns = {"image": [file.read_bytes() for file in files], "label": [file.parent.name for file in files]}
        pq.write_table(pa.table(columns), folder / f"{split}.parquet")
    return folder


def links(images, folder):
    """ImageWoof's folders, as links to other images."""
    for part in ("train", "val"):
        (folder / part).mkdir(parents=True)
        for wnid, there in zip(WOOF, sorted((images / part).iterdir()), strict=True):
            (folder / part / wnid).symlink_to(there)
    return folder


def prepare(*arguments):
    done = invoke(*arguments)
    assert done.returncode == 0, done.stderr


@pytest.fixture(autouse=True)
def alone():
    """Each command is one of its own, and knows nothing of the plug-ins of another."""
    with forgotten([*PLUGINS.values()]):
        yield


@pytest.mark.parametrize("command", commands())
def test_it_runs(command, guide, tmp_path):
    folder, places = guide
    verb, *rest = words(command, places)
    if verb == "new":
        rest += ["--out", tmp_path]
    with contextlib.chdir(folder):
        done = own_process(verb, *rest) if verb == "tune" else invoke(verb, *rest)
    assert done.returncode == 0, done.stderr
    assert done.stdout or verb == "new"
    if "--out" in rest:
        assert (folder / rest[rest.index("--out") + 1]).exists()
