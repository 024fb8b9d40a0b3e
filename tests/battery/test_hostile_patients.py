"""Odd outcomes, odd covariates and odd expression: the right answer, or an error in our own words."""

from __future__ import annotations

import dask.array as da
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from lifelines import CoxPHFitter
from lifelines.statistics import logrank_test

from chemores_dask.cohort.composition.paired_shares import paired_composition
from chemores_dask.cohort.survival.cox_models import cox_model
from chemores_dask.cohort.survival.cox_scan import cox_scan
from chemores_dask.cohort.survival.kaplan_meier import kaplan_meier
from chemores_dask.cohort.survival.log_rank import log_rank
from chemores_dask.cohort.survival.model_residuals import cox_residuals
from chemores_dask.cohort.survival.nelson_aalen import nelson_aalen
from chemores_dask.cohort.survival.proportional_hazards import proportional_hazards
from chemores_dask.cohort.survival.restricted_means import restricted_mean
from chemores_dask.cohort.survival.risk_concordance import concordance
from chemores_dask.errors import ConvergenceWarning, InputError, SmallSampleWarning, TooFewEventsError
from chemores_dask.gene_sets import GeneSet, GeneSets
from chemores_dask.kernels.cox import STATUS_FLAGS
from chemores_dask.scores.mean_zscore import mean_zscore

PATIENTS, GENES = 80, 6
GENERATOR = np.random.default_rng(1)
AGE = GENERATOR.normal(size=PATIENTS)
TIME = np.round(GENERATOR.exponential(np.exp(-0.5 * AGE)), 2) + 0.01
EVENT = GENERATOR.random(PATIENTS) < 0.6
EXPRESSION = GENERATOR.normal(5, 1, size=(PATIENTS, GENES)) + 0.5 * AGE[:, None]
ARM = np.where(np.arange(PATIENTS) % 2, "a", "b")
SETS = GeneSets((GeneSet("stemness", ("g0", "g1", "g2")),))
OUTCOME = {"duration": "time", "event": "event"}


def patients_of(**changed):
    columns = {"time": TIME, "event": EVENT, "age": AGE, "arm": ARM, "expression": EXPRESSION, **changed}
    variables = {
        name: (("patient", "gene") if getattr(value, "ndim", 1) == 2 else ("patient",), value)
        for name, value in columns.items()
    }
    names = [f"patient {number}" for number in range(PATIENTS)]
    return xr.Dataset(variables, coords={"patient": names, "gene": [f"g{number}" for number in range(GENES)]})


def coefficient(patients, name="age"):
    return float(cox_model(patients, **OUTCOME, covariates=[name])["cox_model_coefficient"][0])


def every_analysis(patients):
    return {
        "kaplan_meier": lambda: kaplan_meier(patients, **OUTCOME, group="arm"),
        "log_rank": lambda: log_rank(patients, **OUTCOME, group="arm"),
        "nelson_aalen": lambda: nelson_aalen(patients, **OUTCOME, group="arm"),
        "restricted_mean": lambda: restricted_mean(patients, **OUTCOME, group="arm"),
        "cox_model": lambda: cox_model(patients, **OUTCOME, covariates=["age"]),
        "cox_scan": lambda: cox_scan(patients, **OUTCOME, covariates=["age"]),
        "cox_residuals": lambda: cox_residuals(patients, **OUTCOME, covariates=["age"]),
        "proportional_hazards": lambda: proportional_hazards(patients, **OUTCOME, covariates=["age"]),
        "concordance": lambda: concordance(patients, **OUTCOME, risk="age"),
    }


@pytest.mark.parametrize("factor", [1e300, 1e307, 1e-9, 1e-300])
def test_analyses__refuse_units_of_time_that_spoil_ties(factor):
    for run in every_analysis(patients_of(time=TIME * factor)).values():
        with pytest.raises(InputError, match="another unit"):
            run()


@pytest.mark.parametrize("factor", [1e-3, 1e9])
def test_analyses__do_not_depend_on_the_unit_of_time(factor):
    assert coefficient(patients_of(time=TIME * factor)) == pytest.approx(coefficient(patients_of()), rel=1e-8)


