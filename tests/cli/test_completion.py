"""What a shell proposes on Tab."""

from pathlib import Path

import pytest
from click.shell_completion import ShellComplete

from ddbench.cli.main import bench

CONFIGS = Path(__file__).parents[2] / "configs"


def proposed(*words):
    *before, incomplete = words
    return [item.value for item in ShellComplete(bench, {}, "bench", "").get_completions(before, incomplete)]


@pytest.mark.parametrize(
    ("words", "names"),
    [
        (["run", "--methods", "rs"], ["rsm", "rsm_cgs"]),
        (["run", "--methods", "rsm,rs"], ["rsm,rsm_cgs"]),
        (
            ["table", "--archs", "convnet3-w32,resnet18"],
            [f"convnet3-w32,{name}" for name in ("resnet18", "resnet18-bn", "resnet18-modified")],
        ),
        (["evaluate", "folder", "--dataset", "dig"], ["digits"]),
        (["export", "--datasets", "digits,imagew"], ["digits,imagewoof"]),
        (["plan", "--protocol", "minimax-sgd@"], ["minimax-sgd@1", "minimax-sgd@2"]),
        (["tune", "minim"], ["minimax"]),
        (["info", "objective/m"], ["objective/minimax"]),
        (["info", "minim"], ["minimax", "minimax-sgd@1", "minimax-sgd@2"]),
    ],
)
def test_names_are_completed(words, names):
    assert proposed(*words) == names


def test_a_study_is_a_name_or_a_file():
    found = proposed("run", "--config", "imagenette")
    named = {path.stem for path in CONFIGS.glob("imagenette*.yaml")}
    assert named > {"imagenette", "imagenette-small"}
    assert sorted(found) == sorted([*named, "imagenette"])  # and what is typed, as the beginning of a file's name
