"""Six cells of a small network trained together, beside one after another: the same numbers, and a row of times.

pytest tests/gpu/test_together.py -s -o addopts= -o timeout=0
"""

import dataclasses
import threading

import torch

from ddbench.evaluators.networks import ConvNet
from ddbench.evaluators.protocols import cpu_small_1
from ddbench.isolation.process import ProcessState
from ddbench.stages.determinism import deterministic
from ddbench.turns import Turns
from ddbench.types import Compute, StageContext
from tests.gpu.works import images, seconds, synchronise


def one_after_another(judge, n):
    return [judge(seed) for seed in range(n)]


def together(judge, n, device):
    """As ``run_together`` does it, without the stages around."""
    synchronise(device)  # CUDA is in use from here on: each has generators of its own
    before = ProcessState()
    turns = Turns([before.another() for _ in range(n)], before)
    found = {}

    def work(seed, turn):
        with turn.taken():
            if device == "cuda":
                torch.cuda.set_stream(torch.cuda.Stream())
            found[seed] = judge(seed)

    threads = [threading.Thread(target=work, args=pair, daemon=True) for pair in enumerate(turns.all)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    turns.put_back()
    for kept in (before, *(turn.kept for turn in turns.all)):
        kept.close()
    return [found[seed] for seed in range(n)]


def test_six_cells_together_have_the_numbers_of_each_alone_in_less_time(device):
    """The time is printed, not asserted: of a hundred epochs of ConvNet-3 at 32 px, IPC 10, without what comes once."""
    toy = device == "cpu"
    n, (few, many) = (2, (1, 2)) if toy else (6, (20, 60))
    data, network = images(16 if toy else 32, 1 if toy else 10), ConvNet(3, 8 if toy else 128)

    def judge(epochs):
        protocol = dataclasses.replace(cpu_small_1, epochs_by_ipc=((100, epochs),), evaluations=1)
        compute = Compute(precision="tf32")
        return lambda seed: protocol.evaluate(data, data, network, StageContext(seed, device, compute=compute))

    ways = {
        "one after another": lambda epochs: one_after_another(judge(epochs), n),
        "together": lambda epochs: together(judge(epochs), n, device),
    }
    found, took = {}, {}
    with deterministic(False, device):
        for name, way in ways.items():
            way(few)
            times = [seconds(device, lambda way=way, epochs=epochs: way(epochs)) for epochs in (few, many)]
            took[name] = (times[1] - times[0]) / (many - few) * 100
            found[name] = [(one.curve, one.correct) for one in way(few)]
    assert found["together"] == found["one after another"]
    ratio = took["one after another"] / took["together"]
    print(f"\n| {n} cells of ConvNet-3 at 32 px, IPC 10, s | " + " | ".join(f"{k}: {v:.4g}" for k, v in took.items()))
    print(f"| ratio | {ratio:.2f} |")
