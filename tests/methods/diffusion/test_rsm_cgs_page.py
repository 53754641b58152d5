"""docs/rsm-cgs.md: every fact of the note has a row, and the code, tests and options that rows name exist."""

import ast
import dataclasses
import re
from pathlib import Path

import pytest

from ddbench.methods.diffusion.guidances.cgs import CGS
from ddbench.methods.diffusion.objectives.rsm import RSM
from ddbench.methods.diffusion.sampler import Sampler
from ddbench.methods.diffusion.training.options import FineTuning

ROOT = Path(__file__).parents[3]
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in (ROOT / "docs" / "rsm-cgs.md").read_text().splitlines()
    if line.startswith("| N")
]
STATED = [row for row in ROWS if len(row) == 4]
OPEN = [row for row in ROWS if len(row) == 5]
OPTIONS = {cls.__name__: cls for cls in (CGS, RSM, Sampler, FineTuning)}


def test_every_fact_is_stated_and_the_open_ones_have_an_option():
    assert {row[0] for row in STATED} == {f"N{i}" for i in range(1, 17)}
    assert {row[0] for row in OPEN} == {"N1", "N6", "N7", "N8"}


def defined(path):
    """Names of functions and classes of a file, and of fields and methods as ``Class.name``."""
    names = set()
    for node in ast.parse((ROOT / path).read_text()).body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            names.add(node.name)
        for inner in node.body if isinstance(node, ast.ClassDef) else ():
            if isinstance(inner, ast.FunctionDef):
                names.add(f"{node.name}.{inner.name}")
            elif isinstance(inner, ast.AnnAssign):
                names.add(f"{node.name}.{inner.target.id}")
    return names


@pytest.mark.parametrize("row", STATED, ids=lambda row: f"{row[0]}-{row[1][:30]}")
def test_the_code_and_the_test_that_a_row_names_exist(row):
    for cell in row[2:]:
        path, _, name = re.fullmatch(r"`([^`]+)`", cell)[1].partition("::")
        assert (ROOT / path).exists()
        assert not name or name in defined(path)
    assert row[3].startswith("`tests/")


@pytest.mark.parametrize("row", OPEN, ids=lambda row: f"{row[0]}-{row[1][:30]}")
def test_an_open_choice_is_an_option_with_the_default_that_is_said(row):
    for cls, name in re.findall(r"`(\w+)\.(\w+)`", row[2]):
        defaults = {f.name: f.default for f in dataclasses.fields(OPTIONS[cls])}
        assert name in defaults
        if isinstance(defaults[name], str) or (isinstance(defaults[name], float) and "," not in row[2]):
            assert f"{defaults[name]:g}" in row[3] if isinstance(defaults[name], float) else defaults[name] in row[3]
