"""The cohort cube: against pandas and scanpy."""

from __future__ import annotations

import anndata as ad
import dask.array as da
import numpy as np
import pandas as pd
import pytest
import scanpy as sc
import scipy.sparse as sp
from anndata import AnnData

from chemores_dask.errors import CountsError, InputError, MissingVariableError, ParameterError
from chemores_dask.kernels.group_sums import cube_sums
from chemores_dask.single_cell.cohort_cube import RESULT, coded, cohort_cube, largest_group_count

SAMPLES = ["s2", "s1", "s3"]
STATES = ["stem_like", "other"]


def example(seed=0, cells=90):
    random = np.random.default_rng(seed)
    sample = np.repeat(SAMPLES, cells // 3)
    state = random.choice(STATES, size=cells)
    state[sample == "s3"] = "other"
    dense = random.negative_binomial(0.4, 0.03, size=(cells, 15)).astype(np.int32)
    dense[7] = 0
    obs = pd.DataFrame(
        {
            "sample": sample,
            "state": state,
            "patient": np.where(sample == "s3", "p2", "p1"),
            "stage": pd.Categorical(np.where(sample == "s1", "relapse", "diagnosis")),
            "age": np.where(sample == "s3", np.nan, 4.5),
            "treated": sample == "s1",
            "score": random.random(cells),
            "cell_key": np.arange(cells, dtype=np.uint64),
        },
        index=[f"c{i}" for i in range(cells)],
    )
    return AnnData(sp.csr_matrix(dense), obs=obs, var=pd.DataFrame(index=[f"g{i}" for i in range(15)]))


def by_pandas(cells, values):
    table = (
        pd.DataFrame(np.asarray(values, dtype=np.float64))
        .groupby([cells.obs["sample"].values, cells.obs["state"].values])
        .sum()
    )
    full = pd.MultiIndex.from_product([sorted(SAMPLES), sorted(STATES)])
    return table.reindex(full, fill_value=0.0).to_numpy().reshape(3, 2, -1)


def test_cohort_cube__equals_groupby():
    cells = example()
    cube = cohort_cube(cells, sample="sample", state="state")
    dense = cells.X.toarray().astype(np.float64)
    total = dense.sum(axis=1, keepdims=True)
    x = np.log1p(dense / np.where(total == 0, 1, total) * 1e4)
    assert cube["sample"].values.tolist() == sorted(SAMPLES)
    assert cube["state"].values.tolist() == sorted(STATES)
    np.testing.assert_array_equal(cube["cube_count_sum"], by_pandas(cells, dense))
    np.testing.assert_array_equal(cube["cube_detected"], by_pandas(cells, dense > 0))
    np.testing.assert_allclose(cube["cube_log_sum"], by_pandas(cells, x), rtol=1e-12)
    np.testing.assert_allclose(cube["cube_log_square_sum"], by_pandas(cells, x**2), rtol=1e-12)
    np.testing.assert_array_equal(cube["cube_cells"], by_pandas(cells, np.ones((90, 1)))[:, :, 0])
    assert set(cube.data_vars) == set(RESULT.by_name)


def test_cohort_cube__equals_scanpy_aggregate_on_real_data(reference_folder):
    cells = ad.read_h5ad(reference_folder / "data" / "singlecell" / "converted" / "lemur_gbm_panobinostat.h5ad")
    cube = cohort_cube(cells, sample="patient_id", state="condition")
    groups = sc.get.aggregate(cells, by=["patient_id", "condition"], func=["sum", "count_nonzero"])
    for row in range(groups.n_obs):
        found = cube.sel(sample=str(groups.obs["patient_id"].iloc[row]), state=str(groups.obs["condition"].iloc[row]))
        np.testing.assert_array_equal(found["cube_count_sum"], np.asarray(groups.layers["sum"][row]).ravel())
        np.testing.assert_array_equal(found["cube_detected"], np.asarray(groups.layers["count_nonzero"][row]).ravel())
    assert cube["cube_cells"].sum() == cells.n_obs
    assert cube["cube_count_sum"].dtype == np.int64


@pytest.mark.parametrize("chunks", [(40, 0, 49, 1), (1,) * 90, (0, 90)])
def test_cohort_cube__does_not_depend_on_blocks(chunks):
    cells = example()
    whole = cohort_cube(cells, sample="sample", state="state")
    rows = da.from_array(cells.X.toarray(), chunks=(chunks, 15)).map_blocks(sp.csr_matrix)
    cut = cohort_cube(AnnData(rows, obs=cells.obs, var=cells.var), sample="sample", state="state")
    for name in ("cube_cells", "cube_count_sum", "cube_detected"):
        np.testing.assert_array_equal(cut[name], whole[name])
    np.testing.assert_allclose(cut["cube_log_sum"], whole["cube_log_sum"], rtol=1e-12)
    np.testing.assert_allclose(cut["cube_log_square_sum"], whole["cube_log_square_sum"], rtol=1e-12)


def test_cohort_cube__without_states_has_one():
    cube = cohort_cube(example(), sample="sample")
    both = cohort_cube(example(), sample="sample", state="state")
    assert cube["state"].values.tolist() == ["all"]
    np.testing.assert_array_equal(cube["cube_count_sum"].sel(state="all"), both["cube_count_sum"].sum("state"))


def test_cohort_cube__carries_columns_that_belong_to_samples():
    cube = cohort_cube(example(), sample="sample", state="state")
    assert set(cube.coords) == {"sample", "state", "gene", "patient", "stage", "age", "treated"}
    assert cube["patient"].sel(sample="s3").item() == "p2"
    assert cube["stage"].values.tolist() == ["relapse", "diagnosis", "diagnosis"]
    assert cube["treated"].dtype == bool
    assert np.isnan(cube["age"].sel(sample="s3").item())


def test_cohort_cube__keeps_the_order_of_categories_that_occur():
    cells = example()
    cells.obs["state"] = pd.Categorical(cells.obs["state"], categories=["unused", "stem_like", "other"])
    assert cohort_cube(cells, sample="sample", state="state")["state"].values.tolist() == ["stem_like", "other"]


def test_cohort_cube__writes_missing_text_as_empty():
    cells = example()
    cells.obs["therapy"] = pd.Series([None] * 30 + ["cytarabine"] * 60, index=cells.obs_names, dtype=object)
    assert cohort_cube(cells, sample="sample")["therapy"].values.tolist() == ["cytarabine", "", "cytarabine"]


def test_cohort_cube__holds_only_the_groups_of_a_block():
    cells = example()
    codes, _ = coded(cells.obs["sample"], caller="this test")
    sums = cube_sums(cells.X[:30], codes[:30], 1e4)
    assert sums.sums["count_sum"].shape == (1, 15)
    assert largest_group_count(codes, (30, 30, 30)) == 1
    assert largest_group_count(codes, (45, 45)) == 2
    assert largest_group_count(codes[:0], (0,)) == 1


def test_cohort_cube__refuses_cells_without_a_label():
    cells = example()
    cells.obs.loc["c3", "state"] = np.nan
    with pytest.raises(InputError, match=r"'state' for cohort_cube\. Missing in 1 of 90 cells"):
        cohort_cube(cells, sample="sample", state="state")


def test_cohort_cube__refuses_wrong_parameters():
    with pytest.raises(MissingVariableError, match="plate"):
        cohort_cube(example(), sample="plate")
    with pytest.raises(ParameterError, match="different columns"):
        cohort_cube(example(), sample="sample", state="sample")
    with pytest.raises(ParameterError, match="'target_sum'"):
        cohort_cube(example(), sample="sample", target_sum=0)


def test_cohort_cube__refuses_what_are_not_counts():
    cells = example()
    cells.X = cells.X.astype(np.float64)
    cells.X.data[5] = 1.5
    with pytest.raises(CountsError, match=r"Found 1\.5"):
        cohort_cube(cells, sample="sample")


def test_cohort_cube__refuses_labels_alike_as_text():
    cells = example()
    cells.obs["state"] = pd.Series([1, "1"] * 45, index=cells.obs_names, dtype=object).astype(
        pd.CategoricalDtype([1, "1"])
    )
    with pytest.raises(InputError, match="differ as text"):
        cohort_cube(cells, sample="sample", state="state")


def test_cohort_cube__takes_no_cells_and_one_cell():
    empty = cohort_cube(example()[:0].copy(), sample="sample")
    assert empty["cube_count_sum"].shape == (0, 1, 15)
    single = cohort_cube(example()[:1].copy(), sample="sample", state="state")
    assert single["cube_cells"].values.tolist() == [[1]]


def test_cohort_cube__changes_nothing():
    cells = example()
    before = cells.copy()
    cohort_cube(cells, sample="sample", state="state")
    assert (cells.X != before.X).nnz == 0
    pd.testing.assert_frame_equal(cells.obs, before.obs)
