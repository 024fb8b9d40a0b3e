"""Causes read and refused."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from chemores_dask.cohort.survival.competing_outcome import check_causes, label_text
from chemores_dask.errors import InputError, MissingVariableError, ParameterError, TooFewEventsError
from tests.cohort.survival.curve_cases import patients_of


def _read(ended, censored=0, **more):
    patients = patients_of(months=np.arange(1.0, len(ended) + 1), ended=ended, **more)
    return check_causes(patients, duration="months", cause="ended", censored=censored, entry=None, caller="test")


@pytest.mark.parametrize(
    ("ended", "censored", "causes"),
    [
        ([2, 0, 1], 0, ["1", "2"]),
        ([2.0, 0.0, 1.0], "0", ["1", "2"]),
        ([10, 0, 9], 0.0, ["9", "10"]),
        (["relapse", "alive", "death"], "alive", ["death", "relapse"]),
        ([True, False, True], False, ["True"]),
        ([2, 3, 1], None, ["1", "2", "3"]),
    ],
)
def test_check_causes__numbers_causes_from_one(ended, censored, causes):
    found = _read(ended, censored)
    assert found.causes == causes
    for label, code, event in zip(ended, found.cause, found.outcome.event, strict=True):
        assert (code > 0) == event
        assert code == 0 or found.causes[code - 1] == label_text(label)


def test_check_causes__takes_categories_and_objects():
    assert _read(pd.Categorical(["b", "a", "c"], categories=["z", "c", "b", "a"]), "a").causes == ["b", "c"]
    assert _read(np.array([0, 2, 1], dtype=object)).causes == ["1", "2"]


def test_code_of__finds_a_cause_by_label_or_code():
    found = _read([2, 0, 1])
    assert found.code_of(2.0, parameter="of_interest", caller="test") == found.code_of("2", parameter="p", caller="c")
    with pytest.raises(ParameterError, match=r"'of_interest' parameter of test must be a cause. Got '0'; causes: 1, 2"):
        found.code_of(0, parameter="of_interest", caller="test")


def test_check_causes__refuses_what_names_no_cause():
    with pytest.raises(ParameterError, match=r"'censored' parameter of test.*'ended'. Got 'alive'; values: a, b"):
        _read(["a", "b"], "alive")
    with pytest.raises(TooFewEventsError, match=r"'ended' is '0', which stands for censored, for all 3 patients"):
        _read([0, 0, 0])
    with pytest.raises(InputError, match=r"must say which cause ended follow-up. Found 30 different values"):
        _read(np.arange(30.0))
    with pytest.raises(InputError, match=r"'ended' must be known for every patient.*1 \(nan\)"):
        _read([0, np.nan, 1])
    with pytest.raises(MissingVariableError, match="'cause'"):
        check_causes(patients_of(months=[1.0]), duration="months", cause="cause", censored=0, entry=None, caller="test")
