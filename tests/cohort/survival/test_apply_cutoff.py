"""Tests of applying a frozen cut-off."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from chemores_dask.cohort.survival.apply_cutoff import apply_cutoff
from chemores_dask.cohort.survival.log_rank import log_rank
from chemores_dask.cohort.survival.survival_cutoff import CutoffOptions, survival_cutoff
from chemores_dask.errors import InputError, MissingVariableError
from chemores_dask.store.results import open_result, write_result


def cohort(seed: int, *, patients: int = 150, shift: float = 0.0) -> xr.Dataset:
    generator = np.random.default_rng(seed)
    risk = generator.normal(size=patients)
    death = generator.exponential(10 * np.exp(-0.8 * (risk > 0.4)))
    censoring = generator.uniform(2, 30, size=patients)
    return xr.Dataset(
        {
            "risk": ("patient", risk + shift),
            "months": ("patient", np.minimum(death, censoring)),
            "died": ("patient", death <= censoring),
        },
        coords={"patient": [f"P{number}" for number in range(patients)]},
    )


def found(scale: str) -> xr.Dataset:
    options = CutoffOptions(scale=scale, draws=199)
    return survival_cutoff(cohort(1), duration="months", event="died", score="risk", options=options, seed=2)


@pytest.mark.parametrize("scale", ["quantile", "zscore", "score"])
def test_apply_cutoff__gives_the_same_groups_in_the_same_patients_and_says_the_scale(scale: str) -> None:
    cutoff = found(scale)
    applied = apply_cutoff(cohort(1), cutoff=cutoff, score="risk")
    np.testing.assert_array_equal(applied["applied_cutoff_high"], cutoff["cutoff_high"])
    assert applied.attrs["threshold_scale"] == scale
    assert applied.attrs["threshold_given"] == cutoff.attrs["threshold_frozen"]
    assert applied.attrs["threshold_source"] == "frozen: scan of 'risk' in 150 patients"
    assert int(applied["applied_cutoff_patients_high"]) == int(cutoff["cutoff_patients_high"])


def test_apply_cutoff__follows_another_platform_unless_the_score_is_frozen() -> None:
    plain, shifted = cohort(5), cohort(5, shift=100.0)
    for scale, same in (("quantile", True), ("zscore", True), ("score", False)):
        groups = [
            apply_cutoff(later, cutoff=found(scale), score="risk")["applied_cutoff_group"] for later in (plain, shifted)
        ]
        assert groups[0].equals(groups[1]) == same


def test_apply_cutoff__travels_through_a_store_and_feeds_other_analyses(tmp_path) -> None:
    write_result(found("zscore"), tmp_path / "s.zarr", step="cut", fingerprint="f")
    cutoff = open_result(tmp_path / "s.zarr", step="cut", fingerprint="f")
    later = cohort(8)
    applied = apply_cutoff(later, cutoff=cutoff, score="risk")
    test = log_rank(later.assign(group=applied["applied_cutoff_group"]), duration="months", event="died", group="group")
    assert test["group"].values.tolist() == ["high", "low"]
    assert float(test["log_rank_p_value"]) < 0.05


def test_apply_cutoff__refuses_what_is_no_cutoff_and_missing_scores() -> None:
    with pytest.raises(InputError, match="must be a result of survival_cutoff"):
        apply_cutoff(cohort(1), cutoff=xr.Dataset(), score="risk")
    with pytest.raises(MissingVariableError, match="stemness"):
        apply_cutoff(cohort(1), cutoff=found("score"), score="stemness")
    later = cohort(1)
    later["risk"][3] = np.nan
    with pytest.raises(InputError, match="P3"):
        apply_cutoff(later, cutoff=found("score"), score="risk")
    with pytest.raises(InputError, match="at least two patients whose scores differ"):
        apply_cutoff(cohort(1).isel(patient=[0]), cutoff=found("quantile"), score="risk")
