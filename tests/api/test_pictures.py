"""Pictures of distilled sets beside real images."""

import dataclasses

import torch

from ddbench.api.pictures import _real
from ddbench.config.schema import load_config
from ddbench.config.study import resolve
from ddbench.plan.build import make_plan
from ddbench.stages.inputs import dataset_of
from ddbench.store.opening import open_store


def test_the_real_row_has_a_train_image_of_each_class_and_is_left_out_where_it_cannot_be_read(tmp_path):
    config = load_config("digits", {}, ["grid.methods=[random]", "grid.seeds=[0]", "grid.eval_seeds=[0]"])
    plan = make_plan(resolve(config))
    (judging, *_) = (plan.stages[key] for key in plan.cells.values())
    store = open_store(tmp_path / "s", create=True)
    real = _real(store, judging, (1, 8, 8))
    train = dataset_of(judging).load("train")
    assert real.labels.tolist() == list(range(10))
    for image, label in zip(real.images, real.labels, strict=True):
        assert (train.images[train.labels == label] == image).flatten(1).all(1).any()
    assert torch.equal(_real(store, judging, (1, 8, 8)).images, real.images)
    assert _real(store, judging, (3, 8, 8)) is None
    gone = dataclasses.replace(judging, task={**judging.task, "dataset": {"type": "nowhere:Gone"}})
    assert _real(store, gone, (1, 8, 8)) is None
