"""Every setting that a guard knows is put back after a change, and the change is told by its name."""

import gc
import locale
import os
import random
import signal
import sys
import time
import warnings

import numpy as np
import pytest
import torch

from ddbench import seeding
from ddbench.isolation import guard
from ddbench.isolation.guard import SETTINGS, changes, guarded, put_back
from ddbench.isolation.settings import names_changed

other = {True: False, False: True}


def _flag(owner, name):
    return lambda: setattr(owner, name, other[getattr(owner, name)])


CHANGES = {
    "environment": lambda: os.environ.update(SECRET_TOKEN="x1y2"),
    "time zone": lambda: (os.environ.update(TZ="<a>-05:30"), time.tzset()),
    "working folder": lambda: os.chdir("/"),
    "umask": lambda: os.umask(0o077),
    "locale": lambda: locale.setlocale(locale.LC_ALL, "C.UTF-8" if locale.setlocale(locale.LC_ALL) == "C" else "C"),
    "sys.path": lambda: sys.path.insert(0, "/nowhere"),
    "warnings filters": lambda: warnings.filterwarnings("ignore", "whatever"),
    "signal handlers": lambda: signal.signal(signal.SIGTERM, lambda *_: None),
    "recursion limit": lambda: sys.setrecursionlimit(sys.getrecursionlimit() + 5),
    "garbage collection": gc.disable,
    "generator of random": random.random,
    "torch's default dtype": lambda: torch.set_default_dtype(torch.float64),
    "torch's default device": lambda: torch.set_default_device("meta"),
    "torch's inference mode": lambda: LEAKED.append(torch.inference_mode()) or LEAKED[-1].__enter__(),
    "torch's grad mode": lambda: torch.set_grad_enabled(False),
    "torch's threads": lambda: torch.set_num_threads(torch.get_num_threads() + 1),
    "torch's deterministic algorithms": lambda: torch.use_deterministic_algorithms(
        not torch.are_deterministic_algorithms_enabled(), warn_only=True
    ),
    "torch's float32 precision": lambda: torch.set_float32_matmul_precision("medium"),
    "torch's autocast": lambda: torch.set_autocast_enabled("cpu", True),
    "torch's flush of denormal numbers": lambda: torch.set_flush_denormal(True),
    "torch's anomaly detection": lambda: torch.autograd.set_detect_anomaly(True),
    "torch.backends.cuda.matmul.allow_fp16_reduced_precision_reduction": _flag(
        torch.backends.cuda.matmul, "allow_fp16_reduced_precision_reduction"
    ),
    "torch.backends.cuda.matmul.allow_bf16_reduced_precision_reduction": _flag(
        torch.backends.cuda.matmul, "allow_bf16_reduced_precision_reduction"
    ),
    "torch.backends.cudnn.enabled": _flag(torch.backends.cudnn, "enabled"),
    "torch.backends.cudnn.benchmark": _flag(torch.backends.cudnn, "benchmark"),
    "torch.backends.cudnn.deterministic": _flag(torch.backends.cudnn, "deterministic"),
    "torch.backends.mkldnn.enabled": _flag(torch.backends.mkldnn, "enabled"),
    "torch's flash attention": lambda: torch.backends.cuda.enable_flash_sdp(False),
    "torch's mem_efficient attention": lambda: torch.backends.cuda.enable_mem_efficient_sdp(False),
    "torch's math attention": lambda: torch.backends.cuda.enable_math_sdp(False),
    "torch's cudnn attention": lambda: torch.backends.cuda.enable_cudnn_sdp(False),
    "torch's generator": lambda: torch.rand(1),
    "numpy's generator": lambda: np.random.rand(),
    "numpy's handling of errors": lambda: np.seterr(divide="raise"),
    "numpy's print options": lambda: np.set_printoptions(precision=3),
}
LEAKED = []


def test_a_change_is_known_for_every_setting():
    assert {setting.name for setting in SETTINGS} - set(CHANGES) == {"torch's generators of GPUs"}


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_is_put_back_and_told(name):
    (setting,) = [one for one in SETTINGS if one.name == name]
    before = setting.read()
    with guarded() as inside:
        CHANGES[name]()
        assert setting.read() != before
    assert setting.read() == before
    told = [change.partition(": ")[0] for change in inside.changes if not change.startswith("environment: TZ")]
    assert told == [name]
    LEAKED.clear()
    assert setting.read() == before


def test_nothing_is_told_where_nothing_changed():
    with guarded() as inside:
        put_back()
        assert changes() == []
    assert inside.changes == []


def test_a_change_is_put_back_when_the_block_raises():
    with pytest.raises(ZeroDivisionError), guarded() as inside:
        torch.set_default_dtype(torch.float64)
        raise ZeroDivisionError
    assert torch.get_default_dtype() == torch.float32
    assert inside.changes == ["torch's default dtype: torch.float32 -> torch.float64"]


def test_names_of_the_environment_are_told_and_no_values():
    assert names_changed({"A": "1", "B": "secret"}, {"A": "2", "C": "secret"}) == "C added, A changed, B removed"


def test_what_is_drawn_in_a_named_stream_is_no_change():
    with guarded() as inside, seeding.seeded("isolation", 0):
        torch.nn.Linear(2, 2)
        torch.rand(1)
    assert inside.changes == []


def test_newer_names_of_the_precision_are_put_back_too():
    """torch refuses to read the older names once the newer ones contradict them."""
    with guarded() as inside:
        torch.backends.cuda.matmul.fp32_precision = "tf32"
    assert torch.get_float32_matmul_precision() == "highest"
    assert inside.changes == ["torch's float32 precision: cuda.matmul ieee -> tf32"]


LIBRARY = """
import os, random, warnings
os.environ["LIBRARY_HOME"] = "x"
warnings.filterwarnings("ignore", "of the library")
random.random()
"""


def test_an_installed_library_may_set_itself_up_once_and_draws_nothing(tmp_path, monkeypatch):
    packages = tmp_path / "site-packages"
    packages.mkdir()
    (packages / "set_up_once.py").write_text(LIBRARY)
    monkeypatch.syspath_prepend(str(packages))
    monkeypatch.setattr(guard, "_of_libraries", guard._of_libraries.copy())
    with warnings.catch_warnings():
        before = random.getstate()
        with guarded() as inside:
            import set_up_once  # noqa: F401

            assert random.getstate() == before
            os.environ["OF_THE_PLUGIN"] = "x"
        assert inside.changes == ["environment: OF_THE_PLUGIN added"]
        assert os.environ.pop("LIBRARY_HOME") == "x" and "OF_THE_PLUGIN" not in os.environ
    del sys.modules["set_up_once"]


def test_what_began_inside_is_no_change(monkeypatch):
    """CUDA may be started in a stage; its generators have a state from then on."""
    states = [None, [b"1"], [b"2"]]
    read = lambda: states[0]  # noqa: E731
    setting = guard.Setting("torch's generators of GPUs", read, lambda before: states.__setitem__(0, before))
    monkeypatch.setattr(guard, "SETTINGS", (setting,))
    with guarded() as inside:
        states[0] = states[1]
        put_back()
        assert inside.changes == []
        states[0] = states[2]
    assert states[0] == [b"1"] and len(inside.changes) == 1
