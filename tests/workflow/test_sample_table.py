from __future__ import annotations

import numpy as np
import pandas as pd

from chemores_dask.testing.nouns import tiny_cells
from chemores_dask.workflow.sample_table import sample_table


def test_sample_table__keeps_what_is_the_same_in_all_cells_of_a_sample():
    obs = tiny_cells().obs
    table = sample_table(obs)
    assert list(table.columns) == ["sample", "patient", "stage", "batch", "cells"]
    assert list(table["sample"]) == list(pd.unique(obs["sample"]))
    assert table["cells"].sum() == len(obs)
    grouped = obs.groupby("sample", sort=False)
    assert list(table["stage"]) == list(grouped["stage"].first())
    assert list(table["cells"]) == list(grouped.size())


def test_sample_table__takes_categories_missing_values_and_other_columns_of_cells():
    obs = pd.DataFrame(
        {
            "sample": pd.Categorical(["b", "b", "a"], categories=["a", "b", "c"]),
            "type": pd.Categorical([None, None, "one"]),
            "age": [1.0, 1.0, np.nan],
            "mixed": ["x", None, "x"],
            "cells": [7, 7, 7],
        }
    )
    table = sample_table(obs)
    assert list(table["sample"]) == ["b", "a"]
    assert table["type"].isna().tolist() == [True, False]
    assert table["age"].isna().tolist() == [False, True]
    assert "mixed" not in table
    assert list(table["cells"]) == [2, 1]


def test_sample_table__of_no_cells_is_empty():
    assert sample_table(pd.DataFrame()).empty
    assert sample_table(tiny_cells().obs.iloc[:0]).empty
