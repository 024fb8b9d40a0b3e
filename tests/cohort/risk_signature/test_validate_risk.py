"""A frozen risk in another cohort: against R, against scikit-survival, and with patients who cannot be used.

``expected/validation.csv`` was made with R 4.2.2 from ``expected/validation_cohort.csv`` (simulated), with survival 3.5-3 (``concordance``
with ``timewt = "n"`` and ``"n/G2"``, ``ymax = 24``; ``coxph``; ``survdiff``; ``survfit(conf.type = "log-log")``, also in the quartiles of
the risk and among those treated at a threshold) and riskRegression 2022.11.28 (``Score(metrics = c("auc", "brier"),
cens.model = "km")``).
Predicted survival is ``exp(-0.05 t exp(risk))``.
"""

from __future__ import annotations

import dask
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from sksurv.metrics import integrated_brier_score
from sksurv.util import Surv

from chemores_dask.cohort.risk_signature.scored_cohort import REASONS
from chemores_dask.cohort.risk_signature.validate_risk import ValidationOptions, validate_risk
from chemores_dask.errors import (
    FewEventsWarning,
    GeneMismatchError,
    InputError,
    MissingGenesWarning,
    MissingVariableError,
    ParameterError,
    TooFewEventsError,
)
from tests.cohort.risk_signature.validation_cohorts import (
    FOLDER,
    HORIZONS,
    OUTCOME,
    cohort,
    signature,
    validated,
)

EXPECTED = pd.read_csv(FOLDER / "validation.csv", skipinitialspace=True)


def test_validate_risk__equals_r():
    found = validated()
    for row in EXPECTED.itertuples():
        values = found[f"validation_{row.quantity}"]
        if "horizon" in values.dims:
            values = values.sel(horizon=row.horizon)
        if "risk_group" in values.dims:
            values = values.isel(risk_group=int(row.group) - 1)
        if "threshold" in values.dims:
            values = values.sel(threshold=row.group)
        assert float(values) == pytest.approx(row.value, rel=1e-9, abs=1e-14), row
    assert len(EXPECTED) > 60


def test_validate_risk__equals_scikit_survival_over_time():
    patients = cohort()
    patients["months"] = patients["months"] + 0.001 * np.arange(160)  # no time is shared
    found = validated(patients)
    outcome = Surv.from_arrays(patients["event"].values == 1, patients["months"].values)
    times = found["time"].values
    predicted = np.exp(-0.05 * np.floor(times) * np.exp(patients["risk"].values)[:, None])
    expected = integrated_brier_score(outcome, outcome, predicted, times)
    curve = found["validation_curve_brier"].values
    assert np.trapezoid(curve, times) / np.ptp(times) == pytest.approx(expected, rel=1e-12)
    whole = np.trapezoid([0, *curve], [0, *times]) / times[-1]
    assert float(found["validation_integrated_brier"]) == pytest.approx(whole, rel=1e-12)


def test_validate_risk__counts_everybody_who_is_left_out():
    patients = cohort()
    patients["expression"][0] = np.nan
    patients["expression"][1, 0] = np.nan
    patients["months"][2] = np.nan
    patients = patients.assign(event=patients["event"].astype(float))
    patients["event"][[3, 0]] = np.nan
    two = signature((1.0, 0.2))
    landmark = ValidationOptions(draws=5, points=5, landmark=3.0)
    found = validated(patients, signature=two, options=landmark)
    flow = dict(zip(REASONS, found["validation_flow_patients"].values.tolist(), strict=True))
    rest = patients.isel(patient=slice(4, None))
    early = rest["months"].values <= 3
    died = rest["event"].values == 1
    assert flow == {
        "in the cohort": 160,
        "without any expression": 1,
        "with too little of the signature measured": 1,
        "without a risk": 0,
        "without a known outcome": 2,
        "with an event by the landmark": int((early & died).sum()),
        "censored by the landmark": int((early & ~died).sum()),
        "used": int((~early).sum()),
    }
    assert sum(list(flow.values())[1:]) == flow["in the cohort"]
    assert int(found["validation_patients"]) == flow["used"] == found.sizes["patient"]
    assert found["validation_flow_events"].values[-1] == found["validation_events"] == (died & ~early).sum()


