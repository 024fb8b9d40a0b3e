"""Marker genes: against scipy and scanpy, and both methods against each other."""

from __future__ import annotations

import json
import warnings

import anndata as ad
import numpy as np
import pandas as pd
import pytest
import scanpy as sc
import scipy.sparse as sp
from scipy.stats import mannwhitneyu

from chemores_dask.errors import CountsError, InputError, MissingVariableError, ParameterError
from chemores_dask.single_cell.markers.analysis import RESULT, markers
from chemores_dask.single_cell.normalize import log_normalize
from chemores_dask.store.cells import write_cells
from chemores_dask.store.gene_blocks import open_genes
from chemores_dask.store.gene_copy import write_gene_copy
from tests.single_cell.markers.labeled_examples import LABELS, example, logarithms
from tests.single_cell.markers.test_exact import by_gene
from tests.single_cell.markers.test_histogram import by_cell


def by_scipy(dense, labels, label):
    own = labels == label
    found = [
        mannwhitneyu(gene[own], gene[~own], method="asymptotic", use_continuity=False) if np.ptp(gene) > 0 else None
        for gene in dense.T.astype(np.float64)
    ]
    pairs = own.sum() * (~own).sum()
    auroc = [0.5 if each is None else each.statistic / pairs for each in found]
    return np.array(auroc), np.array([1.0 if each is None else each.pvalue for each in found])


@pytest.mark.parametrize("values", ["normalized", "counts"])
def test_markers__equal_scipy(values):
    cells = example()
    found = markers(cells, group="label", values=values)
    dense = logarithms(cells) if values == "normalized" else cells.X.toarray()
    for label in LABELS:
        auroc, p_value = by_scipy(dense, cells.obs["label"].to_numpy(), label)
        one = found.sel(group=label)
        np.testing.assert_allclose(one["marker_auroc"], auroc, rtol=1e-13)
        np.testing.assert_allclose(one["marker_p_value"], p_value, rtol=1e-10)
        # scipy gives no z; its sign and size follow from U and P.
        assert np.array_equal(np.sign(one["marker_statistic"]), np.sign(np.round(auroc - 0.5, 12)))


def test_markers__equal_scanpy():
    cells = example()
    found = markers(cells, group="label")
    normalized = ad.AnnData(sp.csr_matrix(logarithms(cells)), obs=cells.obs.copy(), var=cells.var.copy())
    normalized.uns["log1p"] = {}
    normalized.obs["label"] = normalized.obs["label"].astype("category")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        sc.tl.rank_genes_groups(normalized, "label", method="wilcoxon", tie_correct=True, pts=True)
        tables = {label: sc.get.rank_genes_groups_df(normalized, label).set_index("names") for label in LABELS}
    pairs = {
        "scores": ("marker_statistic", 1e-6),
        "pvals": ("marker_p_value", 1e-9),
        "pvals_adj": ("marker_q_value", 1e-9),
        "pct_nz_group": ("marker_share", 1e-12),
        "pct_nz_reference": ("marker_share_rest", 1e-12),
    }
    for label in LABELS:
        one, table = found.sel(group=label), tables[label].loc[list(cells.var_names)]
        for column, (name, tolerance) in pairs.items():
            np.testing.assert_allclose(
                one[name], table[column].astype(float), rtol=tolerance, atol=1e-12, err_msg=column
            )
        seen = one["marker_share"].values * one["marker_share_rest"].values > 0
        np.testing.assert_allclose(
            one["marker_log_fold_change"].values[seen],
            table["logfoldchanges"].astype(float)[seen],
            rtol=1e-4,
            atol=1e-5,
        )


