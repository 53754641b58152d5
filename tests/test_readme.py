"""What the README shows is what happens."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.invoke import own_process

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def bench(*arguments, path="", cwd=None):
    return own_process(*arguments, cwd=cwd, PYTHONPATH=str(path), COLUMNS="200")


PROJECT = """\
[build-system]
requires = ["setuptools"]
build-backend = "setuptools.build_meta"

[project]
name = "someone-else"
version = "1.0"

[tool.setuptools]
py-modules = ["nearest_mean"]

"""


@pytest.fixture
def installed(tmp_path):
    """A folder into which pip has installed a package of the README's method with the README's entry point."""
    (code,) = re.findall(r"```python\n(.*?)```", README, re.S)
    (instance,) = re.findall(r"```py\n(nearest_mean = .*?)```", README, re.S)
    code = re.sub(r".*register.*\n", "", code) + "\n\n" + instance
    (toml,) = re.findall(r"```toml\n(.*?)```", README, re.S)
    source, target = tmp_path / "source", tmp_path / "installed"
    source.mkdir()
    (source / "nearest_mean.py").write_text(code)
    (source / "pyproject.toml").write_text(PROJECT + toml)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--target", str(target)]
    subprocess.run([*pip, "--no-deps", "--no-build-isolation", "--no-index", str(source)], check=True, timeout=120)
    return target


def test_the_file_of_the_readme_is_a_plug_in(tmp_path):
    (code,) = re.findall(r"```python\n(.*?)```", README, re.S)
    (tmp_path / "nearest_mean.py").write_text(code)
    options = ["--methods", "random,nearest_mean", "--ipc", "1", "--set", "methods.nearest_mean.jitter=0.2"]
    done = bench("run", "--plugin", "nearest_mean.py", *options, "--dry-run", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "digits/nearest_mean/ipc1/seed0" in done.stdout


@pytest.mark.slow
def test_the_method_of_the_readme_is_listed_run_and_in_the_table(installed, tmp_path):
    listed = {m["name"]: m for m in json.loads(bench("list", "methods", "--json", path=installed).stdout)}
    assert listed["nearest_mean"]["origin"] == "someone-else 1.0"
    assert listed["nearest_mean"]["summary"] == "real images nearest to their class mean"
    options = ["--methods", "random,nearest_mean", "--ipc", "1", "--seeds", "0", "--eval-seeds", "0"]
    found = {}
    for executor in ("inline", "ray"):
        store = tmp_path / executor
        setting = "methods.nearest_mean.jitter=0.2"
        done = bench(
            "run", *options, "--set", setting, "--store", store, "--executor", executor, "--json", path=installed
        )
        assert done.returncode == 0, done.stderr
        rows = json.loads(done.stdout)["table"]
        assert [row["method"] for row in rows] == ["random", "nearest_mean"]
        found[executor] = [row["top1_mean"] for row in rows]
    assert found["inline"] == found["ray"]
    assert None not in found["ray"]


def test_a_method_that_cannot_be_imported_fails_with_its_origin_and_only_where_it_is_used(installed):
    (installed / "nearest_mean.py").write_text("import not_there\nnearest_mean = 1\n")
    assert bench("run", "--methods", "random", "--dry-run", path=installed).returncode == 0
    done = bench("run", "--methods", "random,nearest_mean", "--dry-run", path=installed)
    assert done.returncode == 0
    assert "registered by someone-else 1.0" in done.stderr
    assert "ModuleNotFoundError: No module named 'not_there'" in done.stderr
    (installed / "nearest_mean.py").write_text("def broken(:\n")
    listed = {m["name"]: m for m in json.loads(bench("list", "methods", "--json", path=installed).stdout)}
    assert listed["nearest_mean"]["summary"].startswith("BROKEN: SyntaxError")


def test_a_command_that_needs_data_says_so(tmp_path):
    done = bench("run", "--config", "imagenette-small", "--set", "data.imagenette.root=FOLDER", cwd=tmp_path)
    assert done.returncode == 2
    assert "there is no folder" in done.stderr


def test_every_path_of_the_readme_exists():
    for name in re.findall(r"`((?:benchmark|methods|evaluators|results|configs|tests|docs)/[\w./-]*)`", README):
        assert (ROOT / name).exists(), name
    assert (ROOT / "docs" / "digits-ipc1.png").exists()


def tree():
    """The paths of the README's tree of folders."""
    (text,) = re.findall(r"```text\n(benchmark/ .*?)```", README, re.S)
    path: list[str] = []
    for line in text.splitlines():
        depth = (len(line) - len(line.lstrip())) // 4
        name, comment = line.split(maxsplit=1)
        assert comment
        path[depth:] = [name.rstrip("/")]
        yield "/".join(path)


def test_the_tree_of_the_readme_shows_every_package_that_one_reads_first():
    shown = set(tree())
    assert [path for path in shown if not (ROOT / path).exists()] == []
    for folder in ("benchmark", "methods/diffusion", "results", "evaluators"):
        packages = {str(init.parent.relative_to(ROOT)) for init in (ROOT / folder).glob("*/__init__.py")}
        assert {folder, *packages} <= shown
