"""Tests on a card. One command proves what a card must do right, and prints how fast it is; the table of rates, in
test_targets.py, takes at most five minutes:

    BASELINE=SITE-PACKAGES pytest tests/gpu -s -o addopts= -o timeout=0

BASELINE: the site-packages folder of an earlier commit, whose side runs in a process of its own; without it the table
has one side. Without a card the tests are skipped; DDBENCH_GPU_TESTS_ON=cpu runs them there at toy size.
"""

import os

import pytest
import torch

ON = os.environ.get("DDBENCH_GPU_TESTS_ON", "cuda")


@pytest.fixture(scope="session")
def device():
    """``cuda``, or ``cpu`` for toy sizes; tests are skipped where neither is asked for and there."""
    if ON == "cuda" and not torch.cuda.is_available():
        pytest.skip("no card; DDBENCH_GPU_TESTS_ON=cpu runs toy sizes on the processor")
    return ON