def test_validate_risk__predicts_from_the_landmark_on():
    found = validated(options=ValidationOptions(draws=5, points=5, landmark=5.0))
    risk = found["validation_risk"].values
    expected = np.exp(-0.05 * (12 - 5) * np.exp(risk)).mean()
    assert float(found["validation_predicted_survival"].sel(horizon=12)) == pytest.approx(expected)
    assert found["time"].values[0] == pytest.approx(5 + (24 - 5) / 5)


def test_validate_risk__takes_a_risk_instead_of_a_signature():
    whole = validated()
    options = ValidationOptions(draws=20, points=10, high="high")
    found = validated(signature=None, risk="risk", options=options)
    for name in ("concordance", "uno_concordance_upper", "curve_auc_lower", "high_hazard_ratio", "hazard_ratio"):
        xr.testing.assert_allclose(found[f"validation_{name}"], whole[f"validation_{name}"], rtol=1e-12)
    for name in ("brier", "net_benefit", "slope_p_value", "group_observed"):
        assert f"validation_{name}" not in found
    bare = validated(signature=None, risk="risk")
    assert "validation_high" not in bare
    assert bare.attrs["cutoff_origin"] == ""


def test_validate_risk__without_a_baseline_predicts_nothing():
    found = validated(signature=signature(baseline=False))
    assert "validation_brier" not in found
    assert "validation_slope_p_value" in found


def test_validate_risk__does_not_depend_on_order_blocks_or_workers():
    patients = cohort()
    first = validated(patients)
    again = validated(patients.isel(patient=np.random.default_rng(1).permutation(160)))
    xr.testing.assert_identical(first, again)
    with dask.config.set(scheduler="synchronous"):
        xr.testing.assert_identical(first, validated(patients.chunk({"gene": 1})))


def test_validate_risk__draws_belong_to_their_numbers():
    from_few = validated(options=ValidationOptions(draws=60, points=5))
    assert float(from_few["validation_concordance_lower"]) < float(from_few["validation_concordance"])
    other = validate_risk(
        cohort(),
        signature=signature(),
        **OUTCOME,
        horizons=HORIZONS,
        options=ValidationOptions(draws=60, points=5),
        seed=4,
    )
    assert float(other["validation_concordance_lower"]) != float(from_few["validation_concordance_lower"])
    assert float(other["validation_concordance"]) == float(from_few["validation_concordance"])


def test_validate_risk__limits_cover_the_truth():
    generator = np.random.default_rng(8)
    hits, repeats, n = 0, 60, 80
    for _ in range(repeats):
        risk = generator.normal(size=n)
        time, censored = generator.exponential(10, n), generator.uniform(2, 30, n)
        patients = xr.Dataset(
            {
                "months": ("patient", np.minimum(time, censored)),
                "event": ("patient", time <= censored),
                "risk": ("patient", risk),
            }
        )
        found = validated(
            patients, signature=None, risk="risk", horizons=[5], options=ValidationOptions(draws=100, points=2)
        )
        hits += float(found["validation_concordance_lower"]) <= 0.5 <= float(found["validation_concordance_upper"])
    assert 0.85 <= hits / repeats <= 1.0


def test_validate_risk__leaves_a_perfect_risk_without_a_hazard_ratio():
    patients = cohort()
    patients["risk"] = ("patient", -patients["months"].values)
    patients["event"] = ("patient", np.ones(160, dtype=int))
    found = validated(patients, signature=None, risk="risk")
    assert float(found["validation_concordance"]) == 1
    assert np.isnan(found["validation_hazard_ratio"])
    assert (
        found["validation_cox_status"].attrs["flag_meanings"].split()[int(found["validation_cox_status"])]
        == "separated"
    )


def test_validate_risk__of_a_risk_that_is_the_same_for_all():
    patients = cohort()
    patients["risk"] = ("patient", np.full(160, 2.0))
    found = validated(
        patients, signature=None, risk="risk", options=ValidationOptions(draws=20, points=10, high="high")
    )
    assert float(found["validation_concordance"]) == 0.5
    assert np.isnan(found["validation_hazard_ratio"])
    assert (
        found["validation_cox_status"].attrs["flag_meanings"].split()[int(found["validation_cox_status"])] == "constant"
    )


