"""Threads that take turns: one at a time, in order, each with what it left, and the time divided among them."""

import threading
import time
import types

import pytest

from ddbench import turns


class Noted:
    """A process whose state is one value, kept for a thread."""

    process = "before"

    def __init__(self):
        self.value = Noted.process

    def leave(self):
        self.value = Noted.process

    def enter(self, last):
        assert last.value == Noted.process, "somebody changed it between two turns"
        Noted.process = self.value


def run(works, slice_=0.0):
    """Runs ``works``, functions of the turn, in turn; the Turns."""
    together = turns.Turns([Noted() for _ in works], Noted())

    def body(work, turn):
        with turn.taken():
            work(turn)

    threads = [threading.Thread(target=body, args=pair) for pair in zip(works, together.all, strict=True)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(turns, "SLICE", slice_)
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
    assert not any(thread.is_alive() for thread in threads)
    together.put_back()
    return together


def test_turns_go_round_and_each_thread_finds_what_it_left():
    seen = []

    def work(name, steps):
        def steps_of(turn):
            for step in range(steps):
                Noted.process = f"{name}{step}"
                seen.append(Noted.process)
                turns.offer()
                assert Noted.process == f"{name}{step}"

        return steps_of

    run([work("a", 3), work("b", 1), work("c", 2)])
    assert seen == ["a0", "b0", "c0", "a1", "c1", "a2"]
    assert Noted.process == "before"


def test_a_turn_lasts_its_time_unless_the_thread_is_to_wait():
    seen = []

    def offers(name, offer):
        def work(turn):
            for _ in range(2):
                seen.append(name)
                offer()

        return work

    run([offers("a", turns.offer), offers("b", turns.offer)], slice_=60.0)
    assert seen == ["a", "a", "b", "b"]
    seen.clear()
    run([offers("a", turns.give_way), offers("b", turns.give_way)], slice_=60.0)
    assert seen == ["a", "b", "a", "b"]


def test_a_thread_that_raises_leaves_the_others_their_turns():
    seen = []

    def fails(turn):
        turns.offer()
        Noted.process = "broken"
        with pytest.raises(ValueError, match="as asked"):
            raise ValueError("as asked")

    def goes_on(turn):
        for step in range(3):
            seen.append((step, Noted.process))
            turns.offer()

    run([fails, goes_on])
    assert seen == [(0, "before"), (1, "before"), (2, "before")]


def test_a_thread_is_ended_at_its_next_step_and_no_other():
    ended, steps = [], []

    def endless(turn):
        try:
            while True:
                turns.offer()
        except KeyError as why:
            ended.append(why)
            turns.offer()  # it is raised once

    def ends_it(turn):
        turn.turns.all[0].end(KeyError("over"))
        for step in range(3):
            steps.append(step)
            turns.offer()

    run([endless, ends_it])
    assert len(ended) == 1
    assert steps == [0, 1, 2]


def test_the_time_is_divided_among_the_threads_there_are(monkeypatch):
    """Steps of a second: the first half second of the other's clock passes before its first turn; once alone, all is
    its own."""
    taken, now = {}, [0.0]
    monkeypatch.setattr(turns, "time", types.SimpleNamespace(perf_counter=lambda: now[0]))

    def work(name, steps):
        def steps_of(turn):
            began = turns.clock()
            for _ in range(steps):
                now[0] += 1.0
                turns.offer()
            taken[name] = turns.clock() - began

        return steps_of

    run([work("a", 2), work("b", 6)])
    assert taken == {"a": 2.0, "b": 5.5}


def test_without_others_the_clock_is_that_of_the_machine_and_nothing_is_offered():
    assert not turns.taking()
    turns.offer()
    turns.give_way()
    before = time.perf_counter()
    assert before <= turns.clock() <= time.perf_counter()
