"""Several machines, simulated: processes of Ray with resources of their own."""

import threading
import time

import pytest

from ddbench.errors import BenchError
from tests.support.faults.bench import Toy

CELLS = ["--eval-seeds", "0-7"]


@pytest.fixture(scope="module")
def toy(tmp_path_factory):
    return Toy(tmp_path_factory.mktemp("toy"))


@pytest.fixture
def cluster(toy, monkeypatch):
    """A head that runs nothing, and two machines of one processor."""
    for name in ("PYTHONPATH", "TOY_FOLDER", "RAY_AUTH_MODE"):
        monkeypatch.setenv(name, toy.environment[name])
    monkeypatch.setenv("TOY_SLOW", "2")
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    from ray.cluster_utils import Cluster

    small = {"object_store_memory": 80 * 2**20}
    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False, **small})
    for _ in range(2):
        made.add_node(num_cpus=1, wait=False, **small)
    made.wait_for_nodes()
    yield made
    made.shutdown()


@pytest.mark.timeout(300)
def test_a_machine_that_dies_costs_attempts_and_no_cell(toy, cluster):
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
        cluster.remove_node(next(iter(cluster.worker_nodes)), allow_graceful=False)

    killer = threading.Thread(target=kill_one)
    killer.start()
    code, document, errors = toy.run("cluster", "--ray-address", cluster.address, *CELLS)
    killer.join()
    assert code == 0, errors
    assert document["cells"] == {"total": 8, "ok": 8, "failed": 0, "cached": 0, "skipped": 0}
    assert document["table"] == undisturbed["table"]
    assert toy.contents("cluster") == toy.contents("undisturbed")
    lost = [earlier for record in toy.records("cluster") for earlier in record.run["earlier"]]
    assert len(lost) >= 1
    assert all("the worker was lost" in earlier["why"] for earlier in lost)
    assert "it is tried again" in errors


def test_no_cluster_is_one_message(tmp_path, monkeypatch):
    """As Ray says it; a real search would find the clusters of whoever else uses this machine."""
    import ray

    from ddbench.execute.on_ray import OnRay

    def nothing(**_):
        raise ConnectionError("Could not find any running Ray instance.")

    monkeypatch.setattr(ray, "init", nothing)
    with pytest.raises(BenchError, match=r"there is no Ray cluster at auto .* `ray start --head`"):
        OnRay(str(tmp_path), address="auto")


@pytest.mark.parametrize("address", ["127.0.0.1:1", "nonsense"])
def test_an_address_where_nobody_answers_is_one_message_at_once(tmp_path, address):
    from ddbench.execute.on_ray import OnRay

    with pytest.raises(BenchError, match=f"there is no Ray cluster at {address}"):
        OnRay(str(tmp_path), address=address)


def test_inline_and_a_cluster_contradict_each_other(toy):
    code, _, errors = toy.run("none", "--executor", "inline", "--ray-address", "auto")
    assert code == 2
    assert "leave out --ray-address" in errors