def test_validate_risk__of_a_cut_off_that_nobody_passes():
    found = validated(signature=signature(cutoff=99.0))
    assert int(found["validation_high_patients"]) == 0
    assert np.isnan(found["validation_high_hazard_ratio"])
    assert np.isnan(found["validation_log_rank_p_value"])


def test_validate_risk__does_not_mind_a_shifted_risk():
    patients = cohort()
    shifted = patients.assign(risk=patients["risk"] + 1e7)
    first, second = (validated(part, signature=None, risk="risk") for part in (patients, shifted))
    for name in ("concordance", "hazard_ratio", "calibration_slope_upper"):
        assert float(second[f"validation_{name}"]) == pytest.approx(float(first[f"validation_{name}"]), rel=1e-7)


def test_validate_risk__tells_that_genes_are_missing():
    two = signature((1.0, 0.1, 0.1, 0.1))
    with pytest.warns(MissingGenesWarning, match="D"):
        found = validated(signature=two)
    assert int(found["validation_patients"]) == 160
    with pytest.raises(GeneMismatchError):
        validated(signature=signature((0.1, 0.1, 0.1, 1.0)))


@pytest.mark.parametrize("horizons", [[], [0], [-1], [45], [6, 60], [np.nan], [np.inf], ["six"]])
def test_validate_risk__refuses_horizons_without_follow_up(horizons):
    with pytest.raises((ParameterError, InputError), match="horizons"):
        validated(horizons=horizons)


def test_validate_risk__refuses_unclear_calls():
    for wrong in ({"signature": None}, {"risk": "risk"}):
        with pytest.raises(ParameterError, match="either a 'signature'"):
            validated(**wrong)
    with pytest.raises(ParameterError, match="cut-off of its own"):
        validated(options=ValidationOptions(high="high"))
    with pytest.raises(MissingVariableError, match="'score'"):
        validated(signature=None, risk="score")
    with pytest.raises(ParameterError, match="boolean"):
        validated(signature=None, risk="risk", options=ValidationOptions(high="months"))
    for name, value in (
        ("standardize", "z"),
        ("landmark", -1),
        ("groups", 1),
        ("points", 1),
        ("draws", 0),
        ("level", 95),
    ):
        with pytest.raises(ParameterError, match=name):
            validated(options=ValidationOptions(**{name: value}))


@pytest.mark.parametrize(
    ("variable", "value", "match"),
    [("months", -1.0, "p003"), ("months", np.inf, "p003"), ("event", 2, "p003"), ("risk", np.inf, "p003")],
)
def test_validate_risk__names_patients_with_impossible_values(variable, value, match):
    patients = cohort()
    values = patients[variable].values.astype(float)
    values[3] = value
    with pytest.raises(InputError, match=match):
        validated(patients.assign({variable: ("patient", values)}), signature=None, risk="risk")


def test_validate_risk__refuses_cohorts_without_events():
    patients = cohort()
    for event in (np.zeros(160), np.where(np.arange(160) == 5, 1.0, 0.0)):
        with pytest.raises(TooFewEventsError, match=r"Found [01] among 160"):
            validated(patients.assign(event=("patient", event)))
    with pytest.raises(TooFewEventsError, match="160 without a known outcome"):
        validated(patients.assign(event=("patient", np.full(160, np.nan))))
    twice = patients.assign_coords(patient=["p1", *patients["patient"].values[:159]])
    with pytest.raises(InputError, match="once"):
        validated(xr.concat([twice, twice.isel(patient=[0])], "patient"))
    with pytest.raises(TooFewEventsError):
        validated(patients.isel(patient=[0]))


def test_validate_risk__warns_of_few_events():
    patients = cohort().isel(patient=slice(0, 12))
    with pytest.warns(FewEventsWarning, match="too few for limits"):
        found = validated(patients, horizons=[3])
    assert "too few" in found.attrs["note"]
