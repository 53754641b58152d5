"""Keep freed memory in the process instead of handing every large tensor back to the kernel."""

from __future__ import annotations

import ctypes
import sys

# From glibc's <malloc.h>.
M_TRIM_THRESHOLD = -1
M_TOP_PAD = -2
M_MMAP_THRESHOLD = -3


def keep_freed_memory() -> None:
    """Ask glibc to serve large blocks from the heap and not to trim it; does nothing elsewhere.

    By default each activation above 128 KiB is mapped, zeroed page by page and unmapped again, which costs small
    networks on a CPU a third of their time (``tests/perf/test_allocator.py``). No result depends on it.
    """
    if not sys.platform.startswith("linux"):
        return
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return
    mallopt(M_MMAP_THRESHOLD, 1 << 30)
    mallopt(M_TRIM_THRESHOLD, (1 << 31) - 1)
    mallopt(M_TOP_PAD, 64 << 20)
