"""Paired composition: the published expansion, hostile cubes."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from scipy import stats

from chemores_dask.cohort.composition.paired_shares import RESULT, paired_composition
from chemores_dask.errors import DroppedPatientsWarning, InputError, MissingVariableError, SmallSampleWarning
from chemores_dask.kernels.paired_tests import paired_t_test
from chemores_dask.results_spec import check_result
from tests.published_counts import EXPANSION, PERCENTAGES

OPTIONS = {"state": "stem_like", "before": "diagnosis", "after": "relapse"}


def _cube(pairs=EXPANSION):
    cells, patients, stages = [], [], []
    for patient, (found, total, found_after, total_after) in pairs.items():
        cells += [[found, total - found], [found_after, total_after - found_after]]
        patients += [patient, patient]
        stages += ["diagnosis", "relapse"]
    return xr.Dataset(
        {"cube_cells": (("sample", "state"), np.array(cells))},
        coords={"state": ["stem_like", "blast"], "patient": ("sample", patients), "stage": ("sample", stages)},
    )


def test_paired_composition__reproduces_the_published_expansion():
    result = paired_composition(_cube(), **OPTIONS)
    check_result(RESULT, result)
    assert float(result["composition_t_p_value"]) == pytest.approx(4.6e-5, abs=5e-7)
    assert float(result["composition_share_t_statistic"]) == pytest.approx(8.408, abs=1e-3)
    assert float(result["composition_share_t_p_value"]) == pytest.approx(6.63e-5, abs=5e-8)
    for name in ("signed_rank", "sign_flip", "minimum"):
        assert float(result[f"composition_{name}_p_value"]) == 2 / 256
    index = result.sel(patient="P2")
    assert float(index["composition_share_before"]) == pytest.approx(9 / 653)
    assert float(index["composition_share_after"]) == pytest.approx(153 / 578)
    assert int(result["composition_patients"]) == int(result["composition_patients_rising"]) == 8
    assert result.attrs["patients_dropped"] == []


def test_paired_t_test__of_the_published_percentages_gives_the_published_p():
    t, p_value = paired_t_test(np.subtract(PERCENTAGES["relapse"], PERCENTAGES["diagnosis"]))
    assert t == pytest.approx(8.408, abs=5e-4)
    assert p_value == pytest.approx(6.63e-5, abs=5e-8)


def test_paired_composition__says_where_its_log_odds_err():
    rare = {f"P{number}": (number % 3, 100, 9 + number % 4, 700) for number in range(8)}
    caution = paired_composition(_cube(rare), **OPTIONS).attrs["log_odds_caution"]
    assert "beta_binomial_composition" in caution
    assert paired_composition(_cube(), **OPTIONS).attrs["log_odds_caution"] == ""
    even = {name: (found, 700, after, total) for name, (found, _, after, total) in rare.items()}
    assert paired_composition(_cube(even), **OPTIONS).attrs["log_odds_caution"] == ""


def test_paired_composition__gives_a_detection_limit_where_nothing_was_found():
    result = paired_composition(_cube(), **OPTIONS).sel(patient="P12")
    assert float(result["composition_share_before"]) == 0
    assert float(result["composition_share_before_upper"]) == pytest.approx(1 - 0.025 ** (1 / 650))
    assert float(result["composition_share_before_upper"]) == pytest.approx(0.0057, abs=5e-5)


def test_paired_composition__has_the_limits_of_the_t_test():
    result = paired_composition(_cube(), **OPTIONS)
    interval = stats.ttest_1samp(result["composition_logit_difference"].values, 0).confidence_interval()
    assert float(result["composition_mean_logit_difference_lower"]) == pytest.approx(interval.low)
    assert float(result["composition_mean_logit_difference_upper"]) == pytest.approx(interval.high)


def test_paired_composition__adds_up_samples_of_one_patient_and_stage():
    cube = _cube()
    halves = xr.concat([cube, cube], dim="sample")
    result = paired_composition(halves, **OPTIONS)
    assert result["composition_total_before"].values.tolist() == [2 * row[1] for row in EXPANSION.values()]
    xr.testing.assert_allclose(
        result["composition_share_after"], paired_composition(cube, **OPTIONS)["composition_share_after"]
    )


def test_paired_composition__drops_unpaired_patients_with_a_warning():
    cube = _cube().isel(sample=[i for i in range(16) if i not in {1, 2}])
    with pytest.warns(DroppedPatientsWarning, match=r"2 of 8 patients.*P6, P8"):
        result = paired_composition(cube, **OPTIONS)
    assert result["patient"].values.tolist() == ["P10", "P1", "P3", "P2", "P12", "P7"]
    assert result.attrs["patients_dropped"] == ["P6", "P8"]
    without_cells = _cube({**EXPANSION, "P9": (0, 0, 4, 10)})
    with pytest.warns(DroppedPatientsWarning, match=r"P9"):
        paired_composition(without_cells, **OPTIONS)


@pytest.mark.parametrize(("patients", "minimum"), [(3, 0.25), (1, 1)])
def test_paired_composition__warns_when_no_test_can_be_significant(patients, minimum):
    few = dict(list(EXPANSION.items())[:patients])
    with pytest.warns(SmallSampleWarning, match=f"With {patients} patients.*{minimum}"):
        result = paired_composition(_cube(few), **OPTIONS)
    assert float(result["composition_minimum_p_value"]) == minimum
    assert float(result["composition_sign_flip_p_value"]) >= minimum
    assert np.isnan(result["composition_t_p_value"]) == (patients == 1)


def test_paired_composition__turns_its_signs_with_the_stages():
    forward = paired_composition(_cube(), **OPTIONS)
    backward = paired_composition(_cube(), state="stem_like", before="relapse", after="diagnosis")
    np.testing.assert_allclose(forward["composition_logit_difference"], -backward["composition_logit_difference"])
    assert float(forward["composition_t_p_value"]) == pytest.approx(float(backward["composition_t_p_value"]))


def test_paired_composition__has_uniform_p_values_when_nothing_changes():
    rng = np.random.default_rng(4)
    p_values = []
    for _ in range(150):
        share = rng.uniform(0.05, 0.3, 8)
        pairs = {
            f"P{k}": (int(rng.binomial(400, share[k])), 400, int(rng.binomial(600, share[k])), 600) for k in range(8)
        }
        p_values.append(float(paired_composition(_cube(pairs), **OPTIONS)["composition_t_p_value"]))
    assert 0.4 < np.mean(p_values) < 0.6
    assert 0.03 < np.mean(np.array(p_values) < 0.1) < 0.19


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"state": "T_cell"}, "must be in the cube. Got 'T_cell'; present: stem_like, blast"),
        ({"after": "remission"}, "two values of 'stage'.*present: diagnosis, relapse"),
        ({"after": "diagnosis"}, "two values of 'stage'"),
    ],
)
def test_paired_composition__names_what_is_not_there(options, words):
    with pytest.raises(InputError, match=words):
        paired_composition(_cube(), **{**OPTIONS, **options})


def test_paired_composition__refuses_cubes_that_say_nothing():
    with pytest.raises(InputError, match=r"must have cells in some paired patient. It has none in P1, P2"):
        paired_composition(_cube({"P1": (0, 10, 0, 20), "P2": (0, 5, 0, 5)}), **OPTIONS)
    with pytest.raises(InputError, match=r"Found none; patients with one of them: P1, P2"):
        paired_composition(_cube({"P1": (1, 10, 0, 0), "P2": (0, 0, 1, 5)}), **OPTIONS)
    with pytest.raises(MissingVariableError, match=r"'donor'"):
        paired_composition(_cube(), **OPTIONS, patient="donor")
    nameless = _cube().assign_coords(patient=("sample", np.array([""] + ["P1"] * 15, dtype=object)))
    with pytest.raises(InputError, match=r"Every sample of paired_composition must have a patient. 1 of 16"):
        paired_composition(nameless, **OPTIONS)