@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan, -1.0])
def test_analyses__name_patients_with_impossible_times(value):
    time = TIME.copy()
    time[3] = value
    for run in every_analysis(patients_of(time=time)).values():
        with pytest.raises(InputError, match="patient 3"):
            run()


def test_analyses__take_minus_zero_for_zero():
    time = TIME.copy()
    time[3] = 0.0
    signed = time.copy()
    signed[3] = -0.0
    for first, second in zip(
        every_analysis(patients_of(time=time)).values(), every_analysis(patients_of(time=signed)).values(), strict=True
    ):
        xr.testing.assert_identical(first(), second())


@pytest.mark.parametrize("time", [0.0, 3.0])
def test_analyses__of_times_that_are_all_the_same(time):
    patients = patients_of(time=np.full(PATIENTS, time))
    table = pd.DataFrame({"time": np.full(PATIENTS, 3.0), "event": EVENT, "age": AGE})
    assert coefficient(patients) == pytest.approx(CoxPHFitter().fit(table, "time", "event").params_["age"], rel=1e-5)
    curve = kaplan_meier(patients, **OUTCOME)
    np.testing.assert_allclose(curve["km_survival"], [[1 - EVENT.mean()]])
    # One time: a comparison of shares by the hypergeometric distribution.
    second = ARM == "a"
    died, n = EVENT.sum(), PATIENTS
    variance = died * (n - died) / (n - 1) * second.mean() * (1 - second.mean())
    expected = (EVENT[second].sum() - died * second.mean()) ** 2 / variance
    assert float(log_rank(patients, **OUTCOME, group="arm")["log_rank_statistic"]) == pytest.approx(expected)


def test_analyses__of_thousands_of_ties():
    n = 4000
    time, event, x = GENERATOR.integers(1, 4, n) * 1.0, GENERATOR.random(n) < 0.7, GENERATOR.normal(size=n)
    arm = np.arange(n) % 2
    patients = xr.Dataset(
        {
            "time": ("patient", time),
            "event": ("patient", event),
            "age": ("patient", x),
            "arm": ("patient", arm),
            "expression": (("patient", "gene"), x[:, None]),
        },
        coords={"gene": ["g0"]},
    )
    table = pd.DataFrame({"time": time, "event": event, "age": x})
    expected = CoxPHFitter().fit(table, "time", "event").params_["age"]
    assert coefficient(patients) == pytest.approx(expected, rel=1e-5)
    assert float(cox_scan(patients, **OUTCOME)["cox_coefficient"][0]) == pytest.approx(expected, rel=1e-5)
    reference = logrank_test(time[arm == 0], time[arm == 1], event[arm == 0], event[arm == 1]).test_statistic
    assert float(log_rank(patients, **OUTCOME, group="arm")["log_rank_statistic"]) == pytest.approx(reference)


def test_analyses__of_one_event():
    one = np.zeros(PATIENTS, dtype=bool)
    one[5] = True
    patients = patients_of(event=one)
    at_risk = TIME[5] <= TIME
    share = (ARM[at_risk] == ARM[5]).mean()
    assert float(log_rank(patients, **OUTCOME, group="arm")["log_rank_statistic"]) == pytest.approx((1 - share) / share)
    assert int(kaplan_meier(patients, **OUTCOME)["km_event_total"][0]) == 1
    for run in (every_analysis(patients)["cox_model"], every_analysis(patients)["cox_scan"]):
        with pytest.raises(TooFewEventsError, match="Found 1"):
            run()


def test_cox_model__of_events_at_the_end_only():
    last = np.zeros(PATIENTS, dtype=bool)
    last[np.argsort(TIME)[-2:]] = True
    with pytest.warns(ConvergenceWarning, match="rises without end"):
        found = cox_model(patients_of(event=last), **OUTCOME, covariates=["age"])
    assert np.isnan(found["cox_model_coefficient"]).all()
    assert set(cox_scan(patients_of(event=last), **OUTCOME)["cox_status"].to_numpy()) == {
        STATUS_FLAGS.index("separated")
    }


@pytest.mark.parametrize(
    "event",
    [
        EVENT.astype(int),
        EVENT.astype(np.float16),
        EVENT.astype(object),
        pd.array(EVENT, dtype="boolean"),
        pd.Categorical(EVENT.astype(int)),
    ],
    ids=["integer", "half", "object", "nullable", "category"],
)
def test_analyses__take_events_of_any_type(event):
    assert coefficient(patients_of(event=event)) == coefficient(patients_of())


