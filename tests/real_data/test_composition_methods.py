"""Five glioblastomas under vehicle and under panobinostat: every analysis of composition on cells under metal stress."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from chemores_dask.cohort.composition.beta_binomial_composition import beta_binomial_composition
from chemores_dask.cohort.composition.composition_changes import composition_changes
from chemores_dask.cohort.composition.detection_limits import FOUND, detection_limits
from chemores_dask.cohort.composition.dirichlet_multinomial import dirichlet_multinomial_composition
from chemores_dask.cohort.composition.pooled_composition import pooled_composition
from chemores_dask.cohort.composition.propeller import propeller_composition
from chemores_dask.errors import SmallSampleWarning
from chemores_dask.gene_sets import GeneSets
from chemores_dask.scores.module_score import module_score
from chemores_dask.scores.score_states import score_states
from chemores_dask.single_cell.cohort_cube import cohort_cube
from chemores_dask.single_cell.normalize import log_normalize
from chemores_dask.store.attach import attach
from chemores_dask.store.cells import open_cells

STAGES = {"before": "ctrl", "after": "panobinostat"}


@pytest.fixture(scope="module")
def cube(glioblastoma):
    cells = open_cells(glioblastoma.store, rows_per_block=700)
    sets = GeneSets.from_mapping({"metal": ["MT2A", "MT1X", "MT1G", "MT1E"]})
    scores = module_score(log_normalize(cells), sets, method="seurat", seed=1)
    states = score_states(scores, gene_set="metal", labels=["other", "metal_stress"])
    return cohort_cube(attach(cells, states), sample="sample", state="cell_state")


def cells_of(cube, stage):
    chosen = cube.isel(sample=np.flatnonzero(cube["stage"].values.astype(str) == stage))
    order = np.argsort(chosen["patient"].values.astype(str))
    counts = chosen["cube_cells"].values[order]
    return counts[:, cube["state"].values.tolist().index("metal_stress")], counts.sum(axis=1)


def test_composition__says_the_same_by_every_method_of_patients(cube):
    with pytest.warns(SmallSampleWarning, match="5 patients"):
        changes = composition_changes(cube, **STAGES).sel(state="metal_stress")
    with pytest.warns(SmallSampleWarning, match="5 patients"):
        model = beta_binomial_composition(cube, **STAGES, states=["metal_stress"], draws=60, seed=1).isel(state=0)
    with pytest.warns(SmallSampleWarning, match="5 patients"):
        linear = propeller_composition(cube, robust=False).sel(state="metal_stress")
    with pytest.warns(SmallSampleWarning, match="5 patients"):
        posterior = dirichlet_multinomial_composition(cube, **STAGES, references=["other"], seed=1)
    rises = float(changes["change_mean_logit_difference"])
    assert np.sign(float(model["beta_binomial_effect"])) == np.sign(rises) == np.sign(float(linear["propeller_effect"]))
    assert float(model["beta_binomial_effect"]) == pytest.approx(rises, abs=0.8)
    assert float(changes["change_minimum_p_value"]) == 0.0625
    # Two states are mirror images, so both have the same variance, and the moderated t is the paired one with twice its degrees.
    found, total = cells_of(cube, "ctrl")
    found_after, total_after = cells_of(cube, "panobinostat")
    odds = np.log((found_after + 0.5) / (total_after - found_after + 0.5)) - np.log(
        (found + 0.5) / (total - found + 0.5)
    )
    t = stats.ttest_1samp(odds, 0.0)
    assert float(linear["propeller_effect"]) == pytest.approx(odds.mean(), rel=1e-9)
    assert float(linear["propeller_t_statistic"]) == pytest.approx(t.statistic, rel=1e-6)
    assert float(linear["propeller_p_value"]) == pytest.approx(2 * stats.t.sf(abs(t.statistic), 8), rel=1e-6)
    inclusion = float(posterior["dirichlet_inclusion"].sel(state="metal_stress").values[0])
    assert 0 < inclusion <= 1


def test_composition__of_pooled_cells_claims_what_patients_cannot(cube):
    pooled = pooled_composition(cube, group="stage", draws=500, seed=1).isel(pair=0).sel(state="metal_stress")
    found, _ = cells_of(cube, "ctrl")
    found_after, _ = cells_of(cube, "panobinostat")
    tail = stats.hypergeom(5000, found.sum() + found_after.sum(), 2500)
    expected = tail.sf(found_after.sum() - 1) if found_after.sum() >= found.sum() else tail.cdf(found_after.sum())
    assert float(pooled["pooled_hypergeometric_p_value"]) == pytest.approx(expected, rel=1e-8)
    # Five patients cannot reach 0.05 by signs, whatever cells say.
    assert float(pooled["pooled_hypergeometric_p_value"]) < 1e-6


def test_detection_limits__of_500_cells(cube):
    limits = detection_limits(cube)
    np.testing.assert_allclose(limits["detection_sensitivity"], 1 - 0.05 ** (1 / 500))
    state = limits.sel(state="metal_stress")
    for sample in limits["sample"].values:
        one = state.sel(sample=sample)
        theirs = stats.binomtest(int(one["detection_cells"]), 500).proportion_ci(0.95, "exact")
        assert float(one["detection_share_upper"]) == pytest.approx(theirs.high, abs=1e-12)
        assert FOUND[int(one["detection_found"])] == ("detected" if int(one["detection_cells"]) else "not_detected")
