"""One key, one number: every network of timm that draws while it is trained, up to 12 M parameters, and three larger.

Run by name, since it takes most of an hour on two cores: ``pytest tests/conformance_long``. The list was found by
training each of timm's 1,371 networks that has at most 12 M parameters for a step (312), at the smallest of 32, 64, 96,
128 and 224 px that it takes, and looking at the generators of the process.
"""

import json
import os
import subprocess
import sys

import pytest

from ddbench.store.opening import open_store
from tests.support import two_epochs

BUILT_IN = ("convnet3", "convnet3-w32", "convnet4", "resnet18", "resnet18-bn", "resnetap10")
AT_32 = (
    *("cpubone_b0_bfrobust", "cpubone_nano", "cpubone_s0", "cpubone_t0", "fasternet_t1", "ghostnet_050"),
    *("ghostnet_100", "ghostnet_130", "legacy_seresnet18", "maxvit_rmlp_pico_rw_256", "repghostnet_050"),
    *("repghostnet_058", "repghostnet_080", "repghostnet_100", "repghostnet_111", "repghostnet_130"),
    *("repghostnet_150", "repghostnet_200", "rexnet_100", "rexnet_130", "rexnet_150", "rexnetr_100", "rexnetr_130"),
    *("rexnetr_150", "test_vit_relpos", "focalnet_tiny_srf", "nextvit_small", "swin_tiny_patch4_window7_224"),
)
"""the last three have 28 to 32 M"""
AT_64 = ("ghostnetv2_100", "ghostnetv2_130", "ghostnetv3_050", "ghostnetv3_100")
DRAWING = (*(f"timm:{name}" for name in AT_32), *(f"timm:{name}@64" for name in AT_64))
CHUNK = 6


def chunks(names):
    return [names[i : i + CHUNK] for i in range(0, len(names), CHUNK)]


def trained(how, names):
    command = [sys.executable, "-m", "tests.support.trained", how, *names]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("names", chunks([*BUILT_IN, *DRAWING]), ids=lambda names: names[0])
def test_a_network_is_trained_alike_alone_after_another_and_in_two_orders(names):
    alone = trained("alone", names)
    assert len(set(alone.values())) == len(names)
    assert trained("together", names) == alone
    assert trained("together", names[::-1]) == alone


def numbers(executor, names, protocol, store):
    """arch -> (curve, hits, weights) of the cells of a study under an executor."""
    command = [
        sys.executable,
        "-m",
        "ddbench.cli.main",
        "run",
        "--config",
        "digits",
        "--methods",
        "random",
        "--ipc",
        "1",
    ]
    command += ["--seeds", "0", "--eval-seeds", "0", "--archs", ",".join(names), "--plugin", two_epochs.__file__]
    command += ["--set", f"grid.protocol={protocol}", "--executor", executor, "--store", str(store)]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "RAY_AUTH_MODE": "disabled"})
    assert done.returncode == 0, done.stdout + done.stderr
    records = open_store(store, create=False).records()
    return {record.cell.arch: (record.curve, record.correct, record.run["log"]["weights"]) for record in records}


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("side", [32, 64])
def test_a_study_has_the_same_numbers_inline_and_under_ray(side, tmp_path):
    names, protocol = (AT_64, "two-epochs-64@1") if side == 64 else (AT_32, "two-epochs@1")
    archs = [f"timm:{name}" for name in names]
    inline = numbers("inline", archs, protocol, tmp_path / "inline")
    assert len(inline) == len(names)
    assert numbers("ray", archs[::-1], protocol, tmp_path / "ray") == inline
