"""Genes with a statistic, and sets of them, for the tests of this folder."""

from __future__ import annotations

import numpy as np
import xarray as xr

from chemores_dask.gene_sets import GeneSets


def names_of(genes):
    return [f"G{number:04d}" for number in range(genes)]


def table_of(statistic, **variables):
    values = np.asarray(statistic, dtype=float)
    columns = {name: ("gene" if np.ndim(array) else (), array) for name, array in variables.items()}
    return xr.Dataset({"t": ("gene", values), **columns}, coords={"gene": names_of(values.size)})


def random_table(genes=1500, seed=1):
    return table_of(np.random.default_rng(seed).normal(size=genes))


def random_sets(genes=1500, sets=30, seed=2, *, largest=120):
    """Sets drawn at random, one of genes at the top of :func:`random_table`, and one from its end."""
    draws = np.random.default_rng(seed)
    names = np.array(names_of(genes))
    found = {
        f"random {number}": names[draws.choice(genes, draws.integers(6, largest), replace=False)].tolist()
        for number in range(sets)
    }
    order = np.argsort(-random_table(genes).t.values)
    found["top"] = names[draws.choice(order[: genes // 5], 30, replace=False)].tolist()
    found["end"] = names[draws.choice(order[-genes // 4 :], 40, replace=False)].tolist()
    return GeneSets.from_mapping(found)
