"""Clinical columns: what is taken, what is refused, and that messages name variable and patients."""

from __future__ import annotations

import dask.array as da
import numpy as np
import pytest
import xarray as xr

from chemores_dask.cohort.outcome import check_groups, check_outcome, check_strata, design_matrix, patient_names
from chemores_dask.errors import InputError, MissingVariableError


def _patients(**columns):
    given = {"months": [5.0, 3.0, 8.0], "died": [True, False, True], **columns}
    names = given.pop("names", ["p1", "p2", "p3"])
    variables = {name: ("patient", np.asarray(values)) for name, values in given.items()}
    return xr.Dataset(variables, coords={"patient": names})


def _check(patients, **options):
    return check_outcome(patients, duration="months", event="died", caller="test", **options)


def test_check_outcome__takes_booleans_and_zero_one_alike():
    for died in ([True, False, True], [1, 0, 1], [1.0, 0.0, 1.0], np.array([1, 0, 1], dtype=object)):
        outcome = _check(_patients(died=died))
        assert outcome.event.tolist() == [True, False, True]
        assert outcome.event.dtype == bool
    assert outcome.duration.tolist() == [5, 3, 8]
    assert outcome.patients.tolist() == ["p1", "p2", "p3"]
    assert (outcome.entry == -np.inf).all()


def test_check_outcome__reads_lazy_columns():
    patients = _patients()
    patients["months"] = ("patient", da.from_array(np.array([5.0, 3.0, 8.0]), chunks=2))
    assert _check(patients).duration.tolist() == [5, 3, 8]


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"months": [5.0, -1.0, 8.0]}, r"'months' must not be negative.*p2 \(-1.0\)"),
        ({"months": [5.0, np.nan, 8.0]}, r"'months' must be known and finite.*1 of 3 patients: p2 \(nan\)"),
        ({"months": [5.0, np.inf, -np.inf]}, r"'months' must be known and finite.*2 of 3.*p2 \(inf\), p3 \(-inf\)"),
        ({"months": np.array([5.0, None, 8.0], dtype=object)}, r"'months' must be known.*1 of 3 patients: p2"),
        (
            {"months": np.array(["5", "soon", "8"], dtype=object)},
            r"'months' of test must hold numbers. Found 5, soon, 8",
        ),
        ({"died": [0, 1, 2]}, r"'died' must be boolean, or 0 and 1.*p3 \(2\)"),
        ({"died": [0.0, np.nan, 1.0]}, r"'died' must be known and finite.*p2"),
        ({"died": np.array(["yes", "no", "no"], dtype=object)}, r"'died' of test must hold numbers"),
        ({"names": ["p1", "p2", "p1"]}, r"Every patient must occur once in test. Found more than once: p1"),
    ],
)
def test_check_outcome__refuses_impossible_values(columns, words):
    with pytest.raises(InputError, match=words):
        _check(_patients(**columns))


def test_check_outcome__refuses_entries_that_are_not_before_the_end():
    with pytest.raises(InputError, match=r"'entry' must lie before 'months'.*p2 \(3.0\)"):
        _check(_patients(entry=[0.0, 3.0, 9.0]), entry="entry")
    with pytest.raises(InputError, match=r"'entry' must not be negative"):
        _check(_patients(entry=[0.0, -3.0, 1.0]), entry="entry")
    assert _check(_patients(entry=[0.0, 1.0, 2.0]), entry="entry").entry.tolist() == [0, 1, 2]


def test_check_outcome__reads_weights():
    assert _check(_patients()).weight.tolist() == [1, 1, 1]
    assert _check(_patients(w=[1.5, 2, 0.1]), weights="w").weight.tolist() == [1.5, 2, 0.1]
    assert _check(_patients(w=[1.5, 2, 0.1], entry=[0.0, 1.0, 2.0]), weights="w", entry="entry").weight[0] == 1.5


