"""The driver itself is killed, stopped, or out of disk: what is finished is kept, and the table comes out the same.

``BENCH_FAULT_MOMENTS=20 pytest tests/execute/test_faults_driver.py`` kills it at twenty random moments under each
executor.
"""

import json
import os
import random
import signal
import subprocess
import time
from pathlib import Path

import pytest

from ddbench.store.opening import open_store
from tests.support.faults.bench import Toy

pytestmark = pytest.mark.slow

MOMENTS = int(os.environ.get("BENCH_FAULT_MOMENTS", "0"))
CELLS = ["--eval-seeds", "0-11"]


@pytest.fixture(scope="module")
def toy(tmp_path_factory):
    return Toy(tmp_path_factory.mktemp("toy"))


@pytest.fixture(scope="module")
def undisturbed(toy):
    code, document, errors = toy.run("undisturbed", "--executor", "inline", *CELLS)
    assert code == 0, errors
    return document


def wait_for(condition, seconds=120):
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "it did not happen"
        time.sleep(0.05)


def children(pid):
    """All processes that descend from ``pid``, by their number and start."""
    parents = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        parents[int(path.parent.name)] = (int(fields[1]), fields[19])
    found, waiting = {}, [pid]
    while waiting:
        parent = waiting.pop()
        for child, (of, started) in parents.items():
            if of == parent and child not in found:
                found[child] = started
                waiting.append(child)
    return found


def alive(processes):
    """Which of ``children`` are still there and no zombies."""
    found = []
    for pid, started in processes.items():
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if fields[19] == started and fields[0] not in "ZX" and works(pid):
            found.append(pid)
    return found


def written(records):
    """Names of the records in a folder, those under way, whose names are temporary, left out."""
    return [path.name for path in records.glob("[!.]*.json")]


def works(pid):
    """Whether a process is more than one of Ray's two agents, which stay for a minute and do nothing."""
    try:
        return (
            not Path(f"/proc/{pid}/cmdline").read_bytes().startswith((b"ray::DashboardAgent", b"ray::RuntimeEnvAgent"))
        )
    except OSError:
        return False


@pytest.mark.timeout(3000)
@pytest.mark.parametrize("executor", ["inline", "ray"])
def test_a_killed_driver_leaves_what_it_finished_and_no_process(toy, undisturbed, executor):
    """Killed when a few cells are done; with BENCH_FAULT_MOMENTS at random moments of its life instead."""
    chance = random.Random(MOMENTS)
    for moment in range(MOMENTS or 1):
        store = f"killed-{executor}-{moment}"
        process = toy.start(store, "--executor", executor, *CELLS, TOY_SLOW="0.3")
        records = toy.folder / store / "records"
        if MOMENTS:
            time.sleep(chance.uniform(0, 20))
        else:
            wait_for(lambda folder=records: len(written(folder)) >= 3)
        family = children(process.pid)
        process.kill()
        process.communicate()
        wait_for(lambda family=family: not alive(family), seconds=30)
        code, document, errors = toy.run(store, "--executor", "inline", *CELLS)
        assert code == 0, errors
        if not MOMENTS:
            assert document["cells"]["cached"] >= 3
        assert document["table"] == undisturbed["table"]
        assert toy.contents(store) == toy.contents("undisturbed")


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("executor", "number", "to_all"),
    [("inline", signal.SIGTERM, False), ("ray", signal.SIGINT, True)],
)
def test_a_stop_waits_for_what_is_under_way_and_says_so(toy, executor, number, to_all):
    """``to_all``: as Ctrl-C in a terminal does, which signals every process of the group."""
    store = f"stopped-{executor}"
    process = toy.start(store, "--executor", executor, *CELLS, TOY_SLOW="1")
    records = toy.folder / store / "records"
    wait_for(lambda: len(written(records)) >= 1)
    time.sleep(0.3)  # the stage of that record ends, and the next one, which takes a second, is under way
    (os.killpg if to_all else os.kill)(process.pid, number)
    out, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert out == ""
    assert "under way are waited for (evaluate toy/toy/ipc2/" in errors
    assert "the same command goes on from there" in errors
    assert "Traceback" not in errors
    done = written(records)
    assert 1 < len(done) < 12
    assert all(".ok." in name for name in done)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("executor", ["inline", "ray"])
def test_a_second_stop_stops_at_once(toy, executor):
    store = f"stopped-twice-{executor}"
    process = toy.start(store, "--executor", executor, "--eval-seeds", "0-1", TOY_SLOW="600")
    logs = toy.folder / store / "logs"
    wait_for(lambda: logs.is_dir() and any("evaluate" in path.read_text() for path in logs.iterdir()))
    family = children(process.pid)
    process.send_signal(signal.SIGINT)
    time.sleep(1)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 130
    wait_for(lambda: not alive(family), seconds=30)
    assert not list((toy.folder / store / "records").glob("*.ok.*"))


def test_two_drivers_on_one_store_run_every_stage_once(toy, undisturbed):
    both = [toy.start("shared", "--json", "--executor", "inline", *CELLS, TOY_SLOW="0.2") for _ in range(2)]
    documents = [json.loads(process.communicate(timeout=200)[0]) for process in both]
    assert all(document["table"] == undisturbed["table"] for document in documents)
    assert sum(document["cells"]["ok"] for document in documents) == 12
    assert len(os.listdir(toy.folder / "shared" / "records")) == 12
    assert sum(document["stages"]["distill"]["run"] for document in documents) == 1


@pytest.fixture
def small_disk(toy):
    folder = toy.folder / "disk"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=100k", "bench-test", folder], capture_output=True)
    if mounted.returncode:
        pytest.skip("a small disk cannot be mounted here")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def test_a_full_disk_is_a_reason_on_stderr_and_more_room_mends_it(toy, undisturbed, small_disk):
    code, document, errors = toy.run("disk/store", "--executor", "inline", *CELLS)
    assert code in (1, 2), errors
    assert "Traceback" not in errors
    assert "full" in errors or "No space left" in errors
    for path in Path(small_disk).glob("store/artifacts/*/*"):
        assert open_store(small_disk / "store", create=False).read(path.parent.name, path.name)
    subprocess.run(["mount", "-o", "remount,size=20m", small_disk], check=True)
    code, document, errors = toy.run("disk/store", "--executor", "inline", *CELLS)
    assert code == 0, errors
    assert document["table"] == undisturbed["table"]
