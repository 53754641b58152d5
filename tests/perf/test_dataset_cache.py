"""The memory that decoding a dataset into the cache takes is that of a chunk, however large the dataset is.

Run with ``pytest tests/perf/test_dataset_cache.py -s``; it writes some hundred megabytes and takes a minute or two.
"""

import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

IMAGES, CLASSES, SIDE, TIMES = 20_000, 100, 32, 4

BUILD = """
import sys, time
from pathlib import Path
from ddbench.data.anyfolder import AnyFolder
from ddbench.store.folder import Store
from ddbench.store.opening import open_store

def peak():
    # Not ru_maxrss: a child starts with the peak of the process that started it.
    (line,) = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")]
    return int(line.split()[1]) / 1024

warm, root, store, side = *map(Path, sys.argv[1:4]), int(sys.argv[4])
cache = open_store(store, create=True).cache
AnyFolder(root=str(warm), resolution=side).load("train", cache)  # what importing and starting threads takes
Path("/proc/self/clear_refs").write_text("5")  # the peak is now what is held now
before, started = peak(), time.perf_counter()
data = AnyFolder(root=str(root), resolution=side).load("train", cache)
print(len(data), peak() - before, time.perf_counter() - started)
"""


def make_images(root: Path, count: int) -> Path:
    """``count`` train images as PNG files of distinct bytes, and one test image a class."""
    random = np.random.default_rng(0)
    drawn = []
    for _ in range(64):
        file = io.BytesIO()
        Image.fromarray(random.integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)).save(file, "PNG")
        drawn.append(file.getvalue())
    for part, total in (("train", count), ("val", CLASSES)):
        for label in range(CLASSES):
            (root / part / f"{label:03d}").mkdir(parents=True)
        for i in range(total):
            content = drawn[i % len(drawn)] + f"{part}{i}".encode()  # readers stop before what follows the image
            (root / part / f"{i % CLASSES:03d}" / f"{i:06d}.png").write_bytes(content)
    return root


def growth(tmp_path: Path, root: Path) -> float:
    """MiB by which the peak of a fresh process grew while it built the cache."""
    arguments = [tmp_path / "warm", root, tmp_path / f"store-{root.name}", SIDE]
    done = subprocess.run([sys.executable, "-c", BUILD, *map(str, arguments)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    count, mebibytes, seconds = done.stdout.split()
    decoded = int(count) * 3 * SIDE * SIDE / 2**20
    print(f"\n{count} images, {decoded:.0f} MiB decoded: peak grew by {float(mebibytes):.1f} MiB in {seconds[:5]} s")
    return float(mebibytes)


@pytest.mark.timeout(900)
def test_building_the_cache_takes_the_memory_of_a_chunk(tmp_path):
    make_images(tmp_path / "warm", CLASSES)
    small = growth(tmp_path, make_images(tmp_path / "small", IMAGES))
    large = growth(tmp_path, make_images(tmp_path / "large", TIMES * IMAGES))
    print(f"{TIMES} times the images: {large / small:.2f} times the memory")
    assert large / small < 1.5
    assert large < TIMES * IMAGES * 3 * SIDE * SIDE / 2**20 / 2