@pytest.mark.parametrize(
    ("w", "words"),
    [
        ([1.0, 0.0, 1.0], r"'w' must be above 0 in test.*1 of 3 patients: p2 \(0.0\)"),
        ([1.0, -2.0, 1.0], r"'w' must be above 0 in test.*p2 \(-2.0\)"),
        ([1.0, np.nan, 1.0], r"'w' must be known and finite.*p2"),
        ([1.0, np.inf, 1.0], r"'w' must be known and finite.*p2"),
        ([1.0, 1e9, 1e-3], r"'w' must lie between 1e-06 and 1e\+06 in test.*p2 \(1000000000.0\)"),
        (np.array(["much", "less", "1"], dtype=object), r"'w' of test must hold numbers"),
    ],
)
def test_check_outcome__refuses_impossible_weights(w, words):
    with pytest.raises(InputError, match=words):
        _check(_patients(w=w), weights="w")


def test_check_outcome__lists_what_is_there():
    with pytest.raises(MissingVariableError, match=r"'os_month'.*absent.*months"):
        check_outcome(_patients(), duration="os_month", event="died", caller="test")


def test_check_outcome__allows_a_follow_up_of_zero():
    assert _check(_patients(months=[0.0, 3.0, 8.0])).duration[0] == 0


def test_check_outcome__merges_times_that_differ_by_rounding():
    duration = np.array([0.1 + 0.2, 0.3, 0.3000001])
    merged = _check(_patients(months=duration)).duration
    assert merged[0] == merged[1]
    assert merged[2] > merged[1]


def test_patient_names__need_patients():
    with pytest.raises(InputError, match=r"dimension 'patient'"):
        patient_names(xr.Dataset({"months": ("sample", [1.0])}), caller="test")
    with pytest.raises(InputError, match=r"dimension 'patient'"):
        patient_names(xr.Dataset({"months": ("patient", [])}), caller="test")
    assert patient_names(xr.Dataset({"months": ("patient", [1.0, 2.0])}), caller="test").tolist() == ["0", "1"]


def test_check_groups__sorts_labels_and_writes_whole_numbers_plainly():
    codes, labels = check_groups(_patients(arm=[10.0, 2.0, 10.0]), "arm", caller="test")
    assert labels == ["2", "10"]
    assert codes.tolist() == [1, 0, 1]
    assert check_groups(_patients(arm=[True, False, True]), "arm", caller="test")[1] == ["False", "True"]
    assert check_groups(_patients(), None, caller="test")[1] == ["all"]


def test_check_groups__refuses_patients_without_a_group():
    for arm in (np.array(["a", None, "b"], dtype=object), [1.0, np.nan, 2.0], ["a", "", "b"]):
        with pytest.raises(InputError, match=r"'arm' must be known for every patient in test.*p2"):
            check_groups(_patients(arm=arm), "arm", caller="test")


def test_check_strata__crosses_variables():
    patients = _patients(site=["a", "a", "b"], sex=[0, 1, 1])
    assert check_strata(patients, ["site", "sex"], caller="test").tolist() == [0, 1, 2]
    assert check_strata(patients, "site", caller="test").tolist() == [0, 0, 1]
    assert check_strata(patients, None, caller="test").tolist() == [0, 0, 0]


def test_design_matrix__codes_text_against_its_first_level():
    patients = _patients(
        age=[60, 50, 40], sex=np.array(["Male", "Female", "Male"], dtype=object), high=[True, False, False]
    )
    matrix, terms = design_matrix(patients, ["age", "sex", "high"], caller="test")
    assert terms == ["age", "sex[Male]", "high"]
    assert matrix.tolist() == [[60, 1, 1], [50, 0, 0], [40, 1, 0]]
    assert design_matrix(patients, [], caller="test")[0].shape == (3, 0)


def test_design_matrix__refuses_what_it_cannot_code():
    patients = _patients(sex=np.array(["M", "M", "M"], dtype=object), age=[1.0, np.nan, 2.0])
    with pytest.raises(InputError, match=r"'sex' is 'M' for all"):
        design_matrix(patients, ["sex"], caller="test")
    with pytest.raises(InputError, match=r"'age' must be known and finite.*p2"):
        design_matrix(patients, ["age"], caller="test")
    with pytest.raises(InputError, match=r"list of different names"):
        design_matrix(patients, "age", caller="test")
    with pytest.raises(InputError, match=r"list of different names"):
        design_matrix(patients, ["age", "age"], caller="test")
