"""A study from a script: run, frame, pivot, plot, compare. Run it again and only the tables are made."""

import sys

import ddbench

store = sys.argv[1] if len(sys.argv) > 1 else "bench-store"
study = ddbench.study(
    "digits",
    methods=["random", "herding"],
    ipc=[1, 2],
    seeds=[0, 1],
    eval_seeds=[0],
    set={"methods.herding.embedder.epochs": 2},  # seconds in place of minutes
)
results = ddbench.run(study, store, executor="inline")

frame = results.frame()
print(frame.pivot_table(index="method", columns="ipc", values="last", aggfunc=["mean", "std"]).round(3))
print(results.table(layout="methods"))
print(results.compare(a={"method": "random"}, b={"method": "herding"}))
results.plot("ipc", out="first-study.png")
for failure in results.failures:
    print(failure.cell, failure.reason)
