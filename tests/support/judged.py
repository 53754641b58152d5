"""Evaluations of the digits that take fractions of a second, and what of their records the configuration determines."""

import threading

from ddbench.config.schema import load_config
from ddbench.config.study import resolve
from ddbench.evaluators import classifier
from ddbench.plan.build import make_plan
from ddbench.stages.run import run_stage
from ddbench.store.opening import open_store

SHORT = "epochs_by_ipc=[[1000,3]],evaluations=2,batch=32"
PROTOCOLS = {
    "shifted images, hard labels": {"grid.protocol": f"cpu-small@1[{SHORT}]"},
    "a teacher's outputs on crops": {"grid.protocol": f"cpu-small-teacher@1[{SHORT},teacher.epochs=1]"},
    "a network that draws": {
        "grid.protocol": f"cpu-small@1[{SHORT},min_side=32]",
        "grid.archs": ["timm:test_vit_relpos"],
    },
}


def digits(**changes):
    """The plan of random images judged with three seeds."""
    grid = {"methods": ["random"], "ipc": [10], "archs": ["convnet3-w32"], "seeds": [0], "eval_seeds": [0, 1, 2]}
    asked = {f"grid.{name}": value for name, value in {**grid, "protocol": f"cpu-small@1[{SHORT}]"}.items()}
    return make_plan(resolve(load_config("digits", {**asked, **changes}, [])))


def evaluations(plan):
    return [stage for stage in plan.stages.values() if stage.kind == "evaluate"]


def prepared(plan, folder):
    """A store in which everything but the evaluations is done."""
    store = open_store(folder, create=True)
    for stage in plan.stages.values():
        if stage.kind != "evaluate":
            assert run_stage(stage, store.address).outcome == "ok"
    return store


def numbers(store):
    """Key -> outcome, curve, hits, and what the protocol logged."""
    store.refresh()
    return {r.key: (r.outcome, r.curve, r.correct, r.run.get("log")) for r in store.records()}


def before_judging(monkeypatch, call):
    """``call(name)`` before each judgement of a network, with the name of its stage's thread."""
    hits = classifier._hits

    def judged(*arguments):
        call(threading.current_thread().name)
        return hits(*arguments)

    monkeypatch.setattr(classifier, "_hits", judged)
