"""Editing a method changes its keys; editing words about it, or moving its file, does not."""

import sys
import textwrap

import pytest

from ddbench.config.addresses import addresses_of
from ddbench.config.values import describe
from ddbench.errors import BenchError
from ddbench.methods.catalog import dm, random, rsm, rsm_cgs
from ddbench.plan import code


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


def digest(folder, module="method"):
    forget()
    return code.code_digest({"type": "x:Method"}, {"x:Method": f"{folder.name}.{module}:Method"})


def forget():
    code._code.cache_clear()
    code._loose.cache_clear()
    code._installation.cache_clear()


def of(value):
    return code.code_digest(describe(value), addresses_of(value))


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


def test_a_file_moved_to_another_package_changes_nothing(package):
    before = digest(package)
    room = package / "room"
    room.mkdir()
    (room / "__init__.py").touch()
    (package / "method.py").rename(room / "method.py")
    (package / "helper.py").rename(room / "helper.py")
    assert digest(package, "room.method") == before


def test_a_moved_helper_that_is_imported_from_its_new_place_changes_nothing(package):
    before = digest(package)
    room = package / "room"
    room.mkdir()
    (room / "__init__.py").touch()
    (package / "helper.py").rename(room / "helper.py")
    path = package / "method.py"
    path.write_text(path.read_text().replace("from .helper", "from .room.helper"))
    assert digest(package) == before


def test_the_order_of_import_lines_does_not_count(package):
    path = package / "method.py"
    path.write_text("import os\nimport json\nx = 1\n")
    before = digest(package)
    path.write_text("import json\nimport os\nx = 1\n")
    assert digest(package) == before


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("from math import sin as f", "from math import cos as f"),
        ("from math import sqrt as f", "from cmath import sqrt as f"),
        ("from .helper import RATE as f", "from .helper import STEP as f"),
        ("import math as f", "import cmath as f"),
    ],
)
def test_what_an_import_binds_counts(package, one, other):
    (package / "helper.py").write_text("RATE = 1\nSTEP = 2\n")
    path = package / "method.py"
    path.write_text(f"{one}\nx = f\n")
    before = digest(package)
    path.write_text(f"{other}\nx = f\n")
    assert digest(package) != before


def test_nothing_is_imported_to_read_it(package):
    (package / "method.py").write_text("raise SystemExit\n")
    digest(package)


def test_a_module_without_source_is_refused_and_never_empty(package):
    import py_compile

    path = package / "method.py"
    py_compile.compile(str(path), str(package / "method.pyc"))
    path.unlink()
    with pytest.raises(BenchError, match=r"the module .*\.method \(.*method\.pyc\) has no source"):
        digest(package)


def test_a_class_of_a_script_or_notebook_is_refused_with_what_to_do():
    with pytest.raises(BenchError, match=r"__main__:Mine has no source file.*plugins=\['NAME.py'\]"):
        code.code_digest({"type": "x:Mine"}, {"x:Mine": "__main__:Mine"})


def closure(value):
    return set(code._closure(address.partition(":")[0] for address in addresses_of(value).values()))


def test_families_do_not_see_each_others_code():
    assert "ddbench.methods.diffusion.sampler" not in closure(random) | closure(dm)
    assert "ddbench.methods.dm" not in closure(rsm)
    assert "ddbench.methods.real" in closure(dm)  # DM starts from its draw


def test_an_objective_and_a_guidance_count_only_where_they_are_used():
    assert of(rsm.preparations(0)[0]) == of(rsm_cgs.preparations(0)[0])
    prior = closure(rsm.preparations(0)[0])
    assert "ddbench.methods.diffusion.training.train" in prior
    assert not [name for name in prior if name.rpartition(".")[2] in {"rsm", "minimax", "cgs"}]


def test_the_harness_itself_does_not_count(package):
    (package / "method.py").write_text(
        textwrap.dedent("import ddbench.store.folder\nfrom ddbench.types import Cell\nfrom ddbench.api import run\n")
    )
    forget()
    found = code._closure([f"{package.name}.method"])
    assert set(found) == {f"{package.name}.method"}


def test_a_method_built_on_one_of_the_harness_counts_it(package):
    (package / "method.py").write_text("from ddbench.methods.coreset import Herding\nimport numpy\n")
    forget()
    found = code._closure([f"{package.name}.method"])
    assert {"ddbench.methods.coreset", "ddbench.methods.embedder"} <= set(found)
    assert not [name for name in found if name.startswith("numpy")]


@pytest.mark.parametrize("where", ["{name}_helper.py", "{name}_folder/helper.py"])
def test_a_file_beside_it_counts(package, where):
    """Also one in a folder without __init__.py."""
    helper = package.parent / where.format(name=package.name)
    helper.parent.mkdir(exist_ok=True)
    helper.write_text("SHIFT = 0\n")
    module = ".".join(helper.relative_to(package.parent).with_suffix("").parts)
    (package / "method.py").write_text(f"import {module}\n")
    before = digest(package)
    helper.write_text("SHIFT = 7\n")
    assert digest(package) != before


def test_a_package_that_is_installed_does_not_count(package, tmp_path, monkeypatch):
    """Also one that lies in another environment's folder, or in one given to ``pip install --target``."""
    name = f"{package.name}_library"
    target = tmp_path / "target"
    library = target / name
    library.mkdir(parents=True)
    (library / "__init__.py").write_text("RATE = 1\n")
    monkeypatch.syspath_prepend(str(target))
    (package / "method.py").write_text(f"import {name}\n")
    loose = digest(package)
    (target / f"{name}-1.0.dist-info").mkdir()
    installed = digest(package)
    (library / "__init__.py").write_text("RATE = 2\n")
    assert digest(package) == installed != loose
