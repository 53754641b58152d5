"""As wheel and as editable install: one import name, all files, keys that follow the code and not its place."""

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
import venv
import zipfile
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import distributions
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
NAME, VERSION = PROJECT["project"]["name"], PROJECT["project"]["version"]
FOLDERS = PROJECT["tool"]["setuptools"]["package-dir"]


@dataclass(frozen=True)
class Environment:
    """A virtual environment with the harness in it, on top of the libraries of the one that runs the tests."""

    folder: Path

    @property
    def python(self):
        return str(self.folder / "bin" / "python")

    @property
    def site(self):
        (site,) = self.folder.glob("lib/python*/site-packages")
        return site

    def install(self, *arguments):
        pip = [sys.executable, "-m", "pip", "--python", self.python, "--disable-pip-version-check", "install"]
        run(*pip, "--quiet", "--no-index", "--no-deps", "--no-build-isolation", *arguments, cwd=self.folder)

    def bench(self, *arguments, cwd=None):
        return run(self.folder / "bin" / "bench", *arguments, cwd=cwd or self.folder)

    def files(self, name):
        """Absolute paths that pip would remove with a distribution."""
        (found,) = distributions(name=name, path=[str(self.site)])
        return {Path(os.path.normpath(found.locate_file(file))) for file in found.files}


