from __future__ import annotations

import json

import dask.array as da
import numpy as np
import pytest
import xarray as xr

from chemores_dask.errors import StaleResultWarning
from chemores_dask.store import revision
from chemores_dask.store.datasets import read_dataset
from chemores_dask.store.result_cuts import STRUCK, Leaving, cut_dataset, cut_results, mark_stale
from chemores_dask.store.results import list_results, open_result, write_result

LEAVING = Leaving(
    frozenset({"P1", "P1-early", "7"}),
    frozenset({"pool"}),
    frozenset({"c1", "c2"}),
    np.array([True, False, False, True]),
)


def test_cut_dataset__cuts_every_dimension_of_people():
    dataset = xr.Dataset(
        {
            "cell_total": ("cell", np.arange(4)),
            "cell_score": (("cell", "gene_set"), da.arange(8, chunks=4).reshape(4, 2)),
            "gene_mean": ("gene", [1.0, 2.0]),
            "cube": (("sample", "gene"), np.arange(6).reshape(3, 2)),
            "distance": (("fold", "patient"), np.arange(6).reshape(2, 3)),
            "nearest": ("state", ["P1", "P11"]),
        },
        coords={
            "cell": ["c0", "c1", "c2", "c3"], "gene": ["P1", "B"], "sample": ["P1-early", "pool", "P2-early"],
            "fold": ["P1", "P2"], "patient": ["P0", "P1", "P2"], "gene_set": ["7", "x"], "state": ["P1", "P2"],
            "owner": ("sample", ["P1", "P1", "P2"]),
        },
        attrs={"said": "P1 and P11 of 7"},
    )  # fmt: skip
    before = dataset.copy(deep=True)
    cut = cut_dataset(dataset, LEAVING)
    assert cut["cell_total"].values.tolist() == [0, 3]
    assert cut["cell_score"].compute().values.tolist() == [[0, 1], [6, 7]]
    assert cut["gene"].values.tolist() == ["P1", "B"]
    assert cut["cube"].values.tolist() == [[4, 5]]
    assert cut["distance"].values.tolist() == [[3, 5]]
    assert cut["nearest"].values.tolist() == [STRUCK, "P11"]
    assert cut["owner"].values.tolist() == ["P2"]
    assert cut.attrs["said"] == "P1 and P11 of 7"  # too short to be told from other words
    xr.testing.assert_identical(dataset, before)


def test_cut_dataset__takes_cells_without_names_by_their_rows():
    assert cut_dataset(xr.Dataset({"a": ("cell", [0, 1, 2, 3])}), LEAVING)["a"].values.tolist() == [0, 3]
    assert cut_dataset(xr.Dataset({"a": ("cell", [0, 1, 2])}), LEAVING) is None
    assert cut_dataset(xr.Dataset({"a": ("sample", [0, 1])}), LEAVING) is None
    assert cut_dataset(xr.Dataset({"a": ("gene", [0, 1])}), LEAVING)["a"].values.tolist() == [0, 1]


def test_struck__finds_names_in_texts_lists_and_json():
    attributes = {
        "warnings": json.dumps(["P1 has none, 7 and P11 do"]),
        "step_parameters": json.dumps({"leave_out": ["7", "P2"], "genes": 7, "P1": 1}),
        "started": "2026-01-07", "note": "{P1-early", "number": 7,
    }  # fmt: skip
    assert LEAVING.struck(attributes) == {
        "warnings": json.dumps([f"{STRUCK} has none, {STRUCK} and P11 do"]),
        "step_parameters": json.dumps({"leave_out": [STRUCK, "P2"], "genes": 7, STRUCK: 1}),
        "started": "2026-01-07", "note": "{" + STRUCK, "number": 7,
    }  # fmt: skip


@pytest.fixture
def store(tmp_path):
    root = tmp_path / "c.zarr"
    dataset = xr.Dataset({"a": ("cell", np.arange(4))}, coords={"cell": ["c0", "c1", "c2", "c3"]})
    write_result(dataset, root, step="cut", fingerprint="f", attributes={"warnings": '["P1-early is small"]'})
    write_result(xr.Dataset({"g": ("gene", [1.0])}, coords={"gene": ["A"]}), root, step="kept", fingerprint="f")
    write_result(
        xr.Dataset({"x": ((), 1)}), root, step="other", fingerprint="f",
        attributes={"step_roots": '["patients/b"]', "warnings": '["P1-early"]'},
    )  # fmt: skip
    return root


