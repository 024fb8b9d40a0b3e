from __future__ import annotations

import warnings

import anndata
import dask.array as da
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import xarray as xr

from chemores_dask.errors import InputError
from chemores_dask.results_spec import Variable, declare, make_result
from chemores_dask.store.attach import attach
from chemores_dask.store.cells import open_cells
from tests.store.sources import make_blocks, write_stream

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import scanpy as sc

CELLS, GENES = 30, 12


@pytest.fixture
def cells():
    rng = np.random.default_rng(4)
    obs = pd.DataFrame({"sample": ["a", "b"] * 15}, index=[f"c{cell}" for cell in range(CELLS)])
    var = pd.DataFrame(index=[f"GENE{gene}" for gene in range(GENES)])
    return anndata.AnnData(sp.csr_matrix(rng.poisson(1.0, (CELLS, GENES)).astype("f4")), obs=obs, var=var)


@pytest.fixture
def result(cells):
    rng = np.random.default_rng(5)
    return xr.Dataset(
        {
            "pca_scores": (("cell", "component"), rng.normal(size=(CELLS, 3))),
            "pca_loadings": (("gene", "component"), rng.normal(size=(GENES, 3))),
            "pca_variance": ("component", [3.0, 2.0, 1.0]),
            "pca_variance_ratio": ("component", [0.5, 0.3, 0.1]),
            "pca_gene_mean": ("gene", rng.random(GENES)),
            "pca_total": ((), 6.0),
        },
        coords={"cell": cells.obs_names.to_numpy(), "gene": cells.var_names.to_numpy(), "component": [0, 1, 2]},
        attrs={"analysis": "pca", "parameters": '{"components":3}'},
    )


def test_attach__puts_each_variable_in_its_place(cells, result):
    found = attach(cells, result)
    assert np.array_equal(found.obsm["pca_scores"], result["pca_scores"])
    assert np.array_equal(found.obsm["X_pca"], result["pca_scores"])
    assert np.array_equal(found.varm["PCs"], result["pca_loadings"])
    assert np.array_equal(found.var["pca_gene_mean"], result["pca_gene_mean"])
    assert found.uns["pca"]["variance_ratio"].tolist() == [0.5, 0.3, 0.1]
    assert found.uns["pca"]["pca_total"] == 6.0
    assert found.uns["pca"]["labels"]["component"].tolist() == [0, 1, 2]


def test_attach__changes_neither_cells_nor_result(cells, result):
    before, kept = cells.copy(), result.copy(deep=True)
    found = attach(cells, result)
    found.X.data[:] = 7
    found.obs["sample"] = "x"
    assert (cells.X != before.X).nnz == 0
    pd.testing.assert_frame_equal(cells.obs, before.obs)
    assert not cells.obsm
    assert not cells.uns
    xr.testing.assert_identical(result, kept)


def test_attach__matches_by_name(cells, result):
    shuffled = result.isel(cell=np.arange(CELLS)[::-1], gene=np.roll(np.arange(GENES), 5))
    found, wanted = attach(cells, shuffled), attach(cells, result)
    assert np.array_equal(found.obsm["X_pca"], wanted.obsm["X_pca"])
    assert np.array_equal(found.varm["PCs"], wanted.varm["PCs"])
    pd.testing.assert_frame_equal(found.var, wanted.var)
    few = attach(cells[5:9], result)
    assert np.array_equal(few.obsm["X_pca"], result["pca_scores"][5:9])


def test_attach__leaves_gaps_where_the_result_has_none(cells):
    names = cells.obs_names.to_numpy()[[3, 1]]
    result = xr.Dataset(
        {
            "cell_total": ("cell", [5, 6]),
            "cell_keep": ("cell", [True, False]),
            "cell_share": ("cell", [0.5, 0.25]),
            "cell_state": ("cell", ["stem_like", "other"]),
            "cell_score": (("cell", "gene_set"), [[1, 2], [3, 4]]),
        },
        coords={"cell": names, "gene_set": ["stemness", "resistance"]},
    )
    found = attach(cells, result)
    row = found.obs.loc["c3"]
    assert (row["cell_total"], row["cell_keep"], row["cell_share"], row["cell_state"]) == (5, True, 0.5, "stem_like")
    assert found.obs["cell_total"].isna().sum() == CELLS - 2
    assert found.obs[["cell_keep", "cell_share", "cell_state"]].notna().sum().tolist() == [2, 2, 2]
    assert found.obsm["cell_score"].loc["c1", "resistance"] == 4
    assert found.obsm["cell_score"].isna().all(axis=1).sum() == CELLS - 2


