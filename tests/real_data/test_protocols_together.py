"""Cell lines by two protocols, and on two plates besides: harmony mixes protocols, keeps lines, and gives what harmonypy gives."""

from __future__ import annotations

import logging
import warnings
from types import SimpleNamespace

import anndata
import harmonypy
import numpy as np
import pandas as pd
import pytest
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score

from chemores_dask.errors import AliasedBatchWarning
from chemores_dask.graph.harmony import harmony
from chemores_dask.single_cell.normalize import log_normalize
from chemores_dask.single_cell.pca import pca
from chemores_dask.single_cell.variable_genes import variable_genes

COMPONENTS = 20
TOGETHER = {
    "two protocols": ("celseq2", "dropseq"),
    "with plates": ("celseq2", "dropseq", "celseq2_5cl_p1", "celseq2_5cl_p2"),
}


@pytest.fixture(scope="module", params=TOGETHER)
def embedded(request, mixology):
    """Single cells of some samples in twenty components, with sample and line."""
    parts = {name: mixology.sources[name] for name in TOGETHER[request.param]}
    singlets = {name: part[(part.obs["demuxlet_cls"] == "SNG").to_numpy()] for name, part in parts.items()}
    cells = anndata.concat(singlets, join="inner", label="sample", index_unique=":")
    normalized = log_normalize(cells)
    genes = variable_genes(normalized, method="seurat", genes=2000, batch="sample")["gene_variable"].values
    scores = pca(normalized, components=COMPONENTS, genes=genes)[["pca_scores"]]
    columns = {
        "sample": ("cell", cells.obs["sample"].astype(str).to_numpy()),
        "line": ("cell", cells.obs["cell_line_demuxlet"].astype(str).to_numpy()),
    }
    return SimpleNamespace(cells=scores.assign(columns), name=request.param)


def by_harmonypy(cells, **settings):
    logging.getLogger("harmonypy").setLevel(logging.ERROR)
    table = pd.DataFrame({"sample": cells["sample"].values})
    return harmonypy.run_harmony(cells["pca_scores"].values, table, ["sample"], verbose=False, **settings).Z_corr


def difference(first, second, cells):
    moved = np.sqrt(((second - cells["pca_scores"].values) ** 2).mean())
    return np.sqrt(((first - second) ** 2).mean()) / moved


# Reached: mixing of samples from 1.22 to 1.84 (two protocols, 1.99 in random order) and from 1.50 to 2.62 (with plates, 3.88; two of the
# five lines are on the plates only), lines at 1.00 throughout, adjusted Rand index 1.
def test_harmony__mixes_protocols_and_keeps_lines(embedded):
    cells = embedded.cells
    found = harmony(cells, batch="sample", stage="line", seed=1)
    before, after = found["harmony_mixing_before"].values, found["harmony_mixing_after"].values
    samples = len(TOGETHER[embedded.name])
    assert before[0] < 1.6
    assert after[0] > (1.75 if samples == 2 else 2.4)
    assert after[1] < 1.01
    lines = cells["line"].values
    told = KMeans(len(set(lines)), n_init=20, random_state=0).fit_predict(found["harmony_scores"].values)
    assert adjusted_rand_score(lines, told) >= 0.95


# Reached: root mean square of the difference, as a share of how far cells were moved: 0.12 to 0.26 from harmonypy, whose own seeds are
# 0.17 to 0.27 apart: a few hundred cells leave much to the first clusters. Smallest correlation of a component: 0.983.
def test_harmony__differs_from_harmonypy_as_its_seeds_do(embedded):
    cells = embedded.cells
    found = harmony(cells, batch="sample", seed=1)["harmony_scores"].values
    theirs = [by_harmonypy(cells, random_state=seed) for seed in range(4)]
    among = [difference(theirs[first], theirs[second], cells) for first in range(4) for second in range(first)]
    assert min(difference(found, other, cells) for other in theirs) < 1.3 * max(among)
    for component in range(COMPONENTS):
        assert np.corrcoef(found[:, component], theirs[0][:, component])[0, 1] > 0.97


@pytest.mark.parametrize("embedded", ["two protocols"], indirect=True)
def test_harmony__equals_harmonypy_where_first_clusters_agree(embedded):
    # As many clusters as lines, which are alike in both protocols: whoever looks for them finds the lines.
    cells = embedded.cells
    clusters = len(set(cells["line"].values))
    found = harmony(cells, batch="sample", clusters=clusters, seed=1)["harmony_scores"].values
    theirs = by_harmonypy(cells, nclust=clusters)
    assert difference(found, theirs, cells) < 0.02


def test_harmony__warns_where_the_protocol_stands_for_a_stage(embedded):
    cells = embedded.cells.assign(
        stage=("cell", np.where(embedded.cells["sample"].values == "dropseq", "late", "early"))
    )
    two = cells.isel(cell=np.flatnonzero(np.isin(cells["sample"].values, ["celseq2", "dropseq"])))
    with pytest.warns(AliasedBatchWarning, match="sample holds 100 % of 'stage'"):
        harmony(two, batch="sample", stage="stage", seed=1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        harmony(two, batch="sample", stage="line", seed=1)
