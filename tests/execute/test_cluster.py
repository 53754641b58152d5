"""Several machines, simulated: nodes of Ray started as the guide says, each with processes and resources of its own."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest

from ddbench.errors import BenchError
from ddbench.execute.on_ray import OnRay
from tests.support.faults.bench import Toy

pytestmark = pytest.mark.slow

CELLS = ["--eval-seeds", "0-7"]
TOKEN = "0123456789abcdef" * 4


@pytest.fixture(scope="module")
def toy(tmp_path_factory):
    return Toy(tmp_path_factory.mktemp("toy"))


class Machine:
    """``ray start --block ...``, which runs until it is killed with all that it started."""

    def __init__(self, folder, number, environment, *arguments):
        self.log = folder / f"machine{number}.log"
        small = ["--object-store-memory", str(80 * 2**20), "--disable-usage-stats"]
        with self.log.open("w") as log:
            command = [sys.executable, "-m", "ray.scripts.scripts", "start", "--block", *arguments, *small]
            self.process = subprocess.Popen(command, stdout=log, stderr=log, env=environment, start_new_session=True)

    def wait(self):
        until = time.monotonic() + 120
        while "Ray runtime started" not in self.log.read_text():
            assert self.process.poll() is None and time.monotonic() < until, self.log.read_text()
            time.sleep(0.1)

    def kill(self):
        """As a cut of its power does: every process of the session at once. Workers have groups of their own, and one
        that outlives the rest for a moment would end its stage."""
        for folder in Path("/proc").glob("[0-9]*"):
            with suppress(ProcessLookupError):
                if os.getsid(int(folder.name)) == self.process.pid:
                    os.kill(int(folder.name), signal.SIGKILL)
        self.process.wait()


@pytest.fixture
def cluster(toy):
    """(address, machines): a head that runs nothing and two machines of one processor, with a token in place."""
    with tempfile.TemporaryDirectory(prefix="c-", dir="/tmp", ignore_cleanup_errors=True) as short:
        folder = Path(short)
        (folder / ".ray").mkdir()
        (folder / ".ray/auth_token").write_text(TOKEN)
        toy.environment |= {"HOME": short, "RAY_TMPDIR": short}
        environment = {**toy.environment, "TOY_SLOW": "2", "RAY_AUTH_MODE": "token"}
        environment["RAY_raylet_start_wait_time_s"] = "100"  # of 30: the processors may be busy with other tests
        with socket.socket() as free:
            free.bind(("", 0))
            port = free.getsockname()[1]
        address = f"127.0.0.1:{port}"
        head = ["--head", f"--port={port}", "--num-cpus=0", "--include-dashboard=false"]
        machines = [Machine(folder, 0, environment, *head)]
        try:
            machines[0].wait()
            for number in (1, 2):
                machines.append(Machine(folder, number, environment, f"--address={address}", "--num-cpus=1"))
                machines[-1].wait()
            yield address, machines[1:]
        finally:
            for machine in reversed(machines):
                machine.kill()


@pytest.mark.timeout(400)
def test_a_machine_that_dies_costs_attempts_and_no_cell(toy, cluster):
    address, machines = cluster
    code, undisturbed, errors = toy.run("undisturbed", "--executor", "inline", *CELLS)
    assert code == 0, errors
    records, logs = toy.folder / "cluster" / "records", toy.folder / "cluster" / "logs"

    def under_way():
        begun = sum("evaluate" in path.read_text() for path in logs.glob("*.log"))
        return begun - len(list(records.glob("[!.]*.json")))  # those under way have temporary names

    def kill_one():
        until = time.monotonic() + 120
        while time.monotonic() < until and under_way() < 2:  # both machines of one processor are at work
            time.sleep(0.05)
        machines[0].kill()

    killer = threading.Thread(target=kill_one)
    killer.start()
    code, document, errors = toy.run("cluster", "--ray-address", address, *CELLS)
    killer.join()
    assert code == 0, errors
    assert f"joining the Ray cluster at {address}" in errors
    assert document["cells"] == {"total": 8, "ok": 8, "failed": 0, "cached": 0, "skipped": 0}
    assert document["table"] == undisturbed["table"]
    assert toy.contents("cluster") == toy.contents("undisturbed")
    lost = [earlier for record in toy.records("cluster") for earlier in record.run["earlier"]]
    assert len(lost) >= 1
    assert all("the worker was lost" in earlier["why"] for earlier in lost)
    assert "it is tried again" in errors

    # Without the token it is one sentence.
    code, _, errors = toy.run("refused", "--ray-address", address, *CELLS, HOME=str(toy.folder))
    assert code == 2
    assert "copy ~/.ray/auth_token from there" in errors
    assert "Authentication token is missing or incorrect" in errors
    assert "Traceback" not in errors


@pytest.mark.parametrize("address", ["127.0.0.1:1", "nonsense"])
def test_an_address_where_nobody_answers_is_one_message_at_once(tmp_path, address):
    with pytest.raises(BenchError, match=f"there is no Ray cluster at {address}"):
        OnRay(str(tmp_path), address=address)


def test_inline_and_a_cluster_contradict_each_other(toy):
    code, _, errors = toy.run("none", "--executor", "inline", "--ray-address", "auto")
    assert code == 2
    assert "leave out --ray-address" in errors
