"""Small labeled cells for the tests of markers."""

from __future__ import annotations

import numpy as np
import pandas as pd
import scipy.sparse as sp
from anndata import AnnData

from chemores_dask.kernels.rank_sums import GroupedCells
from chemores_dask.single_cell.markers.labeled_cells import LabeledCells, RankedValues

LABELS = ("stem", "blast", "other")
LOGARITHMS = RankedValues(1e4, float(np.log1p(1e4)), whole=False)
COUNTS = RankedValues(None, 1024.0, whole=True)


def example(cells: int = 240, genes: int = 30, *, seed: int = 0) -> AnnData:
    """Counts of cells of three groups and four patients; the first genes are higher in the first group; gene 3 has no counts."""
    random = np.random.default_rng(seed)
    group = random.choice(LABELS, size=cells, p=[0.2, 0.5, 0.3])
    rate = random.gamma(0.6, 1.2, size=genes)[None, :] * random.gamma(4.0, 0.25, size=cells)[:, None]
    rate[np.ix_(group == "stem", [0, 1])] *= 4
    counts = random.poisson(rate).astype(np.int32)
    counts[:, 3] = 0
    counts[11] = 0
    obs = pd.DataFrame(
        {"label": group, "patient": random.choice(["p1", "p2", "p3", "p4"], size=cells)},
        index=[f"c{number}" for number in range(cells)],
    )
    obs.loc[obs["patient"] == "p4", "label"] = "other"
    return AnnData(sp.csr_matrix(counts), obs=obs, var=pd.DataFrame(index=[f"g{number}" for number in range(genes)]))


def logarithms(cells: AnnData) -> np.ndarray:
    """The float32 values that log_normalize gives, dense."""
    dense = cells.X.toarray().astype(np.float64)
    total = dense.sum(axis=1, keepdims=True)
    return np.log1p(dense * np.divide(1e4, total, out=np.zeros_like(total), where=total > 0)).astype(np.float32)


def two_groups(met: np.ndarray) -> LabeledCells:
    """Labeled cells with so many cells per group and patient."""
    groups, parts = met.shape
    codes = np.repeat(np.arange(groups * parts), met.ravel()).astype(np.int32)
    grouped = GroupedCells(codes, groups, parts, met.sum(axis=1).astype(np.int64))
    return LabeledCells(grouped, np.array(list("abcdef")[:groups], dtype=object), 0, met)
