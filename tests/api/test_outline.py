"""The first lines of a run: what it will do, for how long, where results will be, and what is at a paper's size."""

from pathlib import Path

import pytest

from ddbench.api.outline import outline, recorded_costs, time_in_words
from ddbench.api.stores import store_option
from ddbench.api.study import plan_of_study, study
from ddbench.execute.pace import minutes
from ddbench.plan.graph import Stage
from tests.support.invoke import invoke
from tests.support.light import loaded_by

BARE = """name: bare
grid: {datasets: [digits], methods: [%s], ipc: [1], archs: [convnet3-w32], protocol: cpu-small@1, seeds: [0, 1],
       eval_seeds: [0]}
"""


def plan_of(tmp_path, methods="random, dm, rsm", **changes):
    (tmp_path / "bare.yaml").write_text(BARE % methods)
    return plan_of_study(study(tmp_path / "bare.yaml", set=changes))


def lines_of(tmp_path, plan, cost=lambda stage: None):
    return list(outline("bare", plan, plan.stages, tmp_path / "store", cost, 1))


def chain(*seconds):
    """Stages each of which waits for the one before, and what they cost."""
    task = {"stage": "fit", "dataset": {"name": "d"}, "threads": 1, "device": "cpu"}
    ahead = {str(n): Stage("fit", str(n), {**task, "ipc": n}, (str(n - 1),), f"d/{n}") for n in range(len(seconds))}
    return ahead, lambda stage: seconds[int(stage.key)]


def test_what_for_how_long_and_where(tmp_path):
    first, stages, time, then, *_ = lines_of(tmp_path, plan_of(tmp_path))
    assert first == f"bare: 6 cells; results: {tmp_path / 'store'}"
    assert stages == "14 stages to run: 1 prior, 1 fit, 6 distill, 6 evaluate"
    assert time.startswith("time: unknown")
    assert then == f"then: `bench report --store {tmp_path / 'store'}` writes report.html"


def test_nothing_to_run_is_one_line(tmp_path):
    plan = plan_of(tmp_path, "random")
    (line,) = outline("bare", plan, {}, tmp_path, lambda stage: None, 1)
    assert line == f"bare: 2 cells, 2 already there; results: {tmp_path}"


def test_the_time_is_the_work_or_the_longest_chain():
    ahead, cost = chain(60, 30)
    assert time_in_words(ahead, cost, 1) == "about 1:30 of work, as measured in this store"
    assert time_in_words(ahead, cost, 4).startswith("about 1:30 of work, 1:30 on 4 processors")


def test_stages_of_unknown_cost_are_counted():
    ahead, cost = chain(60, None, None)
    assert time_in_words(ahead, cost, 1).startswith("at least 1:00 of work")
    assert time_in_words(ahead, cost, 1).endswith("2 of 3 stages are of unknown cost")


def test_a_run_its_dry_run_and_the_plan_say_the_same_of_cost(tmp_path):
    (tmp_path / "bare.yaml").write_text(BARE % "rsm")
    study = ["--config", tmp_path / "bare.yaml", "--store", tmp_path / "store"]
    told = [
        [line for line in invoke(*command, *study).stdout.splitlines() if line.startswith(("time: ", "paper size: "))]
        for command in (["run", "--dry-run", "--executor", "auto"], ["plan"])
    ]
    lines = lines_of(tmp_path, plan_of(tmp_path, "rsm"))
    assert told[0] == told[1] == [lines[2], *lines[4:]]
    assert len(lines) == 6
    assert "no rate on a processor is known" in lines[2]


def test_on_a_card_the_time_is_of_the_rates_that_come_along(tmp_path):
    plan = plan_of(tmp_path, "rsm", device="cuda")
    time = lines_of(tmp_path, plan)[2]
    steps = 1000 * 2 + 12_000  # of 64 images, where 32 were measured, and of 8
    assert time.startswith(f"time: about {minutes(steps * 0.0198)} of a card, by the rates of NVIDIA H200; ")
    assert time.endswith("4 of 6 stages are of unknown cost")


def test_a_paper_s_size_on_a_small_dataset_is_told_with_the_key_that_changes_it(tmp_path):
    told = {line.split(":")[1].split()[0]: line for line in lines_of(tmp_path, plan_of(tmp_path))[4:]}
    assert set(told) == {"prior", "fit", "distill"}
    assert "12,000 steps of 8 images" in told["fit"]
    assert "88 times each of 1,087 train images" in told["fit"]
    assert told["fit"].endswith("--set methods.diffusion.finetune.steps=N")
    assert told["prior"].endswith("--set methods.diffusion.prior.training.steps=N")
    assert told["distill"].endswith("--set methods.dm.iterations=N")
    assert "digits/dm/ipc1/seed0 and 1 more" in told["distill"]


def test_steps_that_were_chosen_are_not_told(tmp_path):
    keys = ("methods.diffusion.finetune.steps", "methods.diffusion.prior.training.steps", "methods.dm.iterations")
    plan = plan_of(tmp_path, **dict.fromkeys(keys, 7000))
    assert not [line for line in lines_of(tmp_path, plan) if line.startswith("paper size")]


@pytest.mark.parametrize("name", ["digits", "smoke"])
def test_the_studies_that_come_along_are_of_their_dataset_s_size(name, tmp_path):
    plan = plan_of_study(study(name))
    assert not [line for line in lines_of(tmp_path, plan) if line.startswith("paper size")]


def test_costs_are_unknown_where_there_is_no_store(tmp_path):
    ahead, _ = chain(1)
    assert recorded_costs(tmp_path / "none")(ahead["0"]) is None
    assert recorded_costs("s3://nowhere/at-all")(ahead["0"]) is None
    assert not (tmp_path / "none").exists()


def test_a_command_names_the_store_unless_it_is_the_default_one():
    assert store_option("bench-store") == ""
    assert store_option(Path.cwd() / "bench-store") == ""
    assert store_option("my store") == " --store 'my store'"
    assert store_option("s3://b/p") == " --store s3://b/p"


def test_nothing_heavy_is_imported_for_it(tmp_path):
    (tmp_path / "bare.yaml").write_text(BARE % "random, dm, rsm")
    code = (
        "from ddbench.api.outline import outline, recorded_costs\n"
        "from ddbench.api.study import plan_of_study, study\n"
        f"plan = plan_of_study(study({str(tmp_path / 'bare.yaml')!r}))\n"
        f"list(outline('bare', plan, plan.stages, {str(tmp_path)!r}, recorded_costs({str(tmp_path / 's')!r}), 2))"
    )
    assert {"torch", "ray", "pandas", "matplotlib"}.isdisjoint(loaded_by(code))
