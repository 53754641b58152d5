"""The three doors of the registry: entry points, files, and the decorator in them."""

import json
import sys
from importlib.metadata import EntryPoint

import pytest

from ddbench.cli import list_ as list_module  # noqa: F401  (the command's module
from ddbench.config.schema import load_config
from ddbench.config.study import resolve
from ddbench.errors import BenchError
from ddbench.plan import code
from ddbench.plan.build import make_plan
from ddbench.plugins import registry
from ddbench.plugins.files import load_plugins
from ddbench.store.opening import open_store
from tests.support.invoke import invoke
from tests.support.registered import forgotten

METHOD = '''
from dataclasses import dataclass

from ddbench.plugins.registry import register
from ddbench.types import Distiller, LabeledImages


@register("method", "first_images")
@dataclass(frozen=True)
class FirstImages(Distiller):
    """The first images of each class."""

    skip: int = 0

    def distill(self, real, state, ipc, ctx):
        import torch

        chosen = [(real.labels == k).nonzero()[self.skip : self.skip + ipc, 0] for k in range(len(real.classes))]
        index = torch.cat(chosen)
        return LabeledImages(images=real.images[index], labels=real.labels[index], classes=real.classes)


register("method", "second_images")(FirstImages(skip=1))
'''

PARTS = '''
from dataclasses import dataclass

from ddbench.plugins.registry import register
from ddbench.methods.diffusion.guidances.guidance import Guidance


@register("guidance", "still")
@dataclass(frozen=True)
class Still(Guidance):
    """Moves nothing."""

    strength: float = 1.0

    def correction(self, sets):
        return 0 * self.strength * sets.latents
'''

QUICK = ["--ipc", "1", "--seeds", "0", "--eval-seeds", "0", "--protocol", "cpu-small@1[epochs_by_ipc=[[1000, 1]]]"]


@pytest.fixture
def plugin(tmp_path):
    """Writes a plug-in file; what it registered is forgotten afterwards."""
    names = []

    def write(name, text=METHOD):
        path = tmp_path / f"{name}.py"
        path.write_text(text)
        names.append(name)
        return path

    with forgotten(names):
        yield write


@pytest.mark.slow
@pytest.mark.parametrize("executor", ["inline", "ray"])
def test_a_file_runs_beside_the_installed_methods_under_every_executor(tmp_path, plugin, executor):
    path = plugin(f"door_{executor}")
    arguments = ["--methods", "random,first_images,second_images", *QUICK, "--executor", executor]
    done = invoke("run", "--plugin", path, *arguments, "--store", tmp_path / "store", "--json")
    assert done.returncode == 0, done.stderr
    found = {row["method"]: row["top1_mean"] for row in json.loads(done.stdout)["table"]}
    assert set(found) == {"random", "first_images", "second_images"}
    assert None not in found.values()


def test_what_a_file_registers_is_listed_with_its_origin(plugin):
    path = plugin("door_list")
    found = {row["name"]: row for row in json.loads(invoke("list", "methods", "--plugin", path, "--json").stdout)}
    assert found["first_images"]["summary"] == "The first images of each class."
    assert found["first_images"]["origin"] == str(path)
    assert found["random"]["origin"].startswith("dataset-distillation-bench")


def test_keys_do_not_depend_on_the_folder_of_the_file(tmp_path, plugin):
    def keys(folder):
        folder.mkdir()
        path = folder / "door_keys.py"
        path.write_text(METHOD)
        plugin("door_keys")
        load_plugins([str(path)])
        config = load_config("digits", {"grid.methods": ["first_images"], "plugins": [str(path)]}, [])
        found = list(make_plan(resolve(config)).stages)
        sys.modules.pop("door_keys")
        registry._decorated.clear()
        registry.entries.cache_clear()
        return found

    assert keys(tmp_path / "one") == keys(tmp_path / "two")


def test_a_guidance_of_a_file_is_named_like_a_built_in_one(plugin):
    path = plugin("door_guidance", PARTS)
    config = load_config("digits", {"plugins": [str(path)], "grid.methods": ["dit[guidance=still]", "cgs"]}, [])
    study = resolve(config)
    assert type(study.methods["digits", "dit[guidance=still]"].guidance).__name__ == "Still"
    stronger = config.model_copy(
        update={"grid": config.grid.model_copy(update={"methods": ("dit[guidance={type: still, strength: 2}]",)})}
    )
    (method,) = resolve(stronger).methods.values()
    assert method.guidance.strength == 2


def test_a_name_that_is_taken_is_an_error_that_shows_both_origins(plugin):
    path = plugin("door_clash", METHOD.replace("first_images", "random"))
    done = invoke("run", "--plugin", path, "--methods", "random", *QUICK, "--dry-run")
    assert done.returncode == 2
    assert "two methods are called 'random'" in done.stderr
    assert str(path) in done.stderr and "dataset-distillation-bench" in done.stderr


@pytest.mark.parametrize(("kind", "name"), [(kind, next(iter(registry.entries(kind)))) for kind in registry.KINDS])
def test_a_taken_name_of_any_kind_is_an_error(plugin, kind, name):
    text = "from ddbench.plugins.registry import register\n\n\nclass Mine:\n    pass\n\n\nregister(KIND, NAME)(Mine)\n"
    path = plugin(f"taken_{kind}", text.replace("KIND", repr(kind)).replace("NAME", repr(name)))
    done = invoke("list", f"{kind}s", "--plugin", path)
    assert done.returncode == 2
    assert f"two {kind}s are called {name!r}" in done.stderr
    assert str(path) in done.stderr and "dataset-distillation-bench" in done.stderr


