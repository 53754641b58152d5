"""``bench config show``: each value with its origin, in a form that is the same study again."""

import json
import re
from pathlib import Path

import pytest
import yaml

from ddbench.config.files import named_configs
from ddbench.config.schema import load_config
from ddbench.config.shown import as_yaml, values_of
from ddbench.config.study import resolve
from ddbench.plan.build import make_plan
from tests.support.invoke import invoke
from tests.support.light import loaded_by_command

OWN = """\
extends: digits
grid: {methods: [random, "rsm[weight=0.1]", dm]}
threads: {prior: 2}
methods:
  dm: {lr: 7}
  diffusion: {objective: minimax}
  rsm: {objective: rsm, reduction: sum}
"""


@pytest.fixture
def own(tmp_path):
    path = tmp_path / "own.yaml"
    path.write_text(OWN)
    return path


def shown(path, *more):
    done = invoke("config", "show", "--config", path, *more)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("whole", [False, True])
def test_what_is_shown_is_the_same_study(own, tmp_path, whole):
    config = load_config(str(own), {"grid.ipc": [3]}, ["methods.rsm.finetune.steps=4", "compute={precision: bf16}"])
    study = resolve(config)
    again = tmp_path / "again.yaml"
    again.write_text(as_yaml(values_of(config, study if whole else None)))
    assert make_plan(resolve(load_config(str(again), {}, []))).cells == make_plan(study).cells
    if not whole:
        assert load_config(str(again), {}, []).model_dump() == config.model_dump()


def test_a_text_of_any_kind_is_kept(own, tmp_path):
    odd = "two\nlines: # and 'quotes' \t[é]"
    config = load_config(str(own), {"description": odd}, [])
    assert yaml.safe_load(as_yaml(values_of(config)))["description"] == odd


def test_every_value_says_where_it_comes_from(own):
    rows = json.loads(shown(own, "--ipc", "2", "--set", "split=validation", "--all", "--json"))
    origins = {".".join(row["key"]): row["origin"] for row in rows}
    digits = named_configs()["digits"].read_text().splitlines()
    line = {
        key: next(n for n, text in enumerate(digits, 1) if text.strip().startswith(key)) for key in ("archs", "width")
    }
    expected = {
        "name": "default",
        "grid.methods": f"{own}:2",
        "grid.ipc": "--ipc",
        "grid.archs": f"extended digits.yaml:{line['archs']}",
        "split": "--set 'split=validation'",
        "threads.prior": f"{own}:3",
        "threads.fit": "default",
        "methods.dm.lr": f"{own}:5",
        "methods.dm.momentum": "default",
        "methods.rsm.objective.type": f"{own}:7",
        "methods.rsm.objective.reduction": f"{own}:7",
        "methods.rsm.objective.weight": "default",
        "methods.rsm.prior.width": f"extended digits.yaml:{line['width']}",
    }
    assert {key: origins[key] for key in expected} == expected


def test_a_study_that_cannot_run_is_shown_with_what_is_wrong(own):
    done = invoke("config", "show", "--config", own, "--protocol", "cpu-small")
    assert done.returncode == 2
    assert "protocol: cpu-small" in done.stdout
    assert "--protocol: unknown protocol 'cpu-small'" in done.stderr


def test_it_is_light():
    assert loaded_by_command("config", "show", "--all") == []


def test_the_guide_shows_what_is_printed(tmp_path, monkeypatch):
    page = (Path(__file__).parents[2] / "docs/configurations.md").read_text()
    (mine,) = re.findall(r"```yaml\n(# mine.yaml\n.*?)```", page, re.S)
    told = re.findall(r"^ +(\w+): (.*?) +# (\S.*)$", page.split("prints the resolved study")[1].split("```")[1], re.M)
    (tmp_path / "mine.yaml").write_text(mine)
    monkeypatch.chdir(tmp_path)
    printed = shown("mine.yaml", "--set", "methods.rsm.weight=0.01")
    found = re.findall(r"^ +(\w+): (.*?) +# (\S.*)$", printed, re.M)
    assert len(told) == 3 and set(told) < set(found)
