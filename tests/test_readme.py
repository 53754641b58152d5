"""What the README shows is what happens."""

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def bench(*arguments, path="", cwd=None):
    return subprocess.run(
        [sys.executable, "-m", "benchmark.cli.main", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=240,
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(path), "COLUMNS": "200"},
    )


@pytest.fixture
def installed(tmp_path):
    """A folder that holds the README's method as an installed distribution with the README's entry point."""
    (code,) = re.findall(r"```python\n(.*?)```", README, re.S)
    (toml,) = re.findall(r"```toml\n(.*?)```", README, re.S)
    (tmp_path / "nearest_mean.py").write_text(code)
    about = tmp_path / "someone_else-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: someone-else\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(f"[bench.methods]\n{toml.splitlines()[1].replace(chr(34), '')}\n")
    return tmp_path


def test_the_method_of_the_readme_is_listed_run_and_in_the_table(installed, tmp_path):
    listed = {m["name"]: m for m in json.loads(bench("list", "methods", "--json", path=installed).stdout)}
    assert listed["nearest_mean"]["origin"] == "someone-else 1.0"
    assert listed["nearest_mean"]["summary"] == "real images nearest to their class mean"
    options = ["--methods", "random,nearest_mean", "--ipc", "1", "--seeds", "0", "--eval-seeds", "0"]
    for executor in ("inline", "ray"):
        store = tmp_path / executor
        setting = "methods.nearest_mean.jitter=0.2"
        done = bench(
            "run", *options, "--set", setting, "--store", store, "--executor", executor, "--json", path=installed
        )
        assert done.returncode == 0, done.stderr
        assert [row["method"] for row in json.loads(done.stdout)["table"]] == ["random", "nearest_mean"]


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


def commands():
    """The indented ``bench`` lines of the README and the guides, but for those that need data of the reader's."""
    pages = [README, *(path.read_text() for path in sorted((ROOT / "docs").glob("*.md")))]
    lines = [line.split("#")[0].strip() for page in pages for line in page.splitlines()]
    found = [line for line in lines if re.match(r"bench [a-z]+( |$)", line)]
    return [line for line in dict.fromkeys(found) if not any(word in line for word in ("FOLDER", "/shared"))]


READS_A_STORE = {
    "compare",
    "export",
    "leaderboard",
    "merge",
    "report",
    "sensitivity",
    "shift",
    "show",
    "status",
    "table",
}


@pytest.fixture(scope="module")
def workplace(tmp_path_factory):
    """A folder in which the files lie that the guides start from."""
    folder = tmp_path_factory.mktemp("guide")
    for kind, name in (("method", "my_method"), ("objective", "my_term")):
        assert bench("new", kind, name, cwd=folder).returncode == 0
    return folder


@pytest.mark.parametrize("command", commands())
def test_every_command_of_the_guides_is_accepted(command, workplace, tmp_path):
    """Planned, not run: the runs themselves are other tests and the smoke study."""
    _, verb, *rest = shlex.split(command)
    if verb == "new":
        rest += ["--out", str(tmp_path)]
    if verb == "run" and "--dry-run" not in rest:
        rest.append("--dry-run")
    if verb == "tune":
        rest += ["--store", "/proc/no/store"]
    done = bench(verb, *rest, cwd=workplace)
    if verb in READS_A_STORE or "--tuned" in rest:
        assert "there is no store" in done.stderr  # the options were understood
    elif verb == "tune":
        assert "cannot write to the store" in done.stderr  # the trials were planned
    else:
        assert done.returncode == 0, done.stderr


def test_a_command_that_needs_data_says_so(tmp_path):
    done = bench("run", "--config", "imagenette-small", "--set", "data.imagenette.root=FOLDER", cwd=tmp_path)
    assert done.returncode == 2
    assert "there is no folder" in done.stderr


def test_every_path_of_the_readme_exists():
    for name in re.findall(r"`((?:benchmark|methods|evaluators|results|configs|tests|docs)/[\w./-]*)`", README):
        assert (ROOT / name).exists(), name
    assert (ROOT / "docs" / "digits-ipc1.png").exists()