@pytest.mark.parametrize("method", ["exact", "histogram"])
def test_markers__take_logarithms_of_any_base_back(method):
    cells = example()
    natural = ad.AnnData(sp.csr_matrix(logarithms(cells)), obs=cells.obs, var=cells.var, uns={"log1p": {"base": None}})
    binary = ad.AnnData(natural.X / np.log(2), obs=cells.obs, var=cells.var, uns={"log1p": {"base": 2}})
    found, wanted = (markers(each, group="label", method=method) for each in (binary, natural))
    np.testing.assert_allclose(found["marker_log_fold_change"], wanted["marker_log_fold_change"], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(found["marker_auroc"], wanted["marker_auroc"], atol=1e-3)
    binary.uns["log1p"] = {"base": 1}
    with pytest.raises(InputError, match="base of logarithms must be above 1"):
        markers(binary, group="label", method=method)


def test_markers__of_both_methods_agree():
    cells = example()
    exact = markers(cells, group="label")
    found = markers(by_cell(cells), group="label", method="histogram")
    error = found["marker_auroc_error"].values
    assert np.all(np.abs(found["marker_auroc"] - exact["marker_auroc"]).values <= error + 1e-15)
    assert float(exact["marker_auroc_error"].max()) == 0
    for name in ("marker_cells", "marker_share", "marker_share_rest", "marker_patients_above", "marker_patients"):
        assert np.array_equal(found[name], exact[name]), name
    np.testing.assert_allclose(found["marker_mean"], exact["marker_mean"], rtol=1e-12)
    counted = markers(by_cell(cells), group="label", method="histogram", values="counts", bins=10**6)
    whole = markers(cells, group="label", values="counts")
    assert counted.drop_attrs().equals(whole.drop_attrs())


def test_markers__take_log_normalized_cells_as_they_are():
    cells = example()
    wanted = markers(cells, group="label")
    normalized = log_normalize(by_cell(cells))
    streamed = markers(normalized, group="label", method="histogram")
    counted = markers(by_cell(cells), group="label", method="histogram")
    assert streamed.drop_attrs().equals(counted.drop_attrs())
    in_memory = ad.AnnData(
        X=sp.csr_matrix(normalized.X.compute()), obs=cells.obs, var=cells.var, uns={"log1p": {"base": None}}
    )
    assert markers(in_memory, group="label").drop_attrs().equals(wanted.drop_attrs())
    # Without a known total the levels are others, not the claim.
    loose = markers(in_memory, group="label", method="histogram")
    assert np.all(np.abs(loose["marker_auroc"] - wanted["marker_auroc"]) <= loose["marker_auroc_error"] + 1e-15)
    with pytest.raises(ParameterError, match="log-normalized cells as they are"):
        markers(normalized, group="label", method="histogram", values="counts")


def test_markers__read_genes_of_a_store(tmp_path):
    cells = example()
    store = write_gene_copy(write_cells(cells, tmp_path / "c.zarr"))
    wanted = markers(cells, group="label")
    for size in (1, 7, None):
        assert markers(open_genes(store, genes_per_block=size), group="label").identical(wanted)
    opened = open_genes(store, genes_per_block=7)
    opened.obs["cell_total"] = np.asarray(cells.X.sum(axis=1)).ravel()
    assert markers(opened, group="label", total="cell_total").drop_attrs().equals(wanted.drop_attrs())


def test_markers__use_totals_that_are_given():
    cells = example()
    chosen = cells[:, 5:].copy()
    chosen.obs["all_counts"] = np.asarray(cells.X.sum(axis=1)).ravel()
    wanted = markers(cells, group="label").isel(gene=slice(5, None))
    for method, noun in (("exact", chosen), ("histogram", by_cell(chosen))):
        found = markers(noun, group="label", method=method, total="all_counts")
        np.testing.assert_allclose(found["marker_mean"], wanted["marker_mean"], rtol=1e-12)
        chosen.obs["too_small"] = 0
        with pytest.raises(CountsError, match="above the total of its cell"):
            markers(chosen, group="label", method=method, total="too_small")
    # Per gene nothing depends on the others but q and the position.
    exact = markers(chosen, group="label", total="all_counts")
    assert exact["marker_statistic"].equals(wanted["marker_statistic"])


def test_markers__leave_out_cells_without_a_group():
    cells = example()
    labels = cells.obs["label"].astype(object)
    labels[::4] = np.nan
    known = labels.notna().to_numpy()
    cells.obs["label"] = labels
    for method in ("exact", "histogram"):
        found = markers(cells, group="label", method=method)
        wanted = markers(cells[known].copy(), group="label", method=method)
        assert int(found["marker_unlabeled"]) == 60
        assert found.drop_vars("marker_unlabeled").equals(wanted.drop_vars("marker_unlabeled"))


def test_markers__say_that_they_are_descriptive():
    found = markers(example(), group="label")
    assert "not independent" in found.attrs["descriptive"]
    assert "descriptive" in found["marker_p_value"].attrs["long_name"]
    # The fourth patient has cells of one group only.
    assert found["marker_patients"].to_series().to_dict() == {"blast": 3, "other": 4, "stem": 3}
    assert found["marker_patients_compared"].to_series().to_dict() == {"blast": 3, "other": 3, "stem": 3}
    assert int(found["marker_patients_above"].sel(group="stem", gene="g0")) == 3
    alone = markers(example(), group="label", patient=None)
    assert not [name for name in alone.data_vars if "patients" in str(name)]
    assert json.loads(alone.attrs["parameters"])["patient"] is None
    assert set(found.data_vars) == set(RESULT.by_name)


@pytest.mark.parametrize("method", ["exact", "histogram"])
def test_markers__know_genes_without_counts_and_one_value_everywhere(method):
    cells = example()
    dense = cells.X.toarray()
    dense[:, 7] = 2
    cells.X = sp.csr_matrix(dense)
    found = markers(cells, group="label", method=method, values="counts").sel(gene=["g3", "g7"])
    assert np.all(found["marker_auroc"] == 0.5)
    assert np.all(found["marker_statistic"] == 0)
    assert np.all(found["marker_p_value"] == 1)
    assert np.all(found["marker_log_fold_change"] == 0)
    assert np.all(found["marker_patients_above"] == 0)
    assert np.all(found["marker_auroc_error"] == 0)


@pytest.mark.parametrize("method", ["exact", "histogram"])
def test_markers__know_groups_of_one_cell(method):
    counts = sp.csr_matrix(np.array([[1, 0], [3, 1], [2, 1]], dtype=np.int32))
    cells = ad.AnnData(counts, obs=pd.DataFrame({"cell_cluster": [0, 1, 0]}, index=["a", "b", "c"]))
    found = markers(cells, group="cell_cluster", method=method, values="counts", patient=None)
    assert found["marker_auroc"].values.tolist() == [[0.0, 0.25], [1.0, 0.75]]
    assert found["marker_cells"].values.tolist() == [2, 1]
    assert found["group"].values.tolist() == ["0", "1"]
    assert np.isfinite(found["marker_statistic"]).all()


def test_markers__refuse_what_cannot_be_ranked():
    cells = example()
    fractions = cells.copy()
    fractions.X = fractions.X.astype(np.float32) * 0.5
    scaled = cells.copy()
    scaled.X = cells.X.toarray() - 1.0
    scaled.uns["log1p"] = {}
    unknown = cells.copy()
    unknown.X = cells.X.astype(np.float64)
    unknown.X.data[3] = np.nan
    unknown.uns["log1p"] = {}
    for method in ("exact", "histogram"):
        for wrong, error, told in (
            (fractions, CountsError, "whole numbers"),
            (scaled, InputError, "not below zero"),
            (unknown, InputError, "finite"),
        ):
            with pytest.raises(error, match=told):
                markers(wrong, group="label", method=method)
        with pytest.raises(CountsError, match="whole numbers"):
            markers(fractions, group="label", method=method, values="counts")


def test_markers__refuse_wrong_parameters():
    cells = example()
    for wrong, told in (
        ({"method": "fast"}, "one of: exact, histogram"),
        ({"values": "ranks"}, "one of: normalized, counts"),
        ({"target_sum": 0}, "positive and finite"),
        ({"bins": 1}, "at least 2"),
        ({"bins": 2.5}, "whole number"),
    ):
        with pytest.raises(ParameterError, match=told):
            markers(cells, group="label", **wrong)
    with pytest.raises(MissingVariableError, match="patient"):
        markers(example()[:, :3].copy(), group="label", patient="donor")
    with pytest.raises(InputError, match="at least one gene"):
        markers(cells[:, :0].copy(), group="label")
    with pytest.raises(InputError, match="at least two groups"):
        markers(cells[:0].copy(), group="label")
    with pytest.raises(InputError, match="AnnData"):
        markers(cells.X, group="label")
    with pytest.raises(InputError, match="blocks of cells"):
        markers(by_cell(cells), group="label")
    with pytest.raises(InputError, match="in 5 blocks of genes; open the cells with open_cells"):
        markers(by_gene(cells, 7), group="label", method="histogram")
