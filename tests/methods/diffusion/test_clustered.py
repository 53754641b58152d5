"""A prior of unlabelled images: what it reads, how clusters are matched, and where the harness refuses it."""

from dataclasses import replace

import pytest
import torch

import ddbench
from ddbench.errors import BenchError
from ddbench.methods.catalog import dit_unlabelled
from ddbench.methods.diffusion.priors.clustered import ClusteredPrior
from ddbench.methods.diffusion.priors.clusters import matched
from ddbench.methods.diffusion.training.options import Training
from ddbench.plan.build import make_plan
from ddbench.types import DataFacts, LabeledImages, StageContext

PRIOR = ClusteredPrior(width=16, layers=1, heads=2, clusters=4, training=Training(steps=3, batch=8))


def separate(per_class=12, seed=0):
    """Images of four classes, each near a grey level of its own."""
    random = torch.Generator().manual_seed(seed)
    labels = torch.arange(4).repeat_interleave(per_class)
    noise = torch.randint(0, 20, (4 * per_class, 1, 8, 8), generator=random)
    return LabeledImages((labels.view(-1, 1, 1, 1) * 60 + noise).to(torch.uint8), labels, ("a", "b", "c", "d"))


def run(real, prior=PRIOR, held_out=None):
    """The weights of the prior that is trained on ``real``, and what it logged."""
    logged = {}
    held_out = separate(5, seed=1) if held_out is None else held_out
    model = prior.run(real, None, StageContext(seed=0, log=logged.update, validation=held_out))
    return torch.cat([p.flatten() for p in model.transformer.parameters()]), logged


def test_clusters_of_separate_classes_are_matched_to_them():
    from ddbench.methods.diffusion.priors.scratch import ScratchPrior

    weights, logged = run(separate())
    assert logged["matched"] == 1
    labelled = ScratchPrior(width=16, layers=1, heads=2, training=PRIOR.training)
    assert torch.equal(weights, run(separate(), labelled)[0]), "then it is the prior of labelled images"


def test_no_train_label_is_read():
    real = separate()
    wrong = replace(real, labels=real.labels.flip(0))
    assert torch.equal(run(real)[0], run(wrong)[0])


def test_the_match_follows_the_names_of_the_validation_part():
    held_out = separate(5, seed=1)
    turned = LabeledImages(held_out.images, 3 - held_out.labels, held_out.classes[::-1])
    assert torch.equal(run(separate())[0], run(separate(), held_out=turned)[0])


def test_every_class_gets_a_cluster_and_the_rest_go_to_the_majority():
    cluster = torch.tensor([0] * 9 + [1] * 5 + [2] * 3 + [3])
    labels = torch.tensor([0] * 6 + [1] * 3 + [0] * 5 + [1, 1, 0] + [2])
    assert matched(cluster, labels, 5, 3).tolist() == [0, 0, 1, 2, 0]
    pure = torch.tensor([0, 0, 1, 1, 1])
    assert matched(pure, torch.tensor([0, 1, 0, 0, 0]), 2, 2).tolist() == [1, 0], "the most images in all"


def test_too_few_and_too_many_clusters_are_refused_before_work_is_spent():
    facts = DataFacts("d", ("a", "b", "c", "d"), (1, 8, 8))
    assert replace(PRIOR, clusters=3).problems(facts) == [
        "3 clusters cannot be matched to 4 classes: raise prior.clusters"
    ]
    assert not PRIOR.problems(facts)
    assert replace(PRIOR, clusters=41).problems(replace(facts, train_images=40)) == [
        "40 train images do not make 41 clusters: lower prior.clusters"
    ]
    assert not PRIOR.problems(replace(facts, train_images=40))


def test_the_validation_part_is_in_the_key_and_cannot_be_judged_on():
    plan = make_plan(ddbench.study("digits", methods=["dit_unlabelled", "dit"], ipc=[1], seeds=[0]))
    told = [bool(stage.task.get("validation")) for stage in plan.stages.values() if stage.kind == "prior"]
    assert sorted(told) == [False, True]
    with pytest.raises(BenchError, match="dit_unlabelled reads the labels of the validation part"):
        make_plan(ddbench.study("digits", methods=["dit_unlabelled"], ipc=[1], set={"split": "validation"}))


def test_captions_name_what_it_knows():
    assert "labels of the validation part" in dit_unlabelled.needs().knowledge
