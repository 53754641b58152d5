"""Leases: one holder at a time, whoever crashes, sleeps or comes back, shown with real processes."""

import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from ddbench.store.leases import Leases
from ddbench.store.opening import open_store

TTL = 0.4


@pytest.fixture
def store(tmp_path):
    return open_store(tmp_path / "store", create=True)


@pytest.fixture
def leases(store):
    made = []

    def make(ttl=TTL):
        made.append(Leases(store, ttl))
        return made[-1]

    yield make
    for lease in made:
        lease.close()


def eventually(condition, seconds=10.0):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.02)
    return False


def python(code, *arguments):
    program = "import sys, time\nfrom pathlib import Path\nfrom ddbench.store.folder import Store\n"
    program += "from ddbench.store.leases import Leases\nstore = Store(Path(sys.argv[1]))\n" + code
    return subprocess.Popen([sys.executable, "-c", program, *map(str, arguments)], stdout=subprocess.PIPE, text=True)


def test_a_lease_has_one_holder_until_it_is_released(leases):
    one, other = leases(), leases()
    assert one.claim("k")
    assert one.claim("k"), "who holds it may ask again"
    assert not other.claim("k")
    assert other.claim("k2")
    assert other.holder("k").split()[-1] == str(os.getpid())
    one.release("k")
    assert other.holder("k") is None
    assert other.claim("k")


def test_a_living_holder_keeps_its_lease_beyond_the_time_to_live(leases):
    one, other = leases(), leases()
    assert one.claim("k")
    end = time.monotonic() + 3 * TTL
    while time.monotonic() < end:
        assert not other.claim("k")
        time.sleep(TTL / 10)


def test_close_gives_everything_back_and_leaves_no_file(leases, store):
    one, other = leases(), leases()
    assert one.claim("k1")
    assert one.claim("k2")
    one.close()
    assert other.holder("k1") is None
    assert os.listdir(store.root / "leases") == []


def test_a_killed_holder_of_this_machine_is_followed_at_once(store, leases):
    holder = python("print(Leases(store, 600).claim('k'), flush=True)\ntime.sleep(600)", store.root)
    try:
        assert holder.stdout.readline() == "True\n"
        patient = leases(ttl=600)
        assert not patient.claim("k")
        assert patient.holder("k").split()[-1] == str(holder.pid)
        holder.send_signal(signal.SIGKILL)
        assert eventually(lambda: patient.holder("k") is None)
        assert patient.claim("k")
    finally:
        holder.kill()
        holder.wait()


def of_another_machine(store, key="k"):
    """A lease whose holder cannot be looked up, and which nobody renews."""
    content = b'{"host": "far", "pid": 1, "started": "", "processes": "other", "token": "t"}'
    store.objects.put(f"leases/{key}.7", content)
    return content


def test_a_holder_elsewhere_is_followed_when_it_has_shown_no_life_for_the_time_to_live(store, leases):
    of_another_machine(store)
    mine = leases()
    began = time.monotonic()
    assert mine.holder("k") == "far 1"
    assert eventually(lambda: mine.claim("k"))
    assert time.monotonic() - began >= TTL
    assert os.listdir(store.root / "leases") == ["k.8"]


def test_the_clock_of_another_machine_does_not_matter(store, leases):
    of_another_machine(store)
    for years in (-10, 10):
        there = time.time() + years * 31e6
        os.utime(store.root / "leases" / "k.7", (there, there))
        assert not leases().claim("k")


def test_eight_rivals_have_one_winner(store):
    of_another_machine(store)
    code = (
        "import os, pathlib\n"
        "ready = store.root / 'ready'\n"
        "ready.mkdir(exist_ok=True)\n"
        "(ready / str(os.getpid())).touch()\n"
        "while len(os.listdir(ready)) < 8: time.sleep(0.01)\n"  # on a loaded machine they start seconds apart
        "leases, end = Leases(store, 1.0), time.monotonic() + 3\n"
        "won = False\n"
        "while not won and time.monotonic() < end: won = leases.claim('k')\n"
        "print(won, flush=True)\n"
        "time.sleep(max(0, end + 1 - time.monotonic()))"
    )
    rivals = [python(code, store.root) for _ in range(8)]
    won = [rival.communicate(timeout=60)[0].strip() for rival in rivals]
    assert sorted(won) == ["False"] * 7 + ["True"]


def test_rivals_for_a_free_lease_have_one_winner(store, leases):
    rivals = [leases(ttl=600) for _ in range(8)]
    for round_ in range(20):
        start, won = threading.Barrier(8), []

        def race(rival, key=f"k{round_}", start=start, won=won):
            start.wait()
            won.append(rival.claim(key))

        threads = [threading.Thread(target=race, args=(rival,)) for rival in rivals]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert won.count(True) == 1


def test_a_suspended_holder_that_was_followed_does_not_take_the_lease_back(store, leases):
    holder = python(f"print(Leases(store, {TTL}).claim('k'), flush=True)\ntime.sleep(600)", store.root)
    try:
        assert holder.stdout.readline() == "True\n"
        holder.send_signal(signal.SIGSTOP)
        mine = leases()
        assert eventually(lambda: mine.claim("k"))
        holder.send_signal(signal.SIGCONT)
        time.sleep(2 * TTL)
        assert mine.holder("k").split()[-1] == str(os.getpid())
    finally:
        holder.kill()
        holder.wait()


def test_a_claim_is_withdrawn_when_the_lease_began_anew_meanwhile(store, leases, monkeypatch):
    """The lapsed holder gives up and a third claims, between this rival's look and its own claim."""
    store.objects.put("leases/k.1", b'{"host": "far", "pid": 1, "started": "", "processes": "other", "token": "t"}')
    mine, third = leases(), leases()
    mine.claim("k")
    time.sleep(1.2 * TTL)
    create = mine._objects.create

    def late(name, content):
        store.objects.delete("leases/k.1")
        assert third.claim("k")
        return create(name, content)

    monkeypatch.setattr(mine._objects, "create", late)
    assert not mine.claim("k")
    assert third.claim("k")
    assert os.listdir(store.root / "leases") == ["k.1"]
