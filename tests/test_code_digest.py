"""Editing a method changes its keys; editing words about it does not."""

import sys
import textwrap

import pytest

from benchmark.code import _close, code_digest
from benchmark.values import describe
from methods.catalog import dm, random, rsm, rsm_cgs


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package ``plug<n>`` whose method imports a helper inside a function."""
    name = f"plug_{tmp_path.name.replace('-', '_')}"
    folder = tmp_path / name
    folder.mkdir()
    (folder / "__init__.py").touch()
    (folder / "helper.py").write_text("RATE = 1\n")
    (folder / "method.py").write_text("import os\n\ndef f():\n    from .helper import RATE\n    return RATE\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    yield folder
    sys.modules.pop(name, None)


def digest(folder):
    from benchmark.code import _parse

    _parse.cache_clear()
    return code_digest({"type": f"{folder.name}.method:Method"})


def test_comments_docstrings_and_layout_do_not_count(package):
    before = digest(package)
    path = package / "method.py"
    path.write_text('"""Words."""\n' + path.read_text().replace("def f():", 'def f():\n    """More."""\n    # aside\n'))
    assert digest(package) == before


def test_code_counts_also_in_what_is_imported_inside_a_function(package):
    before = digest(package)
    (package / "helper.py").write_text("RATE = 2\n")
    assert digest(package) != before


def test_what_is_not_imported_does_not_count(package):
    before = digest(package)
    (package / "other.py").write_text("x = 1\n")
    assert digest(package) == before


def test_nothing_is_imported_to_read_it(package):
    (package / "method.py").write_text("raise SystemExit\n")
    digest(package)


def closure(value):
    found = {}
    for module in {value["type"].partition(":")[0]}:
        _close(module, found)
    return set(found)


def test_families_do_not_see_each_others_code():
    assert "methods.diffusion.sampler" not in closure(describe(random)) | closure(describe(dm))
    assert "methods.dm" not in closure(describe(rsm))
    assert "methods.random_real" in closure(describe(dm))  # DM starts from its draw


def test_an_objective_and_a_guidance_count_only_where_they_are_used():
    assert code_digest(describe(rsm.preparations(0)[0])) == code_digest(describe(rsm_cgs.preparations(0)[0]))
    prior = closure(describe(rsm.preparations(0)[0]))
    assert "methods.diffusion.train" in prior
    assert not {"methods.diffusion.rsm", "methods.diffusion.minimax", "methods.diffusion.cgs"} & prior


def test_the_harness_itself_does_not_count(package):
    (package / "method.py").write_text(textwrap.dedent("import benchmark.store\nfrom benchmark.types import Cell\n"))
    found = {}
    _close(f"{package.name}.method", found)
    assert set(found) == {f"{package.name}.method"}


def test_a_method_built_on_one_of_the_harness_counts_it(package):
    (package / "method.py").write_text("from methods.coreset import Herding\nimport numpy\n")
    found = {}
    _close(f"{package.name}.method", found)
    assert {"methods.coreset", "methods.embedder"} <= set(found)
    assert not [name for name in found if name.startswith("numpy")]


def test_a_file_beside_it_counts(package, monkeypatch):
    helper = package.parent / f"{package.name}_helper.py"
    helper.write_text("SHIFT = 0\n")
    (package / "method.py").write_text(f"import {helper.stem}\n")
    before = digest(package)
    helper.write_text("SHIFT = 7\n")
    assert digest(package) != before
