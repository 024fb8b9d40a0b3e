"""What numbers of cells can tell: exact limits, sensitivity, classes."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from scipy import stats

from chemores_dask.cohort.composition.detection_limits import CLASSES, FOUND, RESULT, detection_limits
from chemores_dask.errors import InputError, MissingVariableError, ParameterError
from chemores_dask.results_spec import check_result
from tests.published_counts import EXPANSION


def cube_of(rows, patients, stages=None):
    cells = np.array([[found, total - found] for found, total in rows])
    return xr.Dataset(
        {"cube_cells": (("sample", "state"), cells)},
        coords={
            "sample": [f"S{number}" for number in range(len(rows))],
            "state": ["stem_like", "other"],
            "patient": ("sample", np.array(patients, dtype=object)),
            "stage": ("sample", np.array(stages or ["diagnosis"] * len(rows), dtype=object)),
        },
    )


def published():
    rows, patients, stages = [], [], []
    for patient, (found, total, found_after, total_after) in EXPANSION.items():
        rows += [(found, total), (found_after, total_after)]
        patients += [patient, patient]
        stages += ["diagnosis", "relapse"]
    return cube_of(rows, patients, stages)


def flags_of(values, meanings):
    return [meanings[number] for number in values.values.tolist()]


def test_detection_limits__calls_none_of_650_not_detected():
    found = detection_limits(published(), at="diagnosis")
    check_result(RESULT, found)
    stem = found.sel(state="stem_like")
    missed = stem.sel(patient="P12")
    assert FOUND[int(missed["detection_patient_found"])] == "not_detected"
    assert float(missed["detection_patient_share_upper"]) == pytest.approx(1 - 0.025 ** (1 / 650))
    assert float(missed["detection_patient_share_upper"]) == pytest.approx(0.0057, abs=5e-5)
    assert float(missed["detection_patient_share_lower"]) == 0
    assert (stem["detection_patient_found"] == 0).sum() == 2


def test_detection_limits__equal_scipy():
    found = detection_limits(published())
    for sample in found["sample"].values:
        one = found.sel(sample=sample, state="stem_like")
        theirs = stats.binomtest(int(one["detection_cells"]), int(one["detection_total"])).proportion_ci(0.95, "exact")
        assert float(one["detection_share_lower"]) == pytest.approx(theirs.low, abs=1e-12)
        assert float(one["detection_share_upper"]) == pytest.approx(theirs.high, abs=1e-12)


def test_detection_limits__give_the_share_that_is_seen_with_95_percent():
    found = detection_limits(published())
    total, share = found["detection_total"].values, found["detection_sensitivity"].values
    np.testing.assert_allclose(1 - (1 - share) ** total, 0.95, rtol=1e-12)


def test_detection_limits__bin_patients_only_where_both_limits_agree():
    rows = [(0, 200), (30, 400), (100, 400), (8, 100), (14, 100), (0, 20), (0, 0)]
    found = detection_limits(cube_of(rows, [f"P{number}" for number in range(7)]))
    classes = flags_of(found["detection_patient_class"].sel(state="stem_like"), CLASSES)
    assert classes == ["low", "middle", "high", "cannot_tell", "cannot_tell", "cannot_tell", "cannot_tell"]
    sure = detection_limits(cube_of([(40, 400)], ["P1"]), cuts=(0.05, 0.2))
    assert flags_of(sure["detection_patient_class"].sel(state="stem_like"), CLASSES) == ["middle"]
    counted = found["detection_class_patients"].sel(state="stem_like")
    assert counted.values.tolist() == [1, 1, 1, 3]
    assert int(found["detection_patients"]) == 6


def test_detection_limits__of_no_cells_are_unknown():
    found = detection_limits(cube_of([(0, 0), (3, 50)], ["P1", "P2"]))
    nothing = found.sel(sample="S0", state="stem_like")
    assert FOUND[int(nothing["detection_found"])] == "no_cells"
    assert np.isnan(nothing["detection_share"])
    assert float(nothing["detection_sensitivity"]) == 1


def test_detection_limits__add_up_the_samples_of_a_patient():
    found = detection_limits(cube_of([(0, 300), (0, 350)], ["P12", "P12"]))
    assert found["detection_patient_total"].values.tolist() == [650]
    assert found["detection_total"].values.tolist() == [300, 350]
    whole = found["detection_patient_share_upper"].sel(state="stem_like").values[0]
    assert whole < found["detection_share_upper"].sel(state="stem_like").values.min()


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"at": "remission"}, InputError, "Got 'remission'; present: diagnosis, relapse"),
        ({"cuts": (0.15, 0.05)}, ParameterError, "two rising shares"),
        ({"cuts": (5, 15)}, ParameterError, "at most 1"),
        ({"patient": "donor"}, MissingVariableError, "'donor'"),
    ],
)
def test_detection_limits__refuses(options, error, words):
    with pytest.raises(error, match=words):
        detection_limits(published(), **options)


def test_detection_limits__refuses_a_cube_without_cells():
    with pytest.raises(InputError, match="None of the samples has any"):
        detection_limits(cube_of([(0, 0)], ["P1"]))
