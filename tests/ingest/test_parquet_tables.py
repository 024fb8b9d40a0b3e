"""Tests of Parquet files."""

from __future__ import annotations

import datetime

import numpy as np
import pandas as pd
import pytest

from chemores_dask.errors import FormatError
from chemores_dask.ingest.bulk_tables import read_bulk_table
from chemores_dask.ingest.parquet_tables import is_parquet, parquet_texts, read_parquet
from chemores_dask.ingest.table_text import read_texts


def test_parquet_texts__are_what_a_person_would_have_written(tmp_path):
    table = pd.DataFrame(
        {
            "patient": ["P1", "P2", None],
            "months": [1.5, np.nan, 0.1],
            "stage": pd.array([1, None, 3], dtype="Int64"),
            "dead": [True, False, True],
            "day": [datetime.date(2020, 2, 1), None, datetime.date(2021, 1, 31)],
        }
    )
    table.to_parquet(tmp_path / "clinical")
    assert is_parquet(tmp_path / "clinical")
    texts = read_texts(tmp_path / "clinical")
    assert texts["months"].tolist() == ["1.5", "", "0.1"]
    assert texts["stage"].tolist() == ["1", "", "3"]
    assert texts["dead"].tolist() == ["True", "False", "True"]
    assert texts["day"].tolist() == ["2020-02-01", "", "2021-01-31"]
    assert texts["patient"].tolist() == ["P1", "P2", ""]


def test_parquet_texts__write_times_of_day_as_dates(tmp_path):
    pd.DataFrame({"seen": pd.to_datetime(["2020-02-01", None])}).to_parquet(tmp_path / "t.parquet")
    assert parquet_texts(tmp_path / "t.parquet")["seen"].tolist() == ["2020-02-01", ""]


def test_read_parquet__keeps_row_names_as_first_column(tmp_path):
    values = pd.DataFrame([[1.0, 2.0], [3.0, 4.5]], index=["CD44", "KLF2"], columns=["P1", "P2"])
    values.to_parquet(tmp_path / "e.parquet")
    assert read_parquet(tmp_path / "e.parquet").columns.tolist() == ["", "P1", "P2"]
    bulk = read_bulk_table(tmp_path / "e.parquet", patients=["P2", "P1"])
    assert bulk.expression.to_numpy().tolist() == [[2.0, 4.5], [1.0, 3.0]]
    assert bulk.expression.columns.tolist() == ["CD44", "KLF2"]


def test_read_parquet__refuses_a_file_that_is_cut_short(tmp_path):
    pd.DataFrame({"a": range(1000)}).to_parquet(tmp_path / "t.parquet")
    data = (tmp_path / "t.parquet").read_bytes()
    (tmp_path / "t.parquet").write_bytes(data[: len(data) // 2])
    with pytest.raises(FormatError, match="whole Parquet file"):
        read_parquet(tmp_path / "t.parquet")
