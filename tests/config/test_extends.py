"""Studies that extend another: what is merged, what is replaced, and whose slip it is."""

import pytest
import yaml

from ddbench.config.files import named_configs, read_study
from ddbench.config.schema import load_config
from ddbench.config.study import resolve
from ddbench.errors import BenchError

BASE = """\
name: base
description: of the base
grid: {datasets: [digits], methods: [random], ipc: [1, 10], archs: [convnet3-w32], protocol: cpu-small@1, seeds: [0, 1],
  eval_seeds: [0]}
methods:
  dm:
    lr: 2
    iterations: 5
"""


@pytest.fixture
def write(tmp_path):
    def write(name, text):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return str(path)

    write("base.yaml", BASE)
    return write


def test_mappings_are_merged_and_lists_replaced(write):
    config = load_config(write("own.yaml", "extends: base.yaml\ngrid: {ipc: [5]}\nmethods: {dm: {lr: 7}}\n"), {}, [])
    assert config.grid.ipc == (5,)
    assert (config.grid.seeds, config.grid.methods) == ((0, 1), ("random",))
    assert config.methods == {"dm": {"lr": 7, "iterations": 5}}


def test_a_file_of_one_line_is_the_study_it_extends_under_its_own_name(write):
    path = write("mine.yaml", "extends: digits\n")
    mine, digits = (load_config(name, {}, []).model_dump() for name in (path, "digits"))
    assert (mine["name"], mine["description"]) == ("mine", "")
    for key in ("name", "description"):
        del mine[key], digits[key]
    assert mine == digits


def test_extending_does_not_change_the_study_that_is_extended(write):
    load_config(write("own.yaml", "extends: digits\nmethods: {cgs: {guidance: {eta_dm: 9}}}\n"), {}, [])
    written = yaml.safe_load(named_configs()["digits"].read_text())["methods"]["rsm_cgs"]
    own = read_study(write("own.yaml", "extends: digits\nmethods: {cgs: {guidance: {eta_dm: 9}}}\n"))[0]
    assert own["methods"]["rsm_cgs"] == written, "an anchor of the file shares both"
    assert own["methods"]["cgs"]["guidance"] == {"eta_dpp": 0.1, "eta_dm": 9}


def test_options_of_another_type_replace_those_of_the_one_before(write):
    text = "extends: digits\nmethods: {cgs: {guidance: {type: mgd3, scale: 2}}}\n"
    assert read_study(write("own.yaml", text))[0]["methods"]["cgs"]["guidance"] == {"type": "mgd3", "scale": 2}
    resolve(load_config(write("own.yaml", text), {}, []))


def test_a_chain_is_followed_and_paths_are_relative_to_their_file(write):
    write("sub/middle.yaml", "extends: ../base.yaml\nmethods: {dm: {lr: 3}}\nsplit: validation\n")
    path = write("other/last.yaml", "name: last\nextends: ../sub/middle.yaml\nmethods: {dm: {iterations: 6}}\n")
    config = load_config(path, {}, [])
    assert (config.name, config.split, config.methods) == ("last", "validation", {"dm": {"lr": 3, "iterations": 6}})
    lr = config.origins["methods.dm.lr"]
    assert (lr.source.endswith("/sub/middle.yaml"), lr.line, lr.extended) == (True, 2, True)
    assert "/../" not in lr.source
    assert not config.origins["methods.dm.iterations"].extended


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (
            {"a.yaml": "extends: a.yaml\n"},
            r"a.yaml, line 1: studies extend each other in a circle: .*a.yaml -> .*a.yaml",
        ),
        ({"b.yaml": "extends: a.yaml\n", "a.yaml": "\nextends: b.yaml\n"}, r"b.yaml, line 1: .* in a circle"),
        (
            {"a.yaml": "name: x\nextends: digit\n"},
            r"a.yaml, line 2: unknown config 'digit' in extends. Did you mean 'dig",
        ),
        ({"a.yaml": "extends: no.yaml\n"}, r"a.yaml, line 1: unknown config 'no.yaml' in extends.*There is no file /"),
        ({"a.yaml": "extends: [digits, smoke]\n"}, r"a.yaml, line 1: extends takes the name of one study"),
        ({"a.yaml": "extends:\n"}, r"a.yaml, line 1: extends takes the name of one study"),
        ({"a.yaml": "extend: digits\n"}, r"unknown key 'extend' in .*a.yaml, line 1. Did you mean 'extends'"),
        (
            {"a.yaml": "extends: base.yaml\ngrid: {sedes: [1]}\n"},
            r"'sedes' in .*a.yaml, line 2, section grid. .*'seeds'",
        ),
        ({"a.yaml": "extends: b.yaml\n", "b.yaml": f"{BASE}    lrr: 1\n"}, r"b.yaml, line 9: unknown key 'lrr'"),
    ],
)
def test_a_slip_is_told_with_the_file_and_line_that_hold_it(write, files, message):
    paths = {name: write(name, text) for name, text in files.items()}
    with pytest.raises(BenchError, match=message):
        resolve(load_config(paths["a.yaml"], {}, []))


def test_extending_is_for_files():
    with pytest.raises(BenchError, match="Use --config smoke"):
        load_config("digits", {}, ["extends=smoke"])
