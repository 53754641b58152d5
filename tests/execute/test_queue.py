"""Stages are handed out once, after their parents, whatever graph they form and whatever is made again."""

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from ddbench.execute.queue import Queue

KINDS = ("distill", "evaluate")


@dataclass(frozen=True)
class Stage:
    key: str
    kind: str
    parents: tuple

    @property
    def waits_for(self):
        return self.parents


@st.composite
def graphs(draw):
    stages = []
    for n in range(draw(st.integers(1, 12))):
        parents = draw(st.sets(st.sampled_from([s.key for s in stages]), max_size=3)) if stages else set()
        stages.append(Stage(str(n), draw(st.sampled_from(KINDS)), tuple(sorted(parents))))
    return draw(st.permutations(stages))


def ready(queue):
    return [stage for kind in KINDS if (stage := queue.first(kind))]


@given(graphs(), st.data())
def test_every_stage_comes_once_after_its_parents(stages, data):
    queue, done, under_way = Queue(stages), [], []
    while queue or under_way:
        choices = [*ready(queue), *under_way]
        stage = data.draw(st.sampled_from(choices))
        if stage in under_way:
            under_way.remove(stage)
            done.append(stage.key)
            queue.done(stage.key)
        else:
            assert set(stage.parents) <= set(done)
            queue.take(stage)
            under_way.append(stage)
    assert sorted(done) == sorted(stage.key for stage in stages)


@given(graphs(), st.data())
def test_a_stage_made_again_holds_those_that_wait_for_it(stages, data):
    queue = Queue(stages)
    again = data.draw(st.sampled_from(stages))
    done = set()
    remade = False
    while queue:
        stage = data.draw(st.sampled_from(ready(queue)))
        assert set(stage.parents) <= done
        queue.take(stage)
        done.add(stage.key)
        queue.done(stage.key)
        if stage is again and not remade:
            remade = True
            done.discard(stage.key)
            queue.add(stage)
    assert done == {stage.key for stage in stages}


@given(graphs(), st.data())
def test_what_rests_on_a_dropped_stage_goes_with_it_and_nothing_else(stages, data):
    queue = Queue(stages)
    dropped = {stage.key for stage in queue.drop(data.draw(st.sampled_from(ready(queue))))}
    rest = {s.key: s for s in stages if s.key not in dropped}
    assert all(not dropped & set(stage.parents) for stage in rest.values())
    by_key = {stage.key: stage for stage in stages}
    first = next(iter(k for k in by_key if k in dropped and not dropped & set(by_key[k].parents)))
    assert all(k == first or dropped & set(by_key[k].parents) for k in dropped)
    assert len(queue) == len(rest)
