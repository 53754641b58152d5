"""What a shell proposes on Tab."""

from pathlib import Path

import pytest
from click.shell_completion import ShellComplete

from ddbench.cli.main import bench
from tests.support.store import make_store

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
        (["info", "network/convnet3-w"], ["network/convnet3-w32"]),
        (["export", "--dataset", "digits,imagew"], ["digits,imagewoof"]),
        (["info", "minim"], ["minimax", "minimax-sgd@1", "minimax-sgd@2"]),
    ],
)
def test_names_are_completed(words, names):
    assert proposed(*words) == names


def test_the_beginning_of_a_kind_is_completed_with_its_names():
    found = proposed("info", "gu")
    assert "guidance/cgs" in found
    assert all(name.startswith("guidance/") for name in found)


def test_a_cell_of_the_store_is_completed_up_to_where_cells_part(tmp_path):
    make_store(tmp_path / "s", methods=("random", "dm"), ipc=(1,), seeds=2, eval_seeds=1)
    show = ["show", "--store", str(tmp_path / "s")]
    assert proposed(*show, "dig") == ["digits/random/", "digits/dm/"]
    assert proposed(*show, "digits/r") == [f"digits/random/ipc1/seed{n}/" for n in (0, 1)]
    assert proposed(*show, "digits/random/ipc1/seed1") == ["digits/random/ipc1/seed1/convnet3-w32/eval0"]
    assert proposed("show", "--store", str(tmp_path / "none"), "dig") == []


def test_a_study_is_a_name_or_a_file():
    found = proposed("run", "--config", "imagenette")
    named = {path.stem for path in CONFIGS.glob("imagenette*.yaml")}
    assert named > {"imagenette", "imagenette-small"}
    assert sorted(found) == sorted([*named, "imagenette"])  # and what is typed, as the beginning of a file's name