@pytest.mark.parametrize(
    ("event", "match"),
    [
        (EVENT.astype(str), "must hold numbers"),
        (EVENT * 2, "0 and 1"),
        (pd.array([pd.NA, *EVENT[1:]], dtype="boolean"), "patient 0"),
    ],
    ids=["text", "two", "missing"],
)
def test_analyses__refuse_other_events(event, match):
    for run in every_analysis(patients_of(event=event)).values():
        with pytest.raises(InputError, match=match):
            run()


@pytest.mark.parametrize(
    "age",
    [AGE.astype(object), pd.array(AGE, dtype="Float64"), AGE.astype(np.longdouble), np.asfortranarray(AGE)],
    ids=["object", "nullable", "extended", "fortran"],
)
def test_cox_model__takes_numbers_of_any_type(age):
    found = cox_model(patients_of(age=age), **OUTCOME, covariates=["age"])
    assert found["term"].to_numpy().tolist() == ["age"]
    assert float(found["cox_model_coefficient"][0]) == pytest.approx(coefficient(patients_of()), rel=1e-9)


def test_cox_model__has_one_term_for_booleans_of_any_type():
    old = AGE > 0
    for values in (old, old.astype(object), pd.array(old, dtype="boolean")):
        found = cox_model(patients_of(old=values), **OUTCOME, covariates=["old"])
        assert found["term"].to_numpy().tolist() == ["old"]


@pytest.mark.parametrize(
    ("age", "match"),
    [
        (np.where(np.arange(PATIENTS) == 3, np.inf, AGE), "patient 3"),
        (pd.array([pd.NA, *AGE[1:]], dtype="Float64"), "patient 0"),
        (pd.array([pd.NA, *ARM[1:]], dtype="string"), "patient 0"),
        (AGE * 1e160, "another unit"),
        (AGE * 1e-160, "another unit"),
        (AGE * 1j, "must hold numbers"),
        (np.full(PATIENTS, 1.5), "Constant|covariates of cox_scan"),
        (np.abs(AGE * 100).astype("timedelta64[s]"), "must hold numbers"),
    ],
)
def test_cox_model__refuses_covariates_without_a_meaning(age, match):
    for run in (every_analysis(patients_of(age=age))[name] for name in ("cox_model", "cox_scan")):
        with pytest.raises(InputError, match=match):
            run()


@pytest.mark.parametrize(
    "arm", [pd.array([pd.NA, *ARM[1:]], dtype="string"), np.where(np.arange(PATIENTS) == 0, "", ARM)]
)
def test_analyses__refuse_patients_without_a_group(arm):
    patients = patients_of(arm=arm)
    for name in ("kaplan_meier", "log_rank", "nelson_aalen", "restricted_mean"):
        with pytest.raises(InputError, match="patient 0"):
            every_analysis(patients)[name]()


def test_analyses__pass_over_categories_that_nobody_has():
    patients = patients_of(arm=pd.Categorical(ARM, categories=["z", "b", "a"]))
    assert kaplan_meier(patients, **OUTCOME, group="arm")["group"].to_numpy().tolist() == ["a", "b"]
    assert int(log_rank(patients, **OUTCOME, group="arm")["log_rank_degrees_of_freedom"]) == 1


def read_only(values):
    values = values.copy()
    values.flags.writeable = False
    return values


