"""The watchers that docs/watchers.md shows, run against stand-ins that keep the calls they get."""

import json
import re
import shlex
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from ddbench.store.opening import open_store
from tests.plugins.test_plugins import plugin  # noqa: F401  (a fixture
from tests.support.invoke import invoke

PAGE = Path(__file__).parents[2] / "docs" / "watchers.md"
COMMANDS = dict(re.findall(r"```sh\nbench (run --plugin (\w+)\.py .*)\n```", PAGE.read_text()))
COMMANDS = {file: command for command, file in COMMANDS.items()}
EXAMPLES = dict(re.findall(r"```python\n# (\w+)\.py\n(.*?)```", PAGE.read_text(), re.DOTALL))
RUN = ["--methods", "random", "--ipc", "1", "--seeds", "0-1", "--eval-seeds", "0", "--executor", "inline"]
RUN += ["--protocol", "cpu-small@1[epochs_by_ipc=[[1000, 2]]]"]


@pytest.fixture
def watched(tmp_path, plugin, monkeypatch):  # noqa: F811
    """Runs the page's command, of two cells, with a stand-in for the library: its exit code and the store's records."""

    def run(file, library, module, *more):
        path = plugin(file, EXAMPLES[file])
        monkeypatch.setitem(sys.modules, library, module)
        command = shlex.split(COMMANDS[file].replace(f"{file}.py", str(path)))
        done = invoke(*command, *RUN, *more, "--store", tmp_path / "store")
        assert "failed at" not in done.stderr
        return done.returncode, open_store(tmp_path / "store", create=False).records()

    return run


def test_the_page_shows_two_of_about_fifteen_lines():
    assert set(EXAMPLES) == {"to_wandb", "to_mlflow"}
    for text in EXAMPLES.values():
        body = text[text.index("@register") :]
        assert len([line for line in body.splitlines() if line.strip()]) <= 15


def wandb():
    """Takes what ``wandb.init``, ``log`` and ``finish`` take, of the names that the page uses."""
    calls = []

    def init(*, project, name, config):
        json.dumps(config)
        calls.append(("init", project, name, config))

    def log(data):
        assert calls[0][0] == "init"
        assert all(re.fullmatch("[_a-zA-Z][_a-zA-Z0-9]*", key) for key in data)
        calls.append(("log", data))

    def finish(exit_code=None):
        calls.append(("finish", exit_code))

    return SimpleNamespace(init=init, log=log, finish=finish), calls


def test_weights_and_biases_gets_a_row_for_each_record(watched):
    module, calls = wandb()
    code, records = watched("to_wandb", "wandb", module)
    assert code == 0
    assert calls[0][:3] == ("init", "my-project", "digits")
    assert calls[0][3]["grid"]["methods"] == ["random"]
    rows = [call[1] for call in calls if call[0] == "log"]
    want = [{**vars(record.cell), "outcome": "ok", "top1": record.last} for record in records]
    assert sorted(rows, key=lambda row: row["seed"]) == sorted(want, key=lambda row: row["seed"])
    assert calls[-1] == ("finish", 0)


def test_weights_and_biases_hears_of_failures(watched):
    module, calls = wandb()
    code, _ = watched("to_wandb", "wandb", module, "--set", "resources.evaluate.cpus=999")
    assert code == 1
    rows = [call[1] for call in calls if call[0] == "log"]
    assert [row["outcome"] for row in rows] == ["failed"] * 2
    assert not any("top1" in row for row in rows)
    assert calls[-1] == ("finish", 1)


def test_mlflow_gets_a_run_for_each_cell_below_that_of_the_study(watched):
    runs, active = [], []

    class Active:
        def __enter__(self):
            return self

        def __exit__(self, *error):
            end_run("FAILED" if error[0] else "FINISHED")

    def start_run(*, run_name, nested=False):
        assert nested or not active, "another run is active"
        active.append({"name": run_name, "below": [run["name"] for run in active], "params": {}, "top1": []})
        runs.append(active[-1])
        return Active()

    def log_params(params):
        active[-1]["params"] |= params

    def log_metric(key, value, step=None):
        active[-1][key].append((step, value))

    def end_run(status="FINISHED"):
        active.pop()["status"] = status

    module = SimpleNamespace(start_run=start_run, log_params=log_params, log_metric=log_metric, end_run=end_run)
    code, records = watched("to_mlflow", "mlflow", module)
    assert (code, active) == (0, [])
    study, *cells = runs
    assert (study["name"], study["status"], study["params"]) == ("digits", "FINISHED", {})
    found = {run["name"]: run for run in cells}
    assert set(found) == {str(record.cell) for record in records}
    for record in records:
        run = found[str(record.cell)]
        assert run["below"] == ["digits"]
        assert run["params"] == {**vars(record.cell), "outcome": "ok"}
        assert run["top1"] == list(record.curve)