def test_attach__sends_loadings_of_some_genes_to_uns_and_scanpy_zeros(cells, result):
    found = attach(cells, result.isel(gene=[2, 4]))
    assert "pca_loadings" not in found.varm
    assert found.uns["pca"]["pca_loadings"].shape == (2, 3)
    assert found.uns["pca"]["labels"]["gene"].tolist() == ["GENE2", "GENE4"]
    assert np.array_equal(found.varm["PCs"][[2, 4]], result["pca_loadings"][[2, 4]])
    assert not found.varm["PCs"][[0, 1, 3]].any()


def test_attach__names_a_status(cells):
    spec = declare(Variable("scan_status", ("gene",), "i", flags=("ok", "constant")))
    genes = cells.var_names.to_numpy()
    result = make_result(
        spec, {"scan_status": np.arange(GENES) % 2}, analysis="scan", parameters={}, coordinates={"gene": genes}
    )
    found = attach(cells, result)
    assert found.var["scan_status"].tolist()[:2] == ["ok", "constant"]
    some = attach(cells, result.isel(gene=[1]))
    assert some.var["scan_status"].isna().sum() == GENES - 1


def test_attach__takes_results_without_labels_of_the_right_length(cells):
    found = attach(cells, xr.Dataset({"cell_total": ("cell", np.arange(CELLS))}))
    assert found.obs["cell_total"].tolist() == list(range(CELLS))
    with pytest.raises(InputError, match="has 4 for 30"):
        attach(cells, xr.Dataset({"cell_total": ("cell", np.arange(4))}))


def test_attach__refuses_results_of_other_cells(cells):
    other = xr.Dataset({"cell_total": ("cell", [1])}, coords={"cell": ["elsewhere"]})
    with pytest.raises(InputError, match="share names of cells"):
        attach(cells, other)


def test_attach__refuses_what_is_no_result_and_names_that_are_there_twice(cells):
    twice = xr.Dataset({"cell_total": ("cell", [1, 2])}, coords={"cell": ["same", "same"]})
    with pytest.raises(InputError, match="same stand more than once"):
        attach(cells, twice)
    for wrong in ((cells, twice["cell_total"]), (twice, cells)):
        with pytest.raises(InputError, match="attach needs cells and a result"):
            attach(*wrong)


@pytest.mark.parametrize("size", [0, 1])
def test_attach__takes_the_smallest(size):
    empty = anndata.AnnData(np.ones((size, 2), dtype="f4"))
    result = xr.Dataset(
        {"cell_total": ("cell", np.arange(size))}, coords={"cell": empty.obs_names.to_numpy(dtype=object)}
    )
    assert attach(empty, result).obs["cell_total"].tolist() == list(range(size))


def test_attach__keeps_lazy_counts_lazy_and_computes_once(tmp_path):
    cells = open_cells(write_stream(tmp_path / "c.zarr", make_blocks()), rows_per_block=10)
    totals = cells.X.map_blocks(_totals, dtype=np.int64, chunks=(cells.X.chunks[0], (1,)), meta=np.empty((0, 1), int))
    lazy = xr.Dataset({"cell_total": ("cell", totals[:, 0])}, coords={"cell": cells.obs_names.to_numpy()})
    found = attach(cells, lazy)
    assert isinstance(found.X, da.Array)
    assert np.array_equal(found.obs["cell_total"], np.asarray(cells.X.compute().sum(axis=1)).ravel())


def _totals(block):
    return np.asarray(block.sum(axis=1)).astype(np.int64)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("form", ["zarr", "h5ad"])