def run(*command, cwd):
    """Stdout of a command that must succeed, run where no folder of the checkout can be imported."""
    hidden = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run([*map(str, command)], cwd=cwd, env=hidden, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    """What is needed of the checkout to build it, copied: building leaves folders beside the sources."""
    copy = tmp_path_factory.mktemp("checkout")
    for folder in FOLDERS.values():
        shutil.copytree(ROOT / folder, copy / folder, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", PROJECT["project"]["readme"], *PROJECT["project"]["license-files"]):
        shutil.copy(ROOT / name, copy)
    return copy


@pytest.fixture(scope="module")
def wheel(checkout, tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "wheel", "--quiet", "--no-index", "--no-deps"]
    run(*pip, "--no-build-isolation", "--wheel-dir", folder, checkout, cwd=folder)
    (path,) = folder.glob("*.whl")
    return path


def made_in(folder, *arguments):
    made = Environment(folder / "venv")
    venv.create(made.folder, symlinks=True)
    libraries = [entry for entry in sys.path if any(Path(entry).glob("*.dist-info"))]
    (made.site / "libraries.pth").write_text("".join(f"{entry}\n" for entry in libraries))
    made.install(*arguments)
    return made


@pytest.fixture(scope="module")
def from_wheel(wheel, tmp_path_factory):
    return made_in(tmp_path_factory.mktemp("from_wheel"), wheel)


@pytest.fixture(scope="module")
def editable(checkout, tmp_path_factory):
    return made_in(tmp_path_factory.mktemp("editable"), "--editable", checkout)


@pytest.fixture(scope="module", params=["from_wheel", "editable"])
def environment(request):
    return request.getfixturevalue(request.param)


@pytest.fixture(scope="module")
def neighbour(environment, tmp_path_factory):
    """A distribution whose wheel owns a top-level package ``configs``, beside the harness (as ddranking 0.2.0 does)."""
    path = tmp_path_factory.mktemp("neighbour") / "neighbour-1.0-py3-none-any.whl"
    contents = {
        "configs/__init__.py": "",
        "configs/theirs.py": "OWNER = 'neighbour'\n",
        "neighbour-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: neighbour\nVersion: 1.0\n",
        "neighbour-1.0.dist-info/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "neighbour-1.0.dist-info/RECORD"
    with zipfile.ZipFile(path, "w") as file:
        for name, text in contents.items():
            file.writestr(name, text)
        file.writestr(record, "".join(f"{name},,\n" for name in [*contents, record]))
    environment.install(path)
    return "neighbour"


def test_a_wheel_holds_every_file_of_the_five_folders_under_one_name(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    expected = {
        "/".join([*package.split("."), *path.relative_to(ROOT / folder).parts])
        for package, folder in FOLDERS.items()
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    information = f"{NAME.replace('-', '_')}-{VERSION}.dist-info/"
    assert {name for name in names if not name.startswith(information)} == expected
    assert {"ddbench/py.typed", "ddbench/configs/digits.yaml", "ddbench/results/published.csv"} <= names
    assert {"ddbench/results/report/style.css", "ddbench/plugins/scaffold/method.txt"} <= names
    assert f"{information}licenses/LICENSE" in names


def test_the_version_is_that_of_the_project(environment):
    assert VERSION in environment.bench("--version").split()


def test_a_neighbour_that_owns_a_package_configs_hides_nothing(environment, neighbour):
    named = {entry["name"] for entry in json.loads(environment.bench("list", "configs", "--json"))}
    assert named == {path.stem for path in (ROOT / "configs").glob("*.yaml")}
    assert "20 cells" in environment.bench("run", "--config", "smoke", "--dry-run")


def test_uninstalling_the_harness_or_its_neighbour_leaves_the_other_whole(environment, neighbour):
    ours, theirs = environment.files(NAME), environment.files(neighbour)
    assert not ours & theirs
    assert all(path.exists() for path in theirs | ours if path.suffix == ".py")
    assert environment.site / "configs" / "theirs.py" in theirs


KEYS = """\
from ddbench.config.schema import load_config
from ddbench.config.study import resolve
from ddbench.plan.build import make_plan
import json, ddbench.methods
plan = make_plan(resolve(load_config("smoke", {}, [])))
print(json.dumps([ddbench.methods.__file__, {cell.method: key for cell, key in plan.cells.items()}]))
"""


def keys(environment):
    """Where the methods are imported from, and the key of each method's cell in the smoke study."""
    methods, found = json.loads(run(environment.python, "-c", KEYS, cwd=environment.folder))
    return Path(methods).parent, found


@contextmanager
def restored(*paths):
    """Files and folders are as they were when the context ends."""
    contents = {
        file: file.read_bytes()
        for path in paths
        for file in (path.rglob("*") if path.is_dir() else [path])
        if file.is_file()
    }
    try:
        yield
    finally:
        for path in paths:
            if path.is_dir():
                shutil.rmtree(path)
        for file, content in contents.items():
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)


def entry_points(environment):
    (path,) = environment.site.glob(f"{NAME.replace('-', '_')}-*.dist-info/entry_points.txt")
    return path


def test_an_edited_method_changes_its_own_keys_alone(environment):
    methods, before = keys(environment)
    with restored(methods):
        (methods / "coreset.py").write_text((methods / "coreset.py").read_text() + "\nEDITED = True\n")
        after = keys(environment)[1]
    assert {method for method in before if after[method] != before[method]} == {"herding", "kcenter"}


def test_files_that_move_to_another_package_change_no_key(environment):
    methods, before = keys(environment)
    registered = entry_points(environment)
    with restored(methods, registered):
        room = methods / "room"
        room.mkdir()
        (room / "__init__.py").write_text('"""A new room."""\n')
        for name in ("catalog", "coreset", "embedder"):
            (methods / f"{name}.py").rename(room / f"{name}.py")
        for path in (registered, *methods.rglob("*.py")):
            text = path.read_text()
            path.write_text(
                re.sub(r"\bddbench\.methods\.(catalog|coreset|embedder)\b", r"ddbench.methods.room.\1", text)
            )
        assert "ddbench.methods.room.catalog:herding" in registered.read_text()
        assert keys(environment)[1] == before


def test_the_kind_of_install_is_in_no_key(environment):
    """An editable install, a wheel and the checkout that runs the tests plan the same stages."""
    found = json.loads(run(sys.executable, "-c", KEYS, cwd=environment.folder))[1]
    assert keys(environment)[1] == found


@pytest.fixture
def repository(tmp_path):
    """A user's own, with packages that are called as folders of ours."""
    for name in ("methods", "results", "configs"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text('OWNER = "user"\n')
    return tmp_path


STUDY = """\
import ddbench

assert [__import__(name).OWNER for name in ("methods", "results", "configs")] == ["user"] * 3
study = ddbench.study(
    methods=["random", "mine"],
    ipc=[1],
    seeds=[0],
    eval_seeds=[0],
    protocol="cpu-small@1[epochs_by_ipc=[[1000, 1]]]",
    plugins=["mine.py"],
)
results = ddbench.run(study, "store", executor="inline")
print(results.frame()[["method", "outcome"]].to_csv(index=False))
"""


def test_a_generated_test_passes_in_a_repository_with_packages_of_our_folders_names(repository, from_wheel):
    from_wheel.bench("new", "method", "mine", cwd=repository)
    assert "1 passed" in run(from_wheel.python, "-m", "pytest", "-q", cwd=repository)


def test_a_script_runs_a_study_in_a_repository_with_packages_of_our_folders_names(repository, editable):
    (repository / "study.py").write_text(STUDY)
    editable.bench("new", "method", "mine", cwd=repository)
    done = run(editable.python, "study.py", cwd=repository)
    assert done.split() == ["method,outcome", "random,ok", "mine,ok"]
