"""Without any effect of the stage, tests over cells find it everywhere, and tests over samples as often as they say."""

from __future__ import annotations

import anndata as ad
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from scipy import stats

from chemores_dask.cohort.differential.differential_expression import differential_expression
from chemores_dask.cohort.pseudobulk import pseudobulk
from chemores_dask.single_cell.cohort_cube import cohort_cube
from chemores_dask.single_cell.markers.analysis import markers

CELLS, GENES = 60, 400
LEVEL = 0.05


def _cells(patients, *, paired, seed, effect=0.0):
    """Cells of samples whose genes differ between patients, and from sample to sample; the first 40 genes change by ``effect``."""
    rng = np.random.default_rng(seed)
    people = np.repeat(np.arange(patients), 2) if paired else np.arange(patients)
    stage = np.tile([0, 1], patients) if paired else np.arange(patients) % 2
    rate = rng.lognormal(0, 1, GENES) * rng.lognormal(0, 0.4, (patients, GENES))[people]
    rate = rate * rng.lognormal(0, 0.25, rate.shape)
    change = np.zeros(GENES)
    change[:40] = effect * np.tile([-1, 1], 20)
    rate = rate * 2.0 ** (stage[:, None] * change)
    row = np.repeat(np.arange(people.size), CELLS)
    counts = rng.poisson(rate[row] * rng.lognormal(0, 0.3, row.size)[:, None])
    obs = pd.DataFrame(
        {
            "sample": [f"S{number:02d}" for number in row],
            "patient": [f"P{people[number]:02d}" for number in row],
            "stage": np.where(stage[row] == 1, "relapse", "diagnosis"),
        },
        index=[f"S{number:02d}:C{cell:05d}" for cell, number in enumerate(row)],
    )
    return ad.AnnData(
        sp.csr_matrix(counts.astype(np.int32)), obs=obs, var=pd.DataFrame(index=[f"G{g}" for g in range(GENES)])
    )


def _samples(cells, method, formula):
    sums = pseudobulk(cohort_cube(cells, sample="sample"))
    return differential_expression(sums, formula=formula, contrast="stage[T.relapse]", method=method)


def _share(p_values):
    p_values = np.asarray(p_values, dtype=float)
    return float((p_values[np.isfinite(p_values)] < LEVEL).mean())


@pytest.mark.once
@pytest.mark.slow
@pytest.mark.parametrize(
    ("patients", "paired", "formula"),
    [(6, True, "~ patient + stage"), (10, False, "~ stage"), (3, True, "~ patient + stage")],
)
def test_tests_over_cells__find_what_is_not_there_and_those_over_samples_do_not(patients, paired, formula):
    over_cells, over_samples = [], {"voom": [], "negative_binomial": []}
    for seed in range(6):
        cells = _cells(patients, paired=paired, seed=seed)
        ranks = markers(cells, group="stage", method="histogram").sel(group="relapse")
        over_cells.append(_share(ranks["marker_p_value"]))
        for method, found in over_samples.items():
            found.append(_samples(cells, method, formula)["differential_p_value"].values)
    assert np.mean(over_cells) > 4 * LEVEL
    for method, found in over_samples.items():
        p_values = np.concatenate(found)
        p_values = p_values[np.isfinite(p_values)]
        # Genes share the normalization of their samples, so the noise is more than binomial.
        assert 0.03 < _share(p_values) < 0.07, method
        assert abs(np.mean(p_values) - 0.5) < 0.05, method
        assert stats.kstest(p_values, "uniform").statistic < 0.06, method


@pytest.mark.once
@pytest.mark.slow
@pytest.mark.parametrize("method", ["voom", "negative_binomial"])
def test_differential_expression__finds_planted_effects_and_few_others(method):
    result = _samples(_cells(8, paired=True, seed=9, effect=1.5), method, "~ patient + stage")
    found = result["differential_q_value"].values < 0.05
    tested = result["differential_status"].values == 0
    planted = np.arange(GENES) < 40
    assert found[planted & tested].mean() > 0.9
    assert found[~planted].sum() <= 0.12 * found.sum()
    sign = np.sign(result["differential_log_fold_change"].values[planted & found])
    np.testing.assert_array_equal(sign, np.tile([-1, 1], 20)[found[:40]])
    assert (result["differential_patients_same_direction"].values[planted & found] >= 6).all()
