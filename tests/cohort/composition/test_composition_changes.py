"""All states at once: the same tests as for one, families, references, absolute amounts."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from scipy import stats

from chemores_dask.cohort.composition.composition_changes import RESULT, composition_changes
from chemores_dask.cohort.composition.paired_shares import paired_composition
from chemores_dask.errors import DroppedPatientsWarning, InputError, MissingVariableError, SmallSampleWarning
from chemores_dask.kernels.multiple_testing import benjamini_hochberg
from chemores_dask.results_spec import check_result

STAGES = {"before": "diagnosis", "after": "relapse"}


def simulated(*, patients=8, share=(0.05, 0.35, 0.4, 0.2), growth=1.0, total=600, seed=1):
    """The first state grows by a factor, and all others keep their numbers towards each other."""
    draws = np.random.default_rng(seed)
    cells, names, stages, blasts = [], [], [], []
    for number in range(patients):
        own = draws.dirichlet(60 * np.array(share))
        for stage, factor in (("diagnosis", 1.0), ("relapse", growth)):
            raised = own * np.array([factor, 1, 1, 1])
            cells.append(draws.multinomial(total, raised / raised.sum()))
            names.append(f"P{number}")
            stages.append(stage)
            blasts.append(1e9 * raised.sum())
    return xr.Dataset(
        {"cube_cells": (("sample", "state"), np.array(cells))},
        coords={
            "state": ["stem_like", "cycling", "blast", "T"],
            "patient": ("sample", np.array(names, dtype=object)),
            "stage": ("sample", np.array(stages, dtype=object)),
            "blasts": ("sample", np.array(blasts)),
        },
    )


def test_composition_changes__equals_the_analysis_of_one_state():
    cube = simulated(growth=3)
    found = composition_changes(cube, **STAGES)
    check_result(RESULT, found)
    for state in cube["state"].values:
        one = paired_composition(cube, state=state, **STAGES)
        own = found.sel(state=state)
        np.testing.assert_array_equal(own["change_logit_difference"], one["composition_logit_difference"])
        for test in ("t", "share_t", "sign_flip", "signed_rank"):
            assert float(own[f"change_{test}_p_value"]) == float(one[f"composition_{test}_p_value"])
        for side in ("lower", "upper"):
            name = f"mean_logit_difference_{side}"
            assert float(own[f"change_{name}"]) == pytest.approx(float(one[f"composition_{name}"]), rel=1e-12)
    assert float(found["change_minimum_p_value"]) == 2 / 256
    np.testing.assert_allclose(found["change_t_q_value"], benjamini_hochberg(found["change_t_p_value"].values))


def test_composition_changes__shows_that_shares_are_relative():
    # Only the first state grows, fourfold; the shares of all others fall, but not towards each other.
    found = composition_changes(simulated(growth=8, total=3000), **STAGES)
    others = found.sel(state=["cycling", "blast", "T"])
    assert (others["change_mean_logit_difference"] < 0).all()
    assert (others["change_t_p_value"] < 0.01).all()
    without = others["change_without_t_p_value"].sel(left_out="stem_like")
    assert (without > 0.05).all()
    ratios = others["change_ratio_t_p_value"].sel(reference=["cycling", "blast", "T"]).values
    assert np.nanmin(ratios) > 0.05
    stem = found.sel(state="stem_like")
    assert (stem["change_ratio_t_p_value"].sel(reference=["cycling", "blast", "T"]) < 1e-4).all()
    np.testing.assert_allclose(
        stem["change_ratio_difference"].sel(reference=["cycling", "blast", "T"]), np.log(8), atol=0.2
    )
    assert int(stem["change_references_agreeing"]) == 3


def test_composition_changes__without_a_state_by_hand():
    cube = simulated(growth=3)
    found = composition_changes(cube, **STAGES)
    without = composition_changes(cube.drop_sel(state="blast"), **STAGES)
    kept = ["stem_like", "cycling", "T"]
    np.testing.assert_allclose(
        found["change_without_logit_difference"].sel(state=kept, left_out="blast"),
        without["change_mean_logit_difference"].sel(state=kept),
    )
    np.testing.assert_allclose(
        found["change_without_t_p_value"].sel(state=kept, left_out="blast"), without["change_t_p_value"].sel(state=kept)
    )
    before, after = (cube["cube_cells"].values[place::2] + 0.5 for place in (0, 1))
    ratio = np.log(after[:, 0] / after[:, 3]) - np.log(before[:, 0] / before[:, 3])
    one = found.sel(state="stem_like", reference="T")
    assert float(one["change_ratio_difference"]) == pytest.approx(ratio.mean())
    assert float(one["change_ratio_t_p_value"]) == pytest.approx(stats.ttest_1samp(ratio, 0).pvalue)
    assert np.isnan(found["change_ratio_difference"].sel(state="T", reference="T"))


def test_composition_changes__gives_absolute_amounts_beside_shares():
    # The totals grow as much as the first state does, so only that one changes absolutely.
    found = composition_changes(simulated(growth=8, total=3000), **STAGES, total="blasts")
    check_result(RESULT, found)
    others = found.sel(state=["cycling", "blast", "T"])
    assert (others["change_absolute_t_p_value"] > 0.05).all()
    np.testing.assert_allclose(others["change_absolute_mean_log2_difference"], 0, atol=0.1)
    assert float(found["change_absolute_mean_log2_difference"][0]) == pytest.approx(3, abs=0.2)
    assert float(found["change_absolute_t_q_value"][0]) < 1e-4
    assert (found["change_total_log2_difference"] > 0).all()


@pytest.mark.parametrize("value", [0.0, -3.0, np.nan, np.inf])
def test_composition_changes__refuses_totals_that_are_none(value):
    cube = simulated()
    totals = cube["blasts"].values.copy()
    totals[4] = value
    with pytest.raises(InputError, match=r"must be above 0 and known. 'blasts' is not in P2"):
        composition_changes(cube.assign_coords(blasts=("sample", totals)), **STAGES, total="blasts")


def test_composition_changes__refuses_totals_that_are_words():
    cube = simulated().assign_coords(blasts=("sample", np.array(["many"] * 16, dtype=object)))
    with pytest.raises(InputError, match=r"'blasts' of composition_changes must be numbers. Found many"):
        composition_changes(cube, **STAGES, total="blasts")


def test_composition_changes__leaves_absent_states_out_of_the_family():
    cube = simulated(growth=2)
    cube["cube_cells"][:, 3] = 0
    found = composition_changes(cube, **STAGES)
    nowhere = found.sel(state="T")
    for test in ("t", "share_t", "sign_flip", "signed_rank"):
        assert np.isnan(nowhere[f"change_{test}_p_value"])
    assert not nowhere["change_log_odds_trusted"]
    alone = composition_changes(cube.drop_sel(state="T"), **STAGES)
    np.testing.assert_allclose(found["change_t_q_value"][:3], alone["change_t_q_value"])
    assert int(nowhere["change_patients_without"]) == 8


def test_composition_changes__doubts_log_odds_of_rare_states():
    cube = simulated(share=(0.014, 0.386, 0.4, 0.2))
    cells = cube["cube_cells"].values.copy()
    cells[::2] //= 8
    found = composition_changes(cube.assign(cube_cells=(("sample", "state"), cells)), **STAGES)
    assert found["change_log_odds_trusted"].values.tolist() == [False, True, True, True]
    assert composition_changes(cube, **STAGES)["change_log_odds_trusted"].all()


def test_composition_changes__warns_of_few_and_unpaired_patients():
    with pytest.warns(SmallSampleWarning, match="With 3 patients no test of signs"):
        few = composition_changes(simulated(patients=3), **STAGES)
    assert float(few["change_minimum_p_value"]) == 0.25
    assert (few["change_sign_flip_p_value"] >= 0.25).all()
    with pytest.warns(SmallSampleWarning, match="With 1 patients"):
        one = composition_changes(simulated(patients=1), **STAGES)
    assert one["change_t_p_value"].isnull().all()
    with pytest.warns(DroppedPatientsWarning, match="P0"):
        composition_changes(simulated().isel(sample=slice(1, None)), **STAGES)


def test_composition_changes__refuses_tables_that_say_nothing():
    cube = simulated()
    with pytest.raises(InputError, match="two values of 'stage'"):
        composition_changes(cube, before="diagnosis", after="remission")
    with pytest.raises(MissingVariableError, match="'cellularity'"):
        composition_changes(cube, **STAGES, total="cellularity")
    cube["cube_cells"][:, 1:] = 0
    with pytest.raises(InputError, match=r"in at least two states.*in stem_like only"):
        composition_changes(cube, **STAGES)