def test_attach__gives_scanpy_what_it_needs_and_can_be_written(cells, result, tmp_path, form):
    extra = xr.Dataset(
        {
            "cell_state": ("cell", np.where(np.arange(CELLS) < 9, "stem_like", "other")),
            "cell_score": (("cell", "gene_set"), np.ones((CELLS, 2))),
            "cell_keep": ("cell", np.arange(CELLS) > 0),
            "note": ("gene_set", np.array(["x", np.nan], dtype=object)),
        },
        coords={"cell": cells.obs_names.to_numpy(), "gene_set": ["stemness", "resistance"]},
        attrs={"analysis": "score_states", "parameters": "{}"},
    )
    found = attach(attach(cells, result), extra.isel(cell=slice(1, None)))
    sc.pp.neighbors(found, n_neighbors=5, use_rep="X_pca", method="gauss", random_state=0)
    sc.tl.diffmap(found, n_comps=3)
    sc.tl.rank_genes_groups(found[1:].copy(), "cell_state", method="t-test")
    if form == "zarr":
        found.write_zarr(tmp_path / "a.zarr")
        again = anndata.read_zarr(tmp_path / "a.zarr")
    else:
        found.write_h5ad(tmp_path / "a.h5ad")
        again = anndata.read_h5ad(tmp_path / "a.h5ad")
    assert np.array_equal(again.obsm["X_pca"], found.obsm["X_pca"])
    assert again.obs["cell_state"].tolist()[1:] == found.obs["cell_state"].tolist()[1:]
    assert again.obsm["cell_score"]["stemness"].notna().sum() == CELLS - 1
    assert again.uns["pca"]["variance"].tolist() == [3.0, 2.0, 1.0]


@pytest.mark.filterwarnings("ignore")
def test_attach__lets_opened_cells_be_written(tmp_path):
    cells = open_cells(write_stream(tmp_path / "c.zarr", make_blocks()))
    found = attach(cells, xr.Dataset({"cell_total": ("cell", np.arange(54))}, attrs={"analysis": "quality"}))
    found.write_zarr(tmp_path / "out.zarr")
    found.write_h5ad(tmp_path / "out.h5ad")
    for again in (anndata.read_zarr(tmp_path / "out.zarr"), anndata.read_h5ad(tmp_path / "out.h5ad")):
        assert np.array_equal(again.X.toarray(), cells.X.compute().toarray())
        assert again.obs["cell_total"].tolist() == list(range(54))


def test_attach__gives_maps_of_cells_the_names_of_scanpy(cells):
    rng = np.random.default_rng(6)
    names = {"harmony_scores": "X_pca_harmony", "umap_coordinates": "X_umap", "diffusion_components": "X_diffmap"}
    result = xr.Dataset(
        {
            "harmony_scores": (("cell", "component"), rng.normal(size=(CELLS, 3))),
            "diffusion_components": (("cell", "component"), rng.normal(size=(CELLS, 3))),
            "diffusion_eigenvalue": ("component", [1.0, 0.9, 0.5]),
            "umap_coordinates": (("cell", "axis"), rng.normal(size=(CELLS, 2))),
        },
        coords={"cell": cells.obs_names.to_numpy(), "axis": ["x", "y"]},
    )
    found = attach(cells, result)
    for name, key in names.items():
        assert np.array_equal(found.obsm[key], result[name])
    assert found.uns["diffmap_evals"].tolist() == [1.0, 0.9, 0.5]
    # A cell without a place on the map is not drawn at its center.
    fewer = attach(cells, result.isel(cell=slice(1, None)))
    assert np.isnan(fewer.obsm["X_umap"][0]).all()
    assert np.array_equal(fewer.obsm["X_umap"][1:], result["umap_coordinates"][1:])


def test_attach__gives_clusters_as_categories_to_scanpy(cells):
    numbers = np.arange(CELLS - 2, dtype=np.int32)[::-1] % 12
    result = xr.Dataset(
        {"cell_cluster": ("cell", numbers)}, coords={"cell": list(cells.obs_names[2:])}, attrs={"analysis": "leiden"}
    )
    found = attach(cells, result).obs["leiden"]
    assert found.cat.categories.tolist() == [str(number) for number in range(12)]
    assert found.isna().tolist() == [True, True] + [False] * (CELLS - 2)
    assert found.tolist()[2:] == [str(number) for number in numbers]
