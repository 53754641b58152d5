"""Timing for the benchmarks."""

import statistics
import time


def seconds(work, repeats=5):
    """Median wall time of ``work`` after one run to warm up."""
    work()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return statistics.median(times)