def test_cut_results__names_what_to_replace(store):
    revision.begin(store, {})
    found = cut_results(store, LEAVING, reason="someone left")
    assert set(found.change.replaced) == {"results/cut/f", "results/kept/f/zarr.json", "results/other/f/zarr.json"}
    assert (found.cut, found.stale, found.removed, found.cohorts) == (1, 2, 0, ())
    revision.commit(store, found.change, report={}, command="")
    assert {entry.step: bool(entry.stale) for entry in list_results(store)} == {
        "cut": True,
        "kept": True,
        "other": False,
    }
    with pytest.warns(StaleResultWarning, match="someone left"):
        assert open_result(store, step="kept", fingerprint="f")["g"].values.tolist() == [1.0]
    assert open_result(store, step="other", fingerprint="f")["x"] == 1
    assert "P1-early" not in "".join(file.read_text() for file in store.rglob("zarr.json"))
    assert read_dataset(store / "results" / "cut" / "f")["cell"].values.tolist() == ["c0", "c3"]


def test_mark_stale__can_be_repeated(store):
    for reason in ("first", "second"):
        revision.begin(store, {})
        places = mark_stale(store, roots=["cells"], reason=reason)
        assert sorted(places) == ["results/cut/f/zarr.json", "results/kept/f/zarr.json"]
        revision.commit(store, revision.Change(places), report={}, command="")
        with pytest.warns(StaleResultWarning, match=reason):
            assert open_result(store, step="cut", fingerprint="f").sizes["cell"] == 4


GRAPH = {
    "neighbor_index": (("cell", "neighbor"), [[1], [0], [3], [2]]),
    "neighbor_distance": (("cell", "neighbor"), np.ones((4, 1))),
    "connectivity_offset": ("offset", [0, 1, 2, 3, 4]),
    "connectivity_index": ("edge", [1, 0, 3, 2]),
    "connectivity_weight": ("edge", np.ones(4)),
}


def test_cut_dataset__a_graph_goes_whole_with_its_first_cell():
    names = {"cell": ["c0", "c1", "c2", "c3"]}
    assert cut_dataset(xr.Dataset(GRAPH, coords=names), LEAVING) is None
    assert cut_dataset(xr.Dataset(GRAPH), LEAVING) is None
    edges = {name: variable for name, variable in GRAPH.items() if variable[0] in ("offset", "edge")}
    assert cut_dataset(xr.Dataset(edges), LEAVING) is None  # it cannot be told whose they are
    others = xr.Dataset(GRAPH, coords={"cell": ["d0", "d1", "d2", "d3"]})
    xr.testing.assert_identical(cut_dataset(others, LEAVING), others)


def test_cut_dataset__clusters_are_nobody():
    dataset = xr.Dataset({"cluster_cells": ("cluster", [5, 3])}, coords={"cluster": [7, 8]})
    assert cut_dataset(dataset, LEAVING)["cluster_cells"].values.tolist() == [5, 3]


def test_cut_results__removes_graphs_and_cuts_what_was_made_from_them(store):
    names = {"cell": ["c0", "c1", "c2", "c3"]}
    write_result(xr.Dataset(GRAPH, coords=names), store, step="neighbors", fingerprint="f")
    clusters = xr.Dataset({"cell_cluster": ("cell", [0, 1, 0, 1])}, coords=names)
    write_result(clusters, store, step="leiden", fingerprint="f")
    revision.begin(store, {})
    found = cut_results(store, LEAVING, reason="someone left")
    assert found.change.removed == ["results/neighbors/f"]
    assert found.removed == 1
    revision.commit(store, found.change, report={}, command="")
    assert {entry.step for entry in list_results(store)} == {"cut", "kept", "other", "leiden"}
    assert not (store / "results" / "neighbors" / "f").exists()
    with pytest.warns(StaleResultWarning):
        assert open_result(store, step="leiden", fingerprint="f")["cell_cluster"].values.tolist() == [0, 1]
