"""What replaces a part of the harness, of torch or of numpy is found by name and put back."""

import importlib
import sys

import numpy as np
import pytest
import torch

import ddbench
import ddbench.evaluators.classifier as classifier
import ddbench.methods.catalog as catalog
from ddbench.conformance import guards
from ddbench.errors import BenchError
from ddbench.evaluators.recipe import Recipe
from ddbench.isolation import harness
from ddbench.isolation.around import importing
from ddbench.plan import code
from ddbench.stages import evaluate
from ddbench.types import Distiller


@pytest.fixture(autouse=True)
def noted():
    harness.begin()


def _code():
    classifier.learning_rate.__code__ = (lambda recipe, step, steps_per_epoch, epochs: 0.0).__code__


def _default():
    evaluate.failed_record.__defaults__ = ("ok",)


REPLACEMENTS = {
    "ddbench.evaluators.classifier._hits": lambda: setattr(classifier, "_hits", print),
    "ddbench.evaluators.classifier.learning_rate": _code,
    "ddbench.stages.evaluate.failed_record": _default,
    "ddbench.evaluators.recipe.Recipe.epochs": lambda: setattr(Recipe, "epochs", print),
    "ddbench.types.Distiller.reads": lambda: setattr(Distiller, "reads", print),
    "ddbench.methods.catalog.dm.lr": lambda: object.__setattr__(catalog.dm, "lr", 7.0),
    "ddbench.plan.code.STAGE_FORMAT": lambda: setattr(code, "STAGE_FORMAT", -1),
    "torch.argmax": lambda: setattr(torch, "argmax", torch.argmin),
    "torch.nn.functional.cross_entropy": lambda: setattr(torch.nn.functional, "cross_entropy", print),
    "torch.Tensor.argmax": lambda: setattr(torch.Tensor, "argmax", print),
    "torch.nn.modules.module.Module.__call__": lambda: setattr(torch.nn.Module, "__call__", print),
    "numpy.mean": lambda: setattr(np, "mean", print),
}


@pytest.mark.parametrize("name", REPLACEMENTS)
def test_a_replacement_is_named_and_put_back(name):
    REPLACEMENTS[name]()
    assert harness.replaced() == [name]
    assert harness.replaced() == []


def test_a_class_that_another_module_shows_too_is_named_once_by_its_own():
    ddbench.Distiller  # noqa: B018 (its first use puts it among the names of the package)
    harness.begin()
    Distiller.reads = print
    assert harness.replaced() == ["ddbench.types.Distiller.reads"]


def test_a_constant_whose_members_change_is_named_and_put_back():
    guards.DATA_SUFFIXES.clear()
    assert harness.replaced() == ["ddbench.conformance.guards.DATA_SUFFIXES"]
    assert ".png" in guards.DATA_SUFFIXES


def test_what_is_added_replaces_nothing():
    class Mine(Distiller):
        def distill(self, real, state, ipc, ctx): ...

    classifier.mine = Mine
    try:
        assert harness.replaced() == []
    finally:
        del classifier.mine


def test_a_function_that_torch_wraps_itself_counts_as_the_same(monkeypatch):
    from torch._compile import _disable_dynamo

    monkeypatch.setattr(torch, "manual_seed", _disable_dynamo(torch.manual_seed))
    assert harness.replaced() == []


def test_a_module_that_the_plug_in_is_the_first_to_import_is_compared(monkeypatch):
    monkeypatch.delitem(sys.modules, "ddbench.methods.pixels", raising=False)
    refused = pytest.raises(BenchError, match=r"mine\.py replaced ddbench\.methods\.pixels\.to_levels")
    with refused, importing("mine.py", "mine"):
        importlib.import_module("ddbench.methods.pixels").to_levels = print


def test_the_modules_that_judge_are_imported_before_a_plug_in():
    harness.import_harness()
    for name in ("evaluators.classifier", "evaluators.protocols", "methods.dm", "results.statistics.estimates"):
        assert f"ddbench.{name}" in harness._notes
