"""The samples of a store as a table: what is known of each, and how many cells it has."""

from __future__ import annotations

import numpy as np
import pandas as pd

SAMPLE = "sample"
CELLS_OF_SAMPLE = "cells"
IGNORED = (SAMPLE, CELLS_OF_SAMPLE, "cell_key")


def sample_table(obs: pd.DataFrame) -> pd.DataFrame:
    """Sum up the table of cells.

    Parameters
    ----------
    obs
        Table of cells.

    Returns
    -------
    One row per sample in the order of their cells: ``sample``, the columns with one value in all cells of each sample, and ``cells``, their
    number. Empty where there is no column ``sample``.

    Examples
    --------
    >>> sample_table(pd.DataFrame({"sample": ["a", "a", "b"], "stage": ["x", "x", "y"], "score": [1.0, 2.0, 3.0]}))
      sample stage  cells
    0      a     x      2
    1      b     y      1
    """
    if SAMPLE not in obs:
        return pd.DataFrame({SAMPLE: [], CELLS_OF_SAMPLE: np.array([], dtype=np.int64)})
    codes, names = pd.factorize(obs[SAMPLE], use_na_sentinel=False)
    first = np.unique(codes, return_index=True)[1]
    columns: dict[str, object] = {SAMPLE: [str(name) for name in names]}
    for name in obs.columns:
        if name in IGNORED:
            continue
        values, _ = pd.factorize(obs[name], use_na_sentinel=False)
        if len(values) and bool((values == values[first][codes]).all()):
            column = obs[name].iloc[first]
            columns[str(name)] = column.astype(object).to_numpy() if column.dtype == "category" else column.to_numpy()
    return pd.DataFrame(columns | {CELLS_OF_SAMPLE: np.bincount(codes, minlength=len(names))})