def test_an_edited_file_runs_its_own_stages_again_and_no_others(tmp_path, plugin):
    path, store = plugin("edited"), tmp_path / "store"
    arguments = ["run", "--plugin", path, "--methods", "random,first_images", *QUICK, "--store", store, "--json"]
    assert invoke(*arguments, "--executor", "inline").returncode == 0
    sys.modules.pop("edited")
    registry._decorated.clear()
    path.write_text(METHOD.replace("self.skip + ipc", "self.skip + 1 * ipc"))
    code._code.cache_clear()
    again = json.loads(invoke(*arguments, "--dry-run").stdout)["stages"]
    assert (again["distill"]["to_run"], again["evaluate"]["to_run"]) == (1, 1)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("door_fails", "import os\n\n1 / 0\n", "ZeroDivisionError: division by zero (door_fails.py, line 3)"),
        ("door_syntax", "def f(:\n", "SyntaxError"),
        ("random", "", "called as the module random, which exists already"),
    ],
)
def test_a_file_that_cannot_be_imported_is_explained(plugin, name, text, message):
    done = invoke("list", "methods", "--plugin", plugin(name, text) if name != "random" else _stdlib_name(plugin))
    assert done.returncode == 2
    assert message in done.stderr


def _stdlib_name(plugin):
    path = plugin("door_random", "")
    return path.rename(path.with_name("random.py"))


def test_a_missing_file_is_said(tmp_path):
    done = invoke("list", "methods", "--plugin", tmp_path / "none.py")
    assert done.returncode == 2
    assert "there is no plug-in file" in done.stderr


KINDS = ("method", "arch", "dataset", "protocol", "objective", "guidance", "watcher")


@pytest.fixture
def broken_package(monkeypatch):
    """An installed package that registers something of every kind, none of which can be imported."""
    points = [EntryPoint("wrecked", "tests.no_such_module:thing", f"bench.{kind}s") for kind in KINDS]
    original = registry.entry_points
    monkeypatch.setattr(
        registry,
        "entry_points",
        lambda group: [*original(group=group), *(point for point in points if point.group == group)],
    )
    registry.entries.cache_clear()
    yield
    registry.entries.cache_clear()


@pytest.mark.parametrize(
    ("options", "of"),
    [
        (["--methods", "random,wrecked"], "method"),
        (["--methods", "random,dit[objective=wrecked]"], "method"),
        (["--methods", "random", "--archs", "convnet3-w32,wrecked"], "arch"),
        (["--methods", "random", "--datasets", "digits,wrecked"], "dataset"),
    ],
    ids=["method", "objective", "arch", "dataset"],
)
def test_a_broken_package_fails_its_own_cells_alone(tmp_path, broken_package, options, of):
    done = invoke("run", *options, *QUICK, "--executor", "inline", "--store", tmp_path / "store")
    assert done.returncode == 1, done.stderr
    records = {getattr(r.cell, of): r for r in open_store(tmp_path / "store", create=False).records()}
    (whole,) = [name for name in records if "wrecked" not in name]
    (torn,) = [name for name in records if "wrecked" in name]
    assert records[whole].outcome == "ok"
    assert records[torn].outcome == "failed"
    assert "No module named 'tests.no_such_module'" in records[torn].reason


def test_a_broken_protocol_is_refused_since_every_cell_would_fail(broken_package, tmp_path):
    done = invoke("run", "--methods", "random", "--protocol", "wrecked", "--store", tmp_path / "store")
    assert done.returncode == 2
    assert "No module named 'tests.no_such_module'" in done.stderr
    assert not (tmp_path / "store").exists()


@pytest.mark.parametrize("kind", KINDS)
def test_a_broken_package_is_listed_as_broken(broken_package, kind):
    found = {row["name"]: row["summary"] for row in json.loads(invoke("list", f"{kind}s", "--json").stdout)}
    assert found["wrecked"].startswith("BROKEN: ModuleNotFoundError: No module named 'tests.no_such_module'")
    assert not [name for name, summary in found.items() if name != "wrecked" and "BROKEN" in summary]


def test_what_a_strangers_module_prints_is_not_in_the_list(monkeypatch, tmp_path):
    (tmp_path / "chatty.py").write_text("print('hello')\nimport no_such_dependency\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    point, original = EntryPoint("chatty", "chatty:thing", "bench.methods"), registry.entry_points
    monkeypatch.setattr(registry, "entry_points", lambda group: [*original(group=group), point])
    registry.entries.cache_clear()
    done = invoke("list", "methods", "--json")
    registry.entries.cache_clear()
    found = {row["name"]: row["summary"] for row in json.loads(done.stdout)}
    assert found["chatty"] == "BROKEN: ModuleNotFoundError: No module named 'no_such_dependency'"
    assert "hello" in done.stderr


def test_a_plug_in_that_needs_a_protocol_of_another_type_is_refused(plugin):
    path = plugin("door_type", METHOD + '\nregister("protocol", "odd@1")(FirstImages())\n')
    with pytest.raises(BenchError, match="is a FirstImages, not a Protocol"):
        resolve(load_config("digits", {"plugins": [str(path)], "grid.protocol": "odd@1"}, []))
