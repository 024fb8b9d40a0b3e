"""Neighbors, integration and transfer of labels on cells whose kind or age is known from elsewhere.

``sc_mixology`` here: three lung-cancer lines by CEL-seq2 and by Drop-seq, and five lines on two CEL-seq2 plates; line and doublets are
known by genotype. (The 10x runs of that study are not among the files.)
"""

from __future__ import annotations

import anndata
import numpy as np
import pytest
import xarray as xr
from sklearn.metrics import adjusted_rand_score

from chemores_dask.graph.harmony import harmony
from chemores_dask.graph.label_transfer import METHODS, TransferOptions, label_transfer
from chemores_dask.graph.leiden import leiden
from chemores_dask.graph.neighbors import neighbors
from chemores_dask.single_cell.normalize import log_normalize
from chemores_dask.single_cell.pca import pca
from chemores_dask.single_cell.projection import project_cells
from chemores_dask.single_cell.variable_genes import variable_genes
from chemores_dask.store.cells import open_cells
from chemores_dask.workflow.inputs import keep_cells

ALL_METHODS = pytest.mark.parametrize("method", METHODS)


def components_of(cells, *, components, batch=None, genes=2000):
    chosen = variable_genes(cells, method="seurat_v3", genes=genes, batch=batch)["gene_variable"].values
    return pca(log_normalize(cells), components=components, genes=chosen).compute()


@pytest.fixture(scope="module")
def singlets(mixology):
    """Cells of one line each."""
    cells = open_cells(mixology.store)
    return keep_cells(cells, (cells.obs["droplet"].astype(str) == "SNG").to_numpy())


@pytest.fixture(scope="module")
def lines(singlets):
    """Line of every cell."""
    return singlets.obs["cell_line"].astype(str).to_numpy()


@pytest.fixture(scope="module")
def protocols(singlets):
    """Protocol or plate of every cell."""
    return singlets.obs["sample"].astype(str).to_numpy()


@pytest.fixture(scope="module")
def scores(singlets, protocols):
    """Ten components, and the protocol."""
    found = components_of(singlets, components=10, batch="sample")
    return found[["pca_scores"]].assign(protocol=("cell", protocols))


@pytest.fixture(scope="module")
def integrated(scores):
    """The same components with the protocols drawn together."""
    return harmony(scores, batch="protocol", seed=1).compute()


def clusters_of(embedding, *, seed=1):
    return leiden(neighbors(embedding, seed=seed), resolution=0.3, seed=seed)["cell_cluster"].values


def strangers(embedding, protocols, lines):
    """Share of neighbors by another protocol, among those of cells of the lines that all protocols have."""
    index = neighbors(embedding, seed=1)["neighbor_index"].values
    everywhere = np.isin(lines, ("H1975", "H2228", "HCC827"))
    return (protocols[index] != protocols[:, None])[everywhere].mean()


@pytest.mark.parametrize("seed", [1, 2])
def test_harmony__protocols_integrate_and_clusters_are_the_lines(scores, integrated, protocols, lines, seed):
    before, after = scores["pca_scores"], integrated["harmony_scores"]
    assert adjusted_rand_score(lines, clusters_of(before, seed=seed)) < 0.7
    found = clusters_of(after, seed=seed)
    assert len(set(found)) == 5
    assert adjusted_rand_score(lines, found) >= 0.95
    # Cells of a line have no more to do with those of other lines than before, and more with those of other protocols.
    assert strangers(before, protocols, lines) < 0.15
    assert strangers(after, protocols, lines) > 0.5


def test_harmony__says_that_mixing_went_up(integrated):
    before, after = (float(integrated[f"harmony_mixing_{moment}"][0]) for moment in ("before", "after"))
    assert after > 1.5 * before


@pytest.fixture(scope="module")
def embryo(singlecell):
    """Worm embryo cells: components, and the measured age of each in minutes."""
    cells = anndata.read_h5ad(singlecell / "converted" / "worm_embryo.h5ad")
    return components_of(cells, components=20)["pca_scores"], cells.obs["embryo.time"].to_numpy(dtype=float)


def test_neighbors__of_worm_embryos_are_of_the_same_age(embryo):
    embedding, minutes = embryo
    index = neighbors(embedding, seed=1)["neighbor_index"].values
    apart = np.abs(minutes[index] - minutes[:, None]).mean()
    by_chance = np.abs(minutes[:, None] - minutes[None, :]).mean()
    assert apart < 0.25 * by_chance
    assert np.corrcoef(minutes, minutes[index].mean(axis=1))[0, 1] > 0.95


def transfer(cells, known, labels, *, query, method, components=10, **options):
    """Put some cells into the components of others, and give them labels."""
    reference = keep_cells(cells, known)
    fit = components_of(reference, components=components, genes=1000)
    projected = project_cells(
        log_normalize(keep_cells(cells, query)), loadings=fit["pca_loadings"], gene_mean=fit["pca_gene_mean"]
    )
    own = xr.DataArray(labels[known], dims="cell", coords={"cell": fit["cell"]})
    result = label_transfer(projected, reference=fit["pca_scores"], labels=own, method=method, seed=1, **options)
    return result["transferred_label"].values


@ALL_METHODS
def test_label_transfer__finds_lines_by_another_protocol(singlets, protocols, lines, method):
    query = protocols == "dropseq"
    found = transfer(singlets, protocols == "celseq2", lines, query=query, method=method)
    assert (found == lines[query]).mean() > 0.97


@ALL_METHODS
@pytest.mark.parametrize("line", ["H1975", "A549"])
def test_label_transfer__leaves_a_line_unassigned_that_the_reference_lacks(singlets, protocols, lines, method, line):
    plates = ("celseq2", "dropseq") if line == "H1975" else ("celseq2_5cl_p1", "celseq2_5cl_p2")
    query = protocols == plates[1]
    found = transfer(singlets, (protocols == plates[0]) & (lines != line), lines, query=query, method=method)
    unknown = lines[query] == line
    assert (found[unknown] == "unassigned").mean() > 0.9
    assert (found[~unknown] == lines[query][~unknown]).mean() > 0.95


@pytest.mark.parametrize(("method", "accuracy"), [("neighbors", 0.85), ("classifier", 0.8), ("centroids", 0.6)])
def test_label_transfer__finds_neurons_of_the_other_half_of_worms(singlecell, method, accuracy):
    # A label such as "Unclassified neurons" has no one center, so centers do worst.
    cells = anndata.read_h5ad(singlecell / "converted" / "worm_l2.h5ad")
    labels = cells.obs["cao_cell_type"].astype(str).to_numpy()
    half = np.random.default_rng(0).random(cells.n_obs) < 0.5
    options = TransferOptions(neighbors=15)
    found = transfer(cells, half, labels, query=~half, method=method, components=20, options=options)
    assert (found == labels[~half]).mean() > accuracy
    assert (found == "unassigned").mean() < 0.1
