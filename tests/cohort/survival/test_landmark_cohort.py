"""Tests of cohorts at a landmark."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from chemores_dask.cohort.survival.cox_models import cox_model
from chemores_dask.cohort.survival.kaplan_meier import kaplan_meier
from chemores_dask.cohort.survival.landmark_cohort import REASONS, landmark_cohort
from chemores_dask.cohort.survival.log_rank import log_rank
from chemores_dask.errors import DroppedPatientsWarning, InputError, MissingVariableError, ParameterError

TINY = xr.Dataset(
    {
        "months": ("patient", [2.0, 9.0, 12.0, 4.0, 6.0, 6.5]),
        "died": ("patient", [True, True, False, False, True, True]),
        "transplant": ("patient", [np.nan, 3.0, 8.0, 2.0, np.nan, 6.0]),
        "entry": ("patient", [0.0, 7.0, 0.0, 0.0, 0.0, 5.0]),
        "response": ("patient", np.array(["", "good", "poor", "good", "", "poor"], dtype=object)),
    },
    coords={"patient": list("ABCDEF")},
)
OUTCOME = {"duration": "months", "event": "died"}


def immortal(seed: int, *, patients: int = 400) -> xr.Dataset:
    """Transplants that do nothing, to those who live until one is found."""
    generator = np.random.default_rng(seed)
    death = generator.exponential(12.0, size=patients)
    censoring = generator.uniform(6.0, 40.0, size=patients)
    found = generator.exponential(8.0, size=patients)
    end = np.minimum(death, censoring)
    return xr.Dataset(
        {
            "months": ("patient", end),
            "died": ("patient", death <= censoring),
            "transplant": ("patient", np.where(found < end, found, np.nan)),
            "ever": ("patient", found < end),
        },
        coords={"patient": [f"P{number}" for number in range(patients)]},
    )


def test_landmark_cohort__keeps_those_at_risk_and_names_the_others_by_reason() -> None:
    found = landmark_cohort(TINY, **OUTCOME, landmark=6, exposure_time="transplant")
    assert found["patient"].values.tolist() == ["B", "C", "F"]
    assert found["landmark_duration"].values.tolist() == [3.0, 6.0, 0.5]
    assert found["landmark_event"].values.tolist() == [True, False, True]
    assert found["landmark_exposed"].values.tolist() == [True, False, True]
    assert found["landmark_exposed_later"].values.tolist() == [False, True, False]
    assert found["reason"].values.tolist() == list(REASONS)
    assert found["landmark_excluded"].values.tolist() == [2, 1, 0, 0]
    assert found["landmark_excluded_events"].values.tolist() == [2, 0, 0, 0]
    assert found.attrs["patients_left_out"] == {
        REASONS[0]: ["A", "E"],
        REASONS[1]: ["D"],
        REASONS[2]: [],
        REASONS[3]: [],
    }
    assert (int(found["landmark_patients_total"]), int(found["landmark_patients"]), int(found["landmark_events"])) == (
        6,
        3,
        2,
    )


def test_landmark_cohort__leaves_out_who_comes_later() -> None:
    found = landmark_cohort(TINY, **OUTCOME, landmark=6, entry="entry")
    assert found["patient"].values.tolist() == ["C", "F"]
    assert found.attrs["patients_left_out"][REASONS[2]] == ["B"]
    assert "landmark_exposed" not in found


def test_landmark_cohort__takes_labels_only_as_far_as_they_are_known() -> None:
    with pytest.warns(DroppedPatientsWarning, match="Found 1 who are at risk then: C"):
        found = landmark_cohort(TINY, **OUTCOME, landmark=6, exposure="response", exposure_time="transplant")
    assert found["patient"].values.tolist() == ["B", "F"]
    assert found["landmark_exposure"].values.tolist() == ["good", "poor"]
    assert found.attrs["patients_left_out"][REASONS[3]] == ["C"]
    assert int(found["landmark_excluded"][3]) == 1
    later = landmark_cohort(
        TINY.isel(patient=[1, 2]), **OUTCOME, landmark=8, exposure="response", exposure_time="transplant"
    )
    assert later["landmark_exposure"].values.tolist() == ["good", "poor"]


def test_landmark_cohort__gives_both_clocks_the_same_hazard_ratio() -> None:
    patients = immortal(3)
    models = {}
    for clock, entry in (("landmark", None), ("origin", "landmark_entry")):
        kept = landmark_cohort(patients, **OUTCOME, landmark=6, exposure_time="transplant", clock=clock)
        models[clock] = cox_model(
            kept, duration="landmark_duration", event="landmark_event", covariates=["landmark_exposed"], entry=entry
        )
    for name in ("cox_model_coefficient", "cox_model_standard_error"):
        np.testing.assert_allclose(models["landmark"][name], models["origin"][name], rtol=1e-9)
    entered = landmark_cohort(patients, **OUTCOME, landmark=6, clock="origin")
    curve = kaplan_meier(entered, duration="landmark_duration", event="landmark_event", entry="landmark_entry")
    shifted = kaplan_meier(
        landmark_cohort(patients, **OUTCOME, landmark=6), duration="landmark_duration", event="landmark_event"
    )
    np.testing.assert_allclose(curve["km_survival"], shifted["km_survival"], rtol=1e-12)


def test_landmark_cohort__takes_immortal_time_away() -> None:
    naive, honest = [], []
    for seed in range(20):
        patients = immortal(seed)
        naive.append(float(cox_model(patients, **OUTCOME, covariates=["ever"])["cox_model_coefficient"][0]))
        kept = landmark_cohort(patients, **OUTCOME, landmark=6, exposure_time="transplant")
        outcome = {"duration": "landmark_duration", "event": "landmark_event"}
        honest.append(float(cox_model(kept, **outcome, covariates=["landmark_exposed"])["cox_model_coefficient"][0]))
    # Transplants that do nothing seem to halve the hazard, and more.
    assert np.exp(np.mean(naive)) < 0.6
    assert abs(np.mean(honest)) < 3 * np.std(honest, ddof=1) / np.sqrt(20)
    assert max(np.exp(honest)) < 1.7
    groups = log_rank(kept, **outcome, group="landmark_exposed")
    assert int(groups["log_rank_patients"].sum()) == int(kept["landmark_patients"])


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"transplant": [np.nan, 9.5, 8.0, 2.0, np.nan, 6.0]}, "must not lie behind the end of follow-up.*: B"),
        ({"transplant": [np.nan, -1.0, 8.0, 2.0, np.nan, 6.0]}, "must not be negative.*: B"),
        ({"transplant": ["x"] * 6}, "must hold numbers"),
        ({"months": [2.0, np.nan, 12.0, 4.0, 6.0, 6.5]}, "'months'.*B"),
        ({"died": [0, 1, 2, 0, 1, 1]}, "'died'.*C"),
    ],
)
def test_landmark_cohort__refuses_naming_variable_and_patient(changes: dict[str, list[object]], reason: str) -> None:
    patients = TINY.assign({name: ("patient", values) for name, values in changes.items()})
    with pytest.raises(InputError, match=reason):
        landmark_cohort(patients, **OUTCOME, landmark=6, exposure_time="transplant")


def test_landmark_cohort__refuses_landmarks_without_patients_and_exposures_without_time() -> None:
    with pytest.raises(InputError, match=r"at risk at the landmark 365.*4 event by the landmark.*unit of 'months'"):
        landmark_cohort(TINY, **OUTCOME, landmark=365)
    for landmark in (0, -3, np.nan, np.inf, "6"):
        with pytest.raises(ParameterError, match="'landmark'"):
            landmark_cohort(TINY, **OUTCOME, landmark=landmark)
    with pytest.raises(ParameterError, match="exposure='response' without 'exposure_time'"):
        landmark_cohort(TINY, **OUTCOME, landmark=6, exposure="response")
    with pytest.raises(ParameterError, match="'clock'"):
        landmark_cohort(TINY, **OUTCOME, landmark=6, clock="wall")
    with pytest.raises(MissingVariableError, match="relapse"):
        landmark_cohort(TINY, **OUTCOME, landmark=6, exposure_time="relapse")
    unknown = TINY.assign(response=("patient", np.array([""] * 6, dtype=object)))
    with pytest.raises(InputError, match=r"'response'.*B"):
        landmark_cohort(unknown, **OUTCOME, landmark=6, exposure="response", exposure_time="transplant")
