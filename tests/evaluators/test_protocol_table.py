"""docs/protocols.md: every detail of the field's protocol has a row there, and the test that a row names exists."""

import ast
import dataclasses
import re
from pathlib import Path

import pytest

from ddbench.evaluators.protocols import HardLabels

ROOT = Path(__file__).parents[2]
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in (ROOT / "docs" / "protocols.md").read_text().splitlines()
    if line.startswith("|") and "---" not in line and "held by" not in line
]


def test_every_field_of_a_protocol_has_a_row():
    named = {name for row in ROWS if len(row) == 4 for name in re.findall(r"`(\w+)`", row[2])}
    assert named == {f.name for f in dataclasses.fields(HardLabels)}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_the_test_that_a_row_names_exists(row):
    found = re.fullmatch(r"`(tests/[\w/]+\.py)::(test_\w+)`", row[-1])
    assert found, f"{row[0]}: name a test as `tests/file.py::test_name`"
    path, name = found.groups()
    functions = [n.name for n in ast.parse((ROOT / path).read_text()).body if isinstance(n, ast.FunctionDef)]
    assert name in functions
