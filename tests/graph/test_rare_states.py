"""A rare state, from counts to clusters: half a percent of the cells, planted as a variant of the largest state."""

from __future__ import annotations

import anndata as ad
import numpy as np
import pytest
import scipy.sparse as sp

from chemores_dask.graph.leiden import MICRO, WHOLE, leiden
from chemores_dask.graph.neighbors import neighbors
from chemores_dask.single_cell.normalize import log_normalize
from chemores_dask.single_cell.pca import pca

CELLS, GENES, FOLD = 6_000, 1_000, 5.0
SHARES = (0.4, 0.3, 0.2, 0.095, 0.005)
RARE = 4


def planted_counts(seed):
    """About two thousand counts a cell; each state has fifty genes of its own, the rare one besides those of the largest."""
    draws = np.random.default_rng(seed)
    state = draws.permutation(np.repeat(range(len(SHARES)), np.round(np.array(SHARES) * CELLS).astype(int)))
    profiles = np.tile(draws.lognormal(0.0, 1.2, GENES), (len(SHARES), 1))
    for number in range(len(SHARES)):
        if number == RARE:
            profiles[RARE] = profiles[0]
        profiles[number, draws.choice(GENES, GENES // 20, replace=False)] *= FOLD
    depth = draws.lognormal(0.0, 0.3, len(state))[:, None]
    counts = sp.csr_matrix(draws.poisson(profiles[state] * depth).astype(np.int32))
    cells = ad.AnnData(counts)
    cells.obs_names = [f"s1:{number}" for number in range(len(state))]
    cells.var_names = [f"GENE{number}" for number in range(GENES)]
    return cells, state


@pytest.fixture(scope="module")
def planted():
    cells, state = planted_counts(1)
    scores = pca(log_normalize(cells), components=20)
    return neighbors(scores, neighbors=15, seed=1), state


@pytest.mark.parametrize("route", [WHOLE, MICRO])
@pytest.mark.parametrize("resolution", [0.5, 1.0])
def test_leiden__finds_a_planted_state_of_half_a_percent(planted, route, resolution):
    graph, state = planted
    found = leiden(graph, resolution=resolution, route=route, seed=1)["cell_cluster"].values
    rare = state == RARE
    cluster = found == np.bincount(found[rare]).argmax()
    assert rare.sum() == 30
    assert (cluster & rare).sum() >= 0.9 * rare.sum()
    assert (cluster & rare).sum() >= 0.9 * cluster.sum()
