from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from chemores_dask.errors import InputError
from chemores_dask.store.cells_tables import finish_tables, joined_obs, storable_table
from chemores_dask.store.layout import group_attributes, writable_root
from chemores_dask.store.table_files import DESCRIPTIONS


def test_storable_table__refuses_repeated_names():
    with pytest.raises(InputError, match="more than once: a"):
        storable_table(pd.DataFrame(index=["a", "b", "a"]), what="cells")


def test_storable_table__refuses_names_that_are_not_text():
    with pytest.raises(InputError, match="must be strings"):
        storable_table(pd.DataFrame(index=[1, 2]), what="cells")


def test_storable_table__refuses_columns_of_mixed_types():
    with pytest.raises(InputError, match="'x' holds"):
        storable_table(pd.DataFrame({"x": ["a", 1]}, index=["a", "b"]), what="cells")


def test_storable_table__refuses_repeated_columns():
    table = pd.DataFrame([[1, 2]], columns=["x", "x"], index=["a"])
    with pytest.raises(InputError, match="unique strings"):
        storable_table(table, what="genes")


def test_storable_table__leaves_the_input_alone():
    table = pd.DataFrame({"x": [1]}, index=pd.Index(["a"], name="barcode"))
    stored = storable_table(table, what="cells")
    stored["x"] = 5
    assert table["x"].tolist() == [1]
    assert table.index.name == "barcode"


def test_joined_obs__makes_categories_of_text_in_alphabetical_order():
    tables = [pd.DataFrame({"s": ["z", "b"]}, index=["1", "2"]), pd.DataFrame({"s": ["a"]}, index=["3"])]
    joined = joined_obs(tables)
    assert joined["s"].cat.categories.tolist() == ["a", "b", "z"]
    assert joined["s"].tolist() == ["z", "b", "a"]
    assert joined.index.tolist() == ["1", "2", "3"]


def test_joined_obs__keeps_types_where_a_table_lacks_a_column():
    first = pd.DataFrame({"i": [1], "b": [True], "f": [0.5], "t": ["x"]}, index=["1"])
    joined = joined_obs([first, pd.DataFrame({"j": [3]}, index=["2"])])
    assert str(joined["i"].dtype) == "Int64"
    assert str(joined["b"].dtype) == "boolean"
    assert joined["f"].dtype == float
    assert joined["t"].isna().tolist() == [False, True]
    assert joined["j"].isna().tolist() == [True, False]


def test_joined_obs__keeps_plain_types_where_all_tables_agree():
    tables = [pd.DataFrame({"i": np.array([1], "i4"), "b": [True]}, index=[name]) for name in "xy"]
    joined = joined_obs(tables)
    assert joined["i"].dtype == np.int32
    assert joined["b"].dtype == bool


def test_joined_obs__joins_categories_and_text_with_numbers():
    first = pd.DataFrame({"c": pd.Categorical(["x"], categories=["x", "unused"]), "m": ["a"]}, index=["1"])
    joined = joined_obs([first, pd.DataFrame({"c": ["y"], "m": [2]}, index=["2"])])
    assert joined["c"].tolist() == ["x", "y"]
    assert joined["m"].tolist() == ["a", "2"]


@pytest.mark.parametrize("tables", [[], [pd.DataFrame(index=pd.Index([], dtype=object))]])
def test_joined_obs__takes_nothing(tables):
    assert len(joined_obs(tables)) == 0


def test_finish_tables__marks_complete(tmp_path):
    root = writable_root(tmp_path / "s")
    table = pd.DataFrame(index=["a"])
    for name in DESCRIPTIONS:
        file = root / "cells" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("{}")
    finish_tables(root, obs=table, var=table, uns={"note": "x"}, facts={"cells": 1})
    found = group_attributes(root / "cells")
    assert found["complete"] is True
    assert found["cells"] == 1
    assert found["encoding-type"] == "anndata"


@pytest.mark.parametrize("name", ["a/b", "_index", "..", "", "__own"])
def test_storable_table__refuses_names_that_cannot_be_stored(name):
    with pytest.raises(InputError, match="plain names"):
        storable_table(pd.DataFrame({name: [1]}, index=["a"]), what="cells")
