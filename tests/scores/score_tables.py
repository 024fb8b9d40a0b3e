"""Scores made up for tests."""

from __future__ import annotations

import dask.array as da
import numpy as np
import xarray as xr


def scores_of(values, *, patients=None, lazy=0):
    """A Dataset as scores are, with a second gene set; in blocks of some cells where they are lazy."""
    column = np.asarray(values, dtype=float)[:, None]
    matrix = np.concatenate([np.full(column.shape, 7.0), column], axis=1)
    data = da.from_array(matrix, chunks=(lazy, 2)) if lazy else matrix
    dataset = xr.Dataset(
        {"cell_score": (("cell", "gene_set"), data)},
        coords={"cell": [f"cell{place}" for place in range(len(column))], "gene_set": ["other", "set"]},
    )
    return dataset if patients is None else dataset.assign(patient=("cell", np.asarray(patients, dtype=object)))


def two_groups(seed, *, cells=2000, share=0.2, gap=6.0, patients=10):
    """Scores of two groups, and the patient of each cell; every cell of the upper group is known."""
    generator = np.random.default_rng(seed)
    upper = generator.random(cells) < share
    values = generator.normal(size=cells) + gap * upper
    return values, np.array([f"P{place % patients}" for place in range(cells)], dtype=object), upper
