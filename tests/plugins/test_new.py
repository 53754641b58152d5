"""``bench new``: what it writes works and passes its own test as it is."""

import contextlib
import shlex
import subprocess
import sys
from typing import get_args

import pytest

from ddbench.plugins.scaffold.write import UNCHECKED, Kind
from tests.plugins.test_plugins import plugin  # noqa: F401  (a fixture: forgets what plug-ins registered
from tests.support.invoke import invoke

pytestmark = pytest.mark.slow

QUICK = ["--ipc", "1", "--seeds", "0", "--eval-seeds", "0", "--protocol", "cpu-small@1[epochs_by_ipc=[[1000, 1]]]"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("new")
    for kind in get_args(Kind):
        done = invoke("new", kind, f"my_{kind}", "--out", folder)
        assert done.returncode == 0, done.stderr
    return folder


def test_every_generated_test_passes(folder):
    done = subprocess.run([sys.executable, "-m", "pytest", "-q", str(folder)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    assert "13 passed" in done.stdout


@pytest.mark.parametrize("kind", [kind for kind in get_args(Kind) if kind not in UNCHECKED])
def test_the_check_that_its_page_names_passes_as_generated(folder, kind, plugin):  # noqa: F811
    (command,) = [line for line in (folder / f"my_{kind}.md").read_text().splitlines() if "bench check" in line]
    assert f"my_{kind}" in command.partition("--plugin")[2].partition(".py")[2]
    with contextlib.chdir(folder):
        done = invoke(*shlex.split(command)[1:])
    assert done.returncode == 0, done.stdout + done.stderr
    sys.modules.pop(f"my_{kind}")


@pytest.mark.parametrize(("kind", "option"), [("dataset", "--datasets"), ("network", "--archs")])
def test_a_generated_dataset_and_network_run_in_a_study(folder, kind, option, tmp_path, plugin):  # noqa: F811
    path = folder / f"my_{kind}.py"
    arguments = ["--methods", "random", option, f"my_{kind}", *QUICK, "--executor", "inline"]
    done = invoke("run", "--plugin", path, *arguments, "--store", tmp_path / "store")
    assert done.returncode == 0, done.stderr
    assert f"my_{kind}" in done.stdout
    sys.modules.pop(path.stem)


def test_a_generated_protocol_judges_a_study(folder, tmp_path, plugin):  # noqa: F811
    path = folder / "my_protocol.py"
    options = [*QUICK[:-1], "my_protocol@1[epochs_by_ipc=[[1000, 1]]]", "--executor", "inline"]
    done = invoke("run", "--plugin", path, "--methods", "random", *options, "--store", tmp_path / "store")
    assert done.returncode == 0, done.stderr
    assert "protocol my_protocol@1" in done.stdout
    sys.modules.pop(path.stem)


def test_the_command_that_the_page_of_a_watcher_names_tells_it_of_the_run(folder, tmp_path, plugin):  # noqa: F811
    (command,) = [line for line in (folder / "my_watcher.md").read_text().splitlines() if "bench run" in line]
    with contextlib.chdir(folder):
        done = invoke(*shlex.split(command)[1:], *QUICK[2:], "--executor", "inline", "--store", tmp_path / "store")
    assert done.returncode == 0, done.stderr
    first, record, last = (folder / "my_watcher.txt").read_text().splitlines()
    assert first.startswith("digits: 1 cells")
    assert record.startswith("digits/random/ipc1/seed0/")
    assert last == "ok: 1 cells made, 0 failed"
    sys.modules.pop("my_watcher")


@pytest.mark.parametrize("name", ["My-Method", "class", "1st", "a b"])
def test_a_name_that_python_cannot_import_is_refused(tmp_path, name):
    done = invoke("new", "method", name, "--out", tmp_path)
    assert done.returncode == 2
    assert "small letters, digits and underscores" in done.stderr


def test_an_arch_is_another_word_for_a_network(tmp_path):
    done = invoke("new", "arch", "my_net", "--out", tmp_path)
    assert done.returncode == 0
    assert {path.name for path in tmp_path.iterdir()} >= {"my_net.py", "my_net.card.yaml"}


def test_nothing_is_overwritten(tmp_path):
    assert invoke("new", "method", "mine", "--out", tmp_path).returncode == 0
    (tmp_path / "mine.py").write_text("precious")
    done = invoke("new", "method", "mine", "--out", tmp_path)
    assert done.returncode == 2
    assert "exists already" in done.stderr
    assert (tmp_path / "mine.py").read_text() == "precious"