@pytest.mark.parametrize(
    ("form", "tolerance"),
    [
        (read_only, 1e-12),
        (np.asfortranarray, 1e-12),
        (lambda values: da.from_array(values, chunks=((0, 40, 40), (0, 3, 0, 3))), 1e-12),
        (lambda values: values.astype(np.longdouble), 1e-12),
        (lambda values: values.astype(np.float32), 1e-4),
        (lambda values: values.astype(np.float16), 3e-2),
    ],
    ids=["read_only", "fortran", "empty_blocks", "extended", "single", "half"],
)
def test_analyses__take_expression_of_any_form(form, tolerance):
    expected, odd = patients_of(), patients_of(expression=form(EXPRESSION))
    first, second = (cox_scan(patients, **OUTCOME)["cox_coefficient"].to_numpy() for patients in (expected, odd))
    np.testing.assert_allclose(second, first, rtol=tolerance, atol=tolerance)
    first, second = (mean_zscore(patients, SETS)["patient_score"].to_numpy() for patients in (expected, odd))
    np.testing.assert_allclose(second, first, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize(
    ("value", "status"), [(np.inf, "infinite"), (-np.inf, "infinite"), (1e300, "infinite"), (-1e300, "infinite")]
)
def test_cox_scan__flags_genes_with_a_value_out_of_range(value, status):
    expression = EXPRESSION.copy()
    expression[3, 0] = value
    for covariates in ([], ["age"]):
        found = cox_scan(patients_of(expression=expression), **OUTCOME, covariates=covariates)
        assert found["cox_status"].to_numpy().tolist() == [STATUS_FLAGS.index(status), 0, 0, 0, 0, 0]
        assert np.isnan(found["cox_p_value"][0])
    with pytest.raises(InputError, match="Not so for: g0"):
        mean_zscore(patients_of(expression=expression), SETS)


@pytest.mark.parametrize("factor", [1e-160, 1e-300, 0.0])
def test_cox_scan__takes_vanishing_expression_for_constant(factor):
    found = cox_scan(patients_of(expression=EXPRESSION * factor), **OUTCOME)
    assert set(found["cox_status"].to_numpy()) == {STATUS_FLAGS.index("constant")}


@pytest.mark.parametrize("dtype", [str, object, complex])
def test_analyses__refuse_expression_that_is_not_of_real_numbers(dtype):
    patients = patients_of(expression=EXPRESSION.astype(dtype))
    for run in (lambda: cox_scan(patients, **OUTCOME), lambda: mean_zscore(patients, SETS)):
        with pytest.raises(InputError, match="real numbers"):
            run()


STAGES = ["diagnosis", "relapse"] * 3
NAMES = ["P 1", "P 1", "P 2", "P 2", "P 3", "P 3"]


def composition(cells, *, patients=NAMES, states=("stem_like", "other")):
    cube = xr.Dataset(
        {"cube_cells": (("sample", "state"), np.asarray(cells))},
        coords={"state": list(states), "patient": ("sample", patients), "stage": ("sample", STAGES)},
    )
    with pytest.warns(SmallSampleWarning):
        return paired_composition(cube, state="stem_like", before="diagnosis", after="relapse")


CELLS = [[1, 9], [5, 5], [2, 8], [6, 6], [3, 3], [9, 1]]


def test_paired_composition__takes_names_with_spaces_and_whole_floats():
    found = composition(np.array(CELLS, dtype=float))
    assert found["patient"].to_numpy().tolist() == ["P 1", "P 2", "P 3"]
    xr.testing.assert_identical(
        found, composition(CELLS, patients=pd.Categorical(NAMES, categories=["P 0", *NAMES[::2]]))
    )


@pytest.mark.parametrize(
    ("cells", "match"),
    [
        ([[1.5, 9], *CELLS[1:]], "whole"),
        ([[np.nan, 9], *CELLS[1:]], "whole"),
        ([[-1, 9], *CELLS[1:]], "negative"),
        ([[1, 0], [5, 0], [2, 0], [6, 0], [3, 0], [9, 0]], "other states"),
    ],
)
def test_paired_composition__refuses_impossible_numbers_of_cells(cells, match):
    cube = xr.Dataset(
        {"cube_cells": (("sample", "state"), np.asarray(cells))},
        coords={"state": ["stem_like", "other"], "patient": ("sample", NAMES), "stage": ("sample", STAGES)},
    )
    with pytest.raises(InputError, match=match):
        paired_composition(cube, state="stem_like", before="diagnosis", after="relapse")


def test_paired_composition__refuses_states_of_the_same_name():
    cube = xr.Dataset(
        {"cube_cells": (("sample", "state"), np.asarray(CELLS))},
        coords={"state": ["stem_like", "stem_like"], "patient": ("sample", NAMES), "stage": ("sample", STAGES)},
    )
    with pytest.raises(InputError, match="different names"):
        paired_composition(cube, state="stem_like", before="diagnosis", after="relapse")
