from __future__ import annotations

import anndata as ad
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import xarray as xr

from chemores_dask.errors import InputError, MissingVariableError
from chemores_dask.stream.rows import as_rows
from chemores_dask.workflow.inputs import join_cells, join_dataset, keep_cells, parameter_value, pick, view_cells
from chemores_dask.workflow.steps import Join, Reference, View

NAMES = [f"c{number}" for number in range(7)]


def cells(rows_per_block=3):
    counts = sp.csr_matrix(np.arange(28).reshape(7, 4) % 5)
    obs = pd.DataFrame({"sample": list("aaabbbb")}, index=NAMES)
    var = pd.DataFrame(index=["A", "B", "C", "D"])
    return ad.AnnData(
        X=as_rows(counts, rows_per_block=rows_per_block), obs=obs, var=var, uns={"nonzeros_per_cell": 3.0}
    )


def results(**variables):
    return {"step": xr.Dataset(variables, coords={"cell": NAMES, "gene_set": ["s", "t"], "gene": list("DCBA")})}


@pytest.mark.parametrize("rows_per_block", [1, 3, 7])
@pytest.mark.parametrize("keep", [[1, 0, 1, 0, 0, 0, 1], [0] * 7, [1] * 7])
def test_keep_cells__equals_the_rows_in_memory(rows_per_block, keep):
    whole = cells(rows_per_block)
    mask = np.array(keep, dtype=bool)
    kept = keep_cells(whole, mask)
    assert kept.shape == (mask.sum(), 4)
    assert list(kept.obs_names) == list(np.array(NAMES)[mask])
    assert len(kept.X.chunks[0]) == len(whole.X.chunks[0])
    np.testing.assert_array_equal(kept.X.compute().toarray(), whole.X.compute().toarray()[mask])
    assert kept.uns["nonzeros_per_cell"] == 3.0


def test_view_cells__keeps_by_the_names_of_the_cells():
    flipped = xr.DataArray([True] * 3 + [False] * 4, dims="cell", coords={"cell": NAMES[::-1]})
    view = View("kept", "cells", keep=Reference("step", "cell_keep"))
    kept = view_cells(cells(), view, results={"step": xr.Dataset({"cell_keep": flipped})})
    assert list(kept.obs_names) == ["c4", "c5", "c6"]


def test_view_cells__refuses_what_is_not_a_truth_per_cell():
    view = View("kept", "cells", keep=Reference("step", "cell_total"))
    with pytest.raises(InputError, match=r"must keep by a boolean result over the cells"):
        view_cells(cells(), view, results=results(cell_total=("cell", np.arange(7))))


def test_view_cells__normalizes():
    normalized = view_cells(cells(), View("normalized", "cells", normalize=10.0), results={})
    sums = np.expm1(normalized.X.compute().toarray()).sum(axis=1)
    np.testing.assert_allclose(sums, 10.0)


def test_join_cells__adds_columns_and_leaves_the_input():
    whole = cells()
    scores = np.arange(14.0).reshape(7, 2)
    join = Join(Reference("step", "cell_score"), "score", {"gene_set": "t"})
    joined = join_cells(whole, (join,), results=results(cell_score=(("cell", "gene_set"), scores)))
    assert list(joined.obs["score"]) == list(scores[:, 1])
    assert list(whole.obs.columns) == ["sample"]


def test_join_cells__refuses_a_result_that_lacks_cells():
    short = {"step": results(cell_total=("cell", np.arange(7)))["step"].isel(cell=slice(0, 5))}
    with pytest.raises(InputError, match=r"2 of 7 are missing: c5, c6"):
        join_cells(cells(), (Join(Reference("step", "cell_total"), "total"),), results=short)


def patients():
    return xr.Dataset({"time": ("patient", [1.0, 2.0, 3.0])}, coords={"patient": ["P1", "P2", "P3"]})


def scores(values=(4.0, 5.0, 9.0)):
    table = xr.Dataset({"score": ("patient", list(values))}, coords={"patient": ["P3", "P2", "P1"]})
    return {"step": table}


def test_join_dataset__aligns_by_label():
    joined = join_dataset(patients(), (Join(Reference("step", "score"), "s"),), results=scores())
    assert joined["s"].values.tolist() == [9.0, 5.0, 4.0]


def test_join_dataset__standardizes_with_n_minus_one():
    joined = join_dataset(patients(), (Join(Reference("step", "score"), "s", standardize=True),), results=scores())
    assert joined["s"].values.mean() == pytest.approx(0)
    assert joined["s"].values.std(ddof=1) == pytest.approx(1)


def test_join_dataset__refuses_to_standardize_a_constant():
    with pytest.raises(InputError, match=r"standard deviation 0"):
        join_dataset(patients(), (Join(Reference("step", "score"), "s", standardize=True),), results=scores((2, 2, 2)))


def test_join_dataset__refuses_other_dimensions():
    with pytest.raises(InputError, match=r"must run over one labeled dimension of what it is joined to: patient"):
        join_dataset(
            patients(),
            (Join(Reference("step", "cell_total"), "s"),),
            results=results(cell_total=("cell", np.arange(7))),
        )


def test_parameter_value__brings_genes_into_the_order_of_the_cells():
    found = results(gene_variable=("gene", [True, False, False, True]))
    value = parameter_value(Reference("step", "gene_variable"), source=cells(), results=found)
    assert value.tolist() == [True, False, False, True][::-1]


def test_parameter_value__is_plain_without_dimensions():
    value = parameter_value(Reference("step", "threshold"), source=cells(), results=results(threshold=((), 0.5)))
    assert value == 0.5
    assert type(value) is float


def test_parameter_value__names_the_variables_there_are():
    with pytest.raises(MissingVariableError, match=r"'step\.treshold' must be a variable .* It has: threshold"):
        parameter_value(Reference("step", "treshold"), source=cells(), results=results(threshold=((), 0.5)))


def test_pick__finds_labels_that_are_numbers():
    values = xr.DataArray([1, 2], dims="component", coords={"component": [10, 20]})
    assert pick(values, {"component": 20}, what="x").item() == 2
    assert pick(values, {"component": "10"}, what="x").item() == 1
