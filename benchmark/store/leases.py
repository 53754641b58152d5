"""Leases: which driver runs which stage, so that several drivers on one store never run the same stage in parallel.

A lease is a small object ``leases/<key>.<generation>`` in the store, which its holder writes again every quarter of its
time to live. To take over a lapsed lease is to create the next generation: creating an object that must not exist is
the one thing that file systems and object stores alike grant to exactly one of several rivals.

A lease has lapsed when its content has not changed for a time to live *on the observer's own monotonic clock*, so
clocks of machines need not agree, and nothing depends on times that a network file system may keep cached. The price:
an observer waits that long, from its first look, for a lease whose holder died on another machine. The lease of a dead
process of this machine has lapsed at once.

A lease says who works, not what is done: a driver that has claimed a key checks again whether the result exists.
"""

from __future__ import annotations

import json
import os
import socket
import threading
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ddbench.store.folder import Store

FOLDER = "leases"
TTL = 60.0
"""seconds without a sign of life after which a lease may be taken over"""


class Leases:
    """The leases of one driver on a store. A daemon thread renews those it holds until ``close``."""

    def __init__(self, store: Store, ttl: float = TTL) -> None:
        """``ttl``: seconds without renewal after which a lease may be taken over. It must be the same for all drivers
        on a store: one with a shorter ttl would take over leases that are still held."""
        self._store, self._objects, self._ttl = store, store.objects, ttl
        self._held: dict[str, tuple[int, dict[str, Any]]] = {}
        self._seen: dict[str, tuple[int, bytes | None, float]] = {}
        self._lock = threading.RLock()
        self._closed = threading.Event()
        self._heart: threading.Thread | None = None

    def claim(self, key: str) -> bool:
        """Claim the lease of ``key``; whether this driver holds it now. If another holds it, try again later."""
        with self._lock:
            if key in self._held:
                return True
            before = self._generations(key)
            top = before[-1] if before else 0
            if top and not self._lapsed(key, top):
                return False
            judged = self._seen.pop(key)[1] if top else None
            mine, about = top + 1, _about()
            if not self._objects.create(_name(key, mine), _content(about)):
                return False
            came_back = top and self._objects.get(_name(key, top)) not in (judged, None)
            if came_back or self._others(key, before, mine):
                # Meanwhile the former holder renewed its lease, or released it and a third driver claimed the key.
                self._objects.delete(_name(key, mine))
                return False
            for generation in before:
                self._objects.delete(_name(key, generation))
            self._store.refresh()
            self._held[key] = (mine, about)
            if self._heart is None:
                self._heart = threading.Thread(target=self._beat, name="leases", daemon=True)
                self._heart.start()
            return True

    def holders(self) -> dict[str, str]:
        """Key -> holder, of all leases that are held. Lists the leases once, however many stages a plan has."""
        keys = {name.rpartition(".")[0] for name in self._objects.names(FOLDER)}
        return {key: who for key in sorted(keys) if (who := self.holder(key))}

    def holder(self, key: str) -> str | None:
        """``host pid`` of the holder of a lease; None when it is free or has lapsed."""
        with self._lock:
            generations = self._generations(key)
            if not generations or self._lapsed(key, generations[-1]):
                return None
            about = _read(self._objects.get(_name(key, generations[-1])))
            return f"{about['host']} {about['pid']}" if about else "somebody"

    def release(self, key: str) -> None:
        """Release a lease; nothing happens when this driver does not hold it."""
        with self._lock:
            if key in self._held:
                generation, _ = self._held.pop(key)
                self._objects.delete(_name(key, generation))

    def close(self) -> None:
        """Stop renewing and release all leases."""
        self._closed.set()
        if self._heart is not None:
            self._heart.join()
        for key in list(self._held):
            self.release(key)

    def _beat(self) -> None:
        beats = 0
        while not self._closed.wait(self._ttl / 4):
            beats += 1
            with self._lock:
                held = list(self._held)
            for key in held:
                with self._lock:
                    self._renew(key, beats)

    def _renew(self, key: str, beats: int) -> None:
        """Renew the lease of ``key``; forget it if it was taken over while this process was suspended."""
        if key not in self._held:
            return
        generation, about = self._held[key]
        try:
            if self._generations(key)[-1:] == [generation]:
                self._objects.put(_name(key, generation), _content({**about, "beat": beats}))
            else:
                del self._held[key]
        except OSError:
            pass  # a full disk or a lost connection may pass before the lease lapses

    def _lapsed(self, key: str, generation: int) -> bool:
        content = self._objects.get(_name(key, generation))
        seen = self._seen.get(key)
        now = time.monotonic()
        if seen is None or seen[:2] != (generation, content):
            seen = self._seen[key] = (generation, content, now)
        about = _read(content)
        gone = about is not None and about["processes"] == _processes() and not _runs(about["pid"], about["started"])
        return gone or now - seen[2] > self._ttl

    def _generations(self, key: str) -> list[int]:
        names = (name.rpartition(".") for name in self._objects.names(FOLDER))  # few: one for each stage under way
        return sorted(int(number) for of, _, number in names if of == key and number.isdigit())

    def _others(self, key: str, before: list[int], mine: int) -> bool:
        return not set(self._generations(key)) <= {*before, mine}


def _name(key: str, generation: int) -> str:
    return f"{FOLDER}/{key}.{generation}"


def _content(about: dict[str, Any]) -> bytes:
    return json.dumps(about).encode()


def _read(content: bytes | None) -> dict[str, Any] | None:
    """The content of a lease; None while it is being written."""
    try:
        about = json.loads(content or b"")
        return about if {"host", "pid", "started", "processes"} <= set(about) else None
    except (ValueError, TypeError):
        return None


def _about() -> dict[str, Any]:
    pid = os.getpid()
    return {
        "host": socket.gethostname(),
        "pid": pid,
        "started": _started(pid),
        "processes": _processes(),
        "token": uuid.uuid4().hex,
    }


def _processes() -> str:
    """The scope in which process ids are unique: this boot of this machine and this container's PID namespace."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return f"unknown {uuid.uuid4().hex}"  # equal to no other scope: no process is taken for dead


def _started(pid: int) -> str:
    """Start time of a process in clock ticks since boot, which tells apart processes that reuse an id; "" if dead."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except OSError:
        return ""


def _runs(pid: int, started: str) -> bool:
    """Whether a process of this scope still runs; a zombie does not."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return False
    return fields[0] not in "ZX" and fields[19] == started
