from __future__ import annotations

import json

import anndata
import numpy as np
import pytest
import scipy.sparse as sp
import xarray as xr

from chemores_dask.errors import IncompleteResultError, InputError, StoreNotFoundError
from chemores_dask.store import datasets, export_results
from chemores_dask.store.attach import attach
from chemores_dask.store.cells import open_cells
from chemores_dask.store.export import export_cells
from chemores_dask.store.export_results import choose_results
from chemores_dask.store.results import write_result
from tests.graph.graphs import clouds, exact_neighbors, graph_of
from tests.store.sources import make_blocks, write_stream

KINDS = ["out.h5ad", "out.zarr"]


def read(path):
    return anndata.read_h5ad(path) if path.suffix == ".h5ad" else anndata.read_zarr(path)


@pytest.fixture
def store(tmp_path):
    (tmp_path / "home").mkdir()
    return write_stream(tmp_path / "home" / "cohort.zarr", make_blocks())


@pytest.fixture
def place(tmp_path):
    folder = tmp_path / "place"
    folder.mkdir()
    return folder


def keep(store, *, step="scores", fingerprint="f1", finished="2026-01-01", value=1.0, name="cell_value", cells=None):
    names = open_cells(store).obs_names.to_numpy() if cells is None else cells
    result = xr.Dataset({name: ("cell", np.full(len(names), value))}, coords={"cell": names}, attrs={"analysis": step})
    return write_result(result, store, step=step, fingerprint=fingerprint, attributes={"finished": finished})


def mark(folder, **attributes):
    file = folder / "zarr.json"
    described = json.loads(file.read_text())
    described["attributes"].update(attributes)
    file.write_text(json.dumps(described))


def test_choose_results__takes_the_latest_or_the_one_that_is_named(store):
    keep(store, fingerprint="b", finished="2026-01-02")
    keep(store, fingerprint="c", finished="2026-01-03")
    keep(store, fingerprint="a", finished="2026-01-01")
    assert choose_results(store, ["scores"])[0].fingerprint == "c"
    assert choose_results(store, ["scores@a"])[0].fingerprint == "a"


def test_choose_results__passes_over_unfinished_ones(store):
    keep(store, fingerprint="b", finished="2026-01-01")
    mark(keep(store, fingerprint="c", finished="2026-01-03"), complete=False)
    assert choose_results(store, ["scores"])[0].fingerprint == "b"
    with pytest.raises(IncompleteResultError, match="run the pipeline again"):
        choose_results(store, ["scores@c"])


def test_choose_results__refuses_what_is_out_of_date(store):
    mark(keep(store), stale={"date": "2026-01-05", "reason": "P1 was withdrawn"})
    with pytest.raises(IncompleteResultError, match=r"P1 was withdrawn.*run the pipeline again"):
        choose_results(store, ["scores"])


def test_choose_results__names_what_is_there(store):
    keep(store)
    with pytest.raises(StoreNotFoundError, match="Did you mean scores"):
        choose_results(store, ["score"])
    with pytest.raises(StoreNotFoundError, match="Present: scores@f1"):
        choose_results(store, ["scores@zz"])


def test_choose_results__refuses_two_of_one_name(store):
    keep(store)
    keep(store, step="others")
    with pytest.raises(InputError, match="names of their own"):
        choose_results(store, ["scores", "others"])


def test_check_places__refuses_columns_of_the_store(store, place):
    keep(store, name="patient")
    with pytest.raises(InputError, match="take the place"):
        export_cells(store, place / "out.h5ad", results=["scores"])


def test_check_places__refuses_results_with_other_cells(store, place):
    keep(store, cells=np.array([*open_cells(store).obs_names[:5], "gone:1"], dtype=object))
    with pytest.raises(IncompleteResultError, match="gone:1"):
        export_cells(store, place / "out.h5ad", results=["scores"])


@pytest.mark.parametrize("labeled", [False, True])
@pytest.mark.parametrize("order", ["all", "some", "turned"])
@pytest.mark.parametrize("name", KINDS)
def test_write_large__gives_what_attach_gives(store, place, monkeypatch, name, order, labeled):
    cells = open_cells(store)
    rows = {"all": np.arange(54), "some": np.arange(0, 40, 3), "turned": np.arange(54)[::-1]}[order]
    components = ["a", "b", "c"] if labeled else [0, 1, 2]
    result = xr.Dataset(
        {"pca_scores": (("cell", "component"), np.random.default_rng(1).normal(size=(len(rows), 3)))},
        coords={"cell": cells.obs_names.to_numpy()[rows], "component": components},
        attrs={"analysis": "pca"},
    )
    write_result(result, store, step="pca", fingerprint="f")
    monkeypatch.setattr(datasets, "LAZY_BYTES", 0)
    monkeypatch.setattr(export_results, "BYTES_AT_ONCE", 7 * 24)
    assert choose_results(store, ["pca"])[0].large
    found = read(export_cells(store, place / name, results=["pca"], samples=["s0", "s2"]))
    expected = attach(cells, result)[cells.obs["sample"].isin(["s0", "s2"]).to_numpy()]
    np.testing.assert_array_equal(np.asarray(found.obsm["pca_scores"]), np.asarray(expected.obsm["pca_scores"]))
    np.testing.assert_array_equal(found.obsm["X_pca"], expected.obsm["X_pca"])
    if labeled:
        assert list(found.obsm["pca_scores"].columns) == components
        assert list(found.obsm["pca_scores"].index) == list(found.obs_names)


def test_write_large__takes_no_cells(store, place, monkeypatch):
    result = xr.Dataset(
        {"pca_scores": (("cell", "component"), np.ones((54, 2)))},
        coords={"cell": open_cells(store).obs_names.to_numpy()},
    )
    write_result(result, store, step="pca", fingerprint="f")
    monkeypatch.setattr(datasets, "LAZY_BYTES", 0)
    for name in KINDS:
        assert read(export_cells(store, place / name, results=["pca"], samples=[])).obsm["pca_scores"].shape == (0, 2)


@pytest.mark.parametrize("lazy", [False, True])
@pytest.mark.parametrize("name", KINDS)
def test_export_cells__takes_a_graph_along(store, place, monkeypatch, name, lazy):
    cells = open_cells(store)
    index, distance = exact_neighbors(clouds(len(cells)), 5)
    rows = np.arange(0, index.size + 1, 5)
    directed = sp.csr_matrix((np.ones(index.size, dtype=np.float32), index.ravel(), rows), shape=(len(cells),) * 2)
    graph = graph_of(directed.maximum(directed.T), index, distance).assign_coords(cell=cells.obs_names.to_numpy())
    write_result(graph, store, step="neighbors", fingerprint="f")
    monkeypatch.setattr(datasets, "LAZY_BYTES", 0 if lazy else 2**20)
    for samples in (None, ["s0", "s2"]):
        kept = np.ones(len(cells), bool) if samples is None else cells.obs["sample"].isin(samples).to_numpy()
        found = read(export_cells(store, place / name, results=["neighbors"], samples=samples, replace=True))
        expected = attach(cells, graph)[kept].copy()
        for matrix in ("connectivities", "distances"):
            assert (found.obsp[matrix] != expected.obsp[matrix]).nnz == 0
        assert found.uns["neighbors"]["params"]["n_neighbors"] == 6
        assert not found.obsm
