"""The types of the columns of frames and files do not depend on which numbers there are."""

import io

import pyarrow.parquet as pq
import pytest

from ddbench.api.frames import CURVES, RECORDS, SETS, TEXT, WHOLE_NUMBERS, make_frame
from ddbench.api.stores import Stores
from ddbench.api.tables import Tables
from ddbench.results.tables import parquet
from ddbench.results.tables.model import Table
from tests.support.records import cell, hexkey


@pytest.fixture
def nothing(tmp_path):
    return Stores(())


@pytest.mark.parametrize(("kind", "columns"), [("records", RECORDS), ("curves", CURVES), ("sets", SETS)])
def test_a_frame_without_rows_has_its_columns_and_types(kind, columns, nothing):
    frame = make_frame(kind, nothing, {}, [])
    assert tuple(frame) == columns
    for name in columns:
        wanted = "object" if name in TEXT else "int64" if name in WHOLE_NUMBERS else "float64"
        assert frame[name].dtype == wanted, name


def test_a_column_of_missing_numbers_is_float64(nothing):
    frame = make_frame("records", nothing, {cell(): hexkey(1)}, [])
    assert list(frame["outcome"]) == ["not run"]
    assert {str(frame[name].dtype) for name in ("last", "best", "n_images", "seconds_fit", "cores")} == {"float64"}
    assert frame["ipc"].dtype == frame["seed"].dtype == "int64"


def test_a_file_of_missing_numbers_has_the_types_of_a_full_one():
    data = {"dataset": "digits", "ipc": 1, "top1_mean": 0.5, "top1_sd": None, "note": None}
    table = Table((), (), "", lambda: [data])
    types = {one.name: str(one.type) for one in pq.read_schema(io.BytesIO(parquet([table])))}
    assert types == {"dataset": "string", "ipc": "int64", "top1_mean": "double", "top1_sd": "double", "note": "string"}
    assert Tables([table]).frame()["top1_sd"].dtype == "float64"
    assert pq.read_schema(io.BytesIO(parquet([]))).names == ["dataset"]
