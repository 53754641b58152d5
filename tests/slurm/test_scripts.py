"""The scripts for Slurm run under bash as Slurm would start them, with its variables and stand-ins for its commands."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ddbench.store.opening import open_store

pytestmark = pytest.mark.slow

SCRIPTS = Path(__file__).parents[2] / "configs/slurm"
STUDY = ["run", "--methods", "random", "--ipc", "1", "--seeds", "0-2", "--eval-seeds", "0"]
STUDY += ["--protocol", "cpu-small@1[epochs_by_ipc=[[1000, 1]]]"]

SRUN = """\
echo "srun $*" >> "$CALLS"
while [[ "$1" == --* ]]; do shift; done
exec "$@"
"""
RAY = """\
case "$1" in
    start) [ -n "$NO_HEAD" ] && exit 1
        trap 'echo "ray ended: $2" >> "$CALLS"; exit 0' TERM
        echo "ray $* token=${#RAY_AUTH_TOKEN} $RAY_AUTH_MODE" >> "$CALLS"
        touch "$CALLS.started"
        while true; do sleep 0.05; done ;;
    status) [ -e "$CALLS.started" ] && { [ -e "$CALLS.asked" ] && echo " 1 node_1" || touch "$CALLS.asked"; } ;;
esac
"""
COMMANDS = {
    "srun": SRUN,
    "scontrol": 'printf "node1\\nnode2\\nnode3\\n"',
    "hostname": 'if [ "$1" = --all-ip-addresses ]; then echo "fe80::1 10.0.0.7 10.0.0.8"; else echo node1; fi',
    "ray": RAY,
    "bench": 'trap \'echo "bench told" >> "$CALLS"; exit 130\' TERM\necho "bench $*" >> "$CALLS"\n'
    'if [[ "$*" == *--ray-address* ]]; then until [ "$(grep -c "^ray start" "$CALLS")" = 2 ]; do sleep 0.05; done; fi\n'
    'if [ "$1" = wait ]; then while true; do sleep 0.05; done; fi\n[ "$1" != fail ]',
}


@pytest.fixture
def slurm(tmp_path):
    """The environment of a job on three nodes; ``CALLS`` is a file with a line for each command."""
    (tmp_path / "bin").mkdir()
    for name, text in COMMANDS.items():
        (tmp_path / "bin" / name).write_text(f"#!/bin/bash\n{text}\n")
        (tmp_path / "bin" / name).chmod(0o755)
    variables = {"SLURM_JOB_ID": "12345678", "SLURM_JOB_NODELIST": "node[1-3]", "SLURM_CPUS_PER_TASK": "6"}
    variables |= {"SLURM_GPUS_ON_NODE": "2", "CALLS": str(tmp_path / "calls"), "NO_HEAD": "", "BENCH_WAIT": "0.05"}
    path = {"PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}"}
    return {**os.environ, **variables, **path}


def bash(script, *arguments, env):
    command = ["bash", str(SCRIPTS / script), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, env=env, timeout=200)


def calls(env):
    return Path(env["CALLS"]).read_text().splitlines()


def test_tasks_of_an_array_share_one_study(tmp_path):
    """The real ``bench``: two tasks with the same command and store."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    job = {"SLURM_ARRAY_JOB_ID": "77", "SLURM_ARRAY_TASK_COUNT": "2", "SLURM_JOB_ID": "78", "PATH": path}
    command = ["bash", str(SCRIPTS / "array.sh"), *STUDY, "--store", str(tmp_path / "store")]
    tasks = [
        subprocess.Popen(
            command,
            env={**os.environ, **job, "SLURM_ARRAY_TASK_ID": str(task)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for task in range(2)
    ]
    said = [task.communicate(timeout=250)[0] for task in tasks]
    assert [task.returncode for task in tasks] == [0, 0], said
    assert all(f"task {n} of 2, job 77, on " in text for n, text in enumerate(said))
    records = list(open_store(tmp_path / "store", create=False).records())
    assert sorted(record.cell.seed for record in records) == [0, 1, 2]
    attempts = list((tmp_path / "store/records").glob("*.json"))
    assert len(attempts) == len(records)  # none was made twice


def test_an_array_runs_one_stage_at_a_time_in_the_environment_that_is_named(slurm, tmp_path):
    (tmp_path / "venv/bin").mkdir(parents=True)
    (tmp_path / "venv/bin/activate").write_text('echo "entered" >> "$CALLS"\n')
    done = bash("array.sh", "run", "--store", "/shared/a store", env=slurm | {"BENCH_VENV": str(tmp_path / "venv")})
    assert done.returncode == 0, done.stderr
    assert calls(slurm) == ["entered", "bench run --store /shared/a store --executor inline"]
    assert bash("array.sh", "fail", env=slurm).returncode == 1


def test_ray_gets_a_head_and_workers_and_nothing_of_them_remains(slurm):
    done = bash("ray.sh", "run", "--store", "/shared", env=slurm)
    assert done.returncode == 0, done.stderr
    found = calls(slurm)
    bench = "bench run --store /shared --ray-address 10.0.0.7:25678"
    one = "srun --overlap --nodes=1 --ntasks=1 --nodelist=node1"
    start = "--num-cpus=6 --num-gpus=2"
    assert found[0] == f"{one} hostname --all-ip-addresses"
    head = f"ray start --head --node-ip-address=10.0.0.7 --port=25678 {start} --temp-dir=/tmp/ray-12345678 --block"
    workers = f"ray start --address=10.0.0.7:25678 {start} --block"
    for line in (
        f"{one} {head}",
        f"{head} token=64 token",
        f"srun --overlap --nodes=2 --ntasks=2 --nodelist=node2,node3 {workers}",
        f"{workers} token=64 token",
        bench,
    ):
        assert found.count(line) == 1, found
    assert found.index(f"{head} token=64 token") < found.index(bench)
    assert "ray ended: --head" in found
    assert "ray ended: --address=10.0.0.7:25678" in found


def test_ray_passes_on_the_exit_code_of_bench_and_the_signal_of_slurm(slurm):
    assert bash("ray.sh", "fail", env=slurm).returncode == 1
    Path(slurm["CALLS"]).unlink()
    task = subprocess.Popen(["bash", str(SCRIPTS / "ray.sh"), "wait"], env=slurm, stdout=subprocess.DEVNULL)
    until = time.monotonic() + 60
    while "bench wait" not in (Path(slurm["CALLS"]).read_text() if Path(slurm["CALLS"]).exists() else ""):
        assert time.monotonic() < until
        time.sleep(0.05)
    task.send_signal(signal.SIGTERM)
    assert task.wait(60) == 130
    assert "bench told" in calls(slurm)
    assert "ray ended: --head" in calls(slurm)


def test_a_head_that_does_not_start_is_said(slurm):
    done = bash("ray.sh", "run", env=slurm | {"NO_HEAD": "1"})
    assert (done.returncode, "the head of Ray did not start on node1 (10.0.0.7:25678)" in done.stderr) == (1, True)
    assert not any(line.startswith("bench") for line in calls(slurm))


@pytest.mark.parametrize("script", ["array.sh", "ray.sh"])
def test_what_is_missing_is_said_before_work(script, slurm):
    assert "usage: sbatch" in bash(script, env=slurm).stderr
    (Path(slurm["PATH"].split(":")[0]) / "bench").unlink()
    bare = {**slurm, "PATH": f"{slurm['PATH'].split(':')[0]}:/usr/bin:/bin"}
    done = bash(script, "run", env=bare)
    assert (done.returncode, "there is no command bench on node1: set BENCH_VENV" in done.stderr) == (2, True)


def test_ray_outside_a_job_is_told_how_to_submit(slurm):
    done = bash("ray.sh", "run", env={k: v for k, v in slurm.items() if k != "SLURM_JOB_NODELIST"})
    assert (done.returncode, "this is no Slurm job: submit it" in done.stderr) == (2, True)


@pytest.mark.parametrize("script", ["array.sh", "ray.sh"])
def test_a_virtual_environment_that_is_none_is_said_before_work_begins(script, slurm, tmp_path):
    done = bash(script, "run", env={**slurm, "BENCH_VENV": str(tmp_path)})
    assert done.returncode == 2
    said = f"BENCH_VENV is {tmp_path}, which is no virtual environment on node1: there is no bin/activate in it"
    assert done.stderr == f"{said}\n"
    assert not Path(slurm["CALLS"]).exists()
