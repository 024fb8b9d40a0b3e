"""Clusters of real cells whose identity is known: lung-cancer lines told apart by genotype."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score

from chemores_dask.graph.cluster_stability import cluster_stability
from chemores_dask.graph.leiden import MICRO, WHOLE, leiden
from chemores_dask.graph.neighbors import neighbors
from chemores_dask.single_cell.normalize import log_normalize
from chemores_dask.single_cell.pca import pca
from chemores_dask.single_cell.variable_genes import variable_genes


@pytest.fixture(scope="module")
def plates(mixology):
    """Graph and line of the cells of two samples: three lines in one, five in the other."""
    made = {}
    for sample in ("celseq2", "celseq2_5cl_p1"):
        cells = mixology.sources[sample]
        chosen = variable_genes(cells, method="seurat_v3", genes=2000)["gene_variable"].values
        scores = pca(log_normalize(cells), components=15, genes=chosen)
        made[sample] = neighbors(scores, neighbors=15, seed=1), cells.obs["cell_line_demuxlet"].to_numpy().astype(str)
    return made


@pytest.mark.parametrize("route", [WHOLE, MICRO])
@pytest.mark.parametrize(("sample", "resolution"), [("celseq2", 0.25), ("celseq2_5cl_p1", 0.5)])
def test_leiden__finds_cell_lines(plates, sample, resolution, route):
    graph, line = plates[sample]
    found = leiden(graph, resolution=resolution, route=route, seed=1)
    assert adjusted_rand_score(line, found["cell_cluster"]) >= 0.95
    assert found.sizes["cluster"] == len(np.unique(line))


def test_cluster_stability__trusts_cell_lines_more_than_parts_of_them(plates):
    graph, _ = plates["celseq2"]
    lines = cluster_stability(graph, resolution=0.25, repeats=4, seed=1)
    parts = cluster_stability(graph, resolution=2.0, repeats=4, seed=1)
    assert float(lines["stability_rand"].mean()) > 0.9
    assert float(parts["stability_rand"].mean()) < float(lines["stability_rand"].mean()) - 0.1
