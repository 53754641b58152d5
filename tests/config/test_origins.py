"""A slip is blamed on the place where it was typed: a line of a file, an option, a --set, a parameter."""

import pytest

import ddbench
from ddbench.config.schema import load_config
from ddbench.config.study import resolve
from ddbench.errors import BenchError
from tests.support.invoke import invoke

STUDY = """\
name: own
grid:
  datasets: [digits]
  methods:
    - random
    - rsm[weight=grid(0.1,0.2)]
    - {method}
  ipc: [1, {ipc}]
  archs: [{arch}]
  protocol: {protocol}
  seeds: [0]
  eval_seeds: [0]
methods: {{dm: {{embedder: {embedder}}}}}
"""
RIGHT = {"method": "dm", "ipc": 2, "arch": "convnet3-w32", "protocol": "cpu-small@1", "embedder": "convnet3-w32"}


@pytest.mark.parametrize(
    ("slip", "message"),
    [
        ({"method": "rsmm"}, "line 7: unknown method 'rsmm'. Did you mean 'rsm'?"),
        (
            {"method": "rsm[wieght=1]"},
            "line 7: unknown key 'wieght' in rsm[wieght=1]. Did you mean 'objective.weight'?",
        ),
        ({"method": "rsm[weight=grid(]"}, "line 7: "),
        ({"method": "random"}, "line 7: grid.methods names 'random' twice"),
        ({"ipc": 500}, "line 8: ipc 500 is more than digits has"),
        ({"ipc": 1}, "line 8: grid.ipc names 1 twice"),
        ({"ipc": "one"}, "bad value 'one' for grid.ipc.1 in "),
        ({"arch": "convnet3-w3"}, "line 9: unknown arch 'convnet3-w3'. Did you mean 'convnet3-w32'?"),
        ({"protocol": "cpu-small"}, "line 10: unknown protocol"),
        ({"embedder": "convnet33"}, "line 13: unknown arch 'convnet33'"),
    ],
)
def test_of_a_file_the_line(tmp_path, slip, message):
    path = tmp_path / "own.yaml"
    path.write_text(STUDY.format(**{**RIGHT, **slip}))
    with pytest.raises(BenchError) as error:
        resolve(load_config(str(path), {}, []))
    assert message in str(error.value)
    assert f"{path}, line" in str(error.value)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--methods", "random,rsmm"], "bench: --methods: unknown method 'rsmm'"),
        (
            ["--methods", "rsm[wieght=1]"],
            "bench: --methods: unknown key 'wieght' in rsm[wieght=1]. Did you mean 'objec",
        ),
        (["--set", "grid.methods=[rsmm]"], "bench: --set 'grid.methods=[rsmm]': unknown method"),
        (
            ["--set", "methods.rsm.weight=abc"],
            "bench: --set 'methods.rsm.weight=abc': bad value 'abc' for methods.rsm.objective.weight: it must be a num",
        ),
        (
            ["--set", "methods.rsm={weight: -1}"],
            "bench: --set 'methods.rsm={weight: -1}': bad value -1 for methods.rsm.ob",
        ),
        (["--eval-seeds", "0,0"], "bench: --eval-seeds: grid.eval_seeds names 0 twice"),
        (["--ipc", "5000"], "bench: --ipc: ipc 5000 is more"),
        (["--set", "grid.ipc=[]"], "bench: grid.ipc in --set 'grid.ipc=[]' is empty: name at least one."),
        (["--methods", ""], "bench: --methods is empty: name at least one, or leave it out. Example: --methods random"),
        (["--archs", " , "], "bench: --archs is empty"),
        (["--datasets", ""], "bench: --datasets is empty"),
    ],
)
def test_of_a_command_the_option(arguments, message):
    done = invoke("run", *arguments, "--dry-run")
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr


def test_of_python_the_parameter():
    with pytest.raises(BenchError, match=r"^methods=: unknown method 'rsmm'"):
        ddbench.study(methods=["rsmm"])
    with pytest.raises(BenchError, match=r"grid.methods in methods= is empty"):
        ddbench.study(methods=[])
    with pytest.raises(BenchError, match=r"^set=\{'methods.dm.lrr': ...\}: unknown key 'lrr'"):
        ddbench.study(set={"methods.dm.lrr": 1})
