"""The Cox scan against R, cox_model and itself in other blocks."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from lifelines import CoxPHFitter

from chemores_dask.cohort.survival.cox_models import cox_model
from chemores_dask.cohort.survival.cox_scan import RESULT, cox_scan
from chemores_dask.errors import InputError, MissingVariableError, ParameterError, TooFewEventsError
from chemores_dask.kernels.cox import STATUS_FLAGS
from chemores_dask.metering import TASKS, snapshot
from chemores_dask.results_spec import check_result

OK, CONSTANT, SEPARATED, _, COLLINEAR, TOO_FEW, INFINITE = range(len(STATUS_FLAGS))
OPTIONS = {"duration": "months", "event": "died"}


def _patients(patients=60, genes=7, seed=1):
    rng = np.random.default_rng(seed)
    columns = {
        "months": ("patient", rng.integers(1, 30, patients).astype(float)),
        "died": ("patient", rng.random(patients) < 0.6),
        "age": ("patient", rng.normal(60, 9, patients)),
        "expression": (("patient", "gene"), rng.normal(size=(patients, genes))),
    }
    return xr.Dataset(columns, coords={"gene": [f"G{g}" for g in range(genes)]})


@pytest.fixture(scope="module")
def published(reference_folder):
    folder = reference_folder / "reference" / "survival"
    expression = pd.read_csv(folder / "scan_expression.csv.gz", index_col=0)
    clinical = pd.read_csv(folder / "scan_clinical.csv", index_col=0).loc[expression.index]
    patients = xr.Dataset({name: ("patient", clinical[name].to_numpy()) for name in clinical})
    patients["expression"] = (("patient", "gene"), expression.to_numpy())
    return patients.assign_coords(gene=expression.columns.to_numpy(), patient=expression.index.to_numpy())


@pytest.mark.parametrize(("model", "covariates"), [("uni", ()), ("adj", ("age", "stage", "sex"))])
def test_cox_scan__equals_r(published, reference_folder, model, covariates):
    path = reference_folder / "reference" / "survival" / f"scan_{model}_efron.csv.gz"
    expected = pd.read_csv(path, index_col=0)
    result = cox_scan(published, duration="time", event="event", covariates=covariates)
    check_result(RESULT, result)
    status = result["cox_status"].values
    fitted = expected["coef"].notna().to_numpy()
    warned = expected["warned"].to_numpy()
    np.testing.assert_array_equal(status == OK, fitted & ~warned)
    np.testing.assert_array_equal(status == CONSTANT, ~fitted)
    np.testing.assert_array_equal(status == SEPARATED, warned)
    fine = status == OK
    for name, column in (("coefficient", "coef"), ("standard_error", "se"), ("p_value", "p")):
        np.testing.assert_allclose(result[f"cox_{name}"].values[fine], expected[column][fine], rtol=1e-6)
    np.testing.assert_allclose(
        result["cox_log_likelihood"].values[fitted], expected["loglik"][fitted], rtol=0, atol=1e-8
    )
    if not covariates:
        ratio = result["cox_likelihood_ratio_p_value"].values
        np.testing.assert_allclose(ratio[fitted], expected["lr_p"][fitted], rtol=1e-6)


def test_cox_scan__equals_the_model_of_one_gene():
    patients = _patients()
    scan = cox_scan(patients, **OPTIONS, covariates=["age"]).isel(gene=3)
    patients["gene3"] = patients["expression"][:, 3]
    full = cox_model(patients, **OPTIONS, covariates=["age", "gene3"])
    alone = cox_model(patients, **OPTIONS, covariates=["age"])
    assert float(scan["cox_coefficient"]) == pytest.approx(float(full["cox_model_coefficient"][1]), rel=1e-9)
    assert float(scan["cox_p_value"]) == pytest.approx(float(full["cox_model_p_value"][1]), rel=1e-8)
    assert float(scan["cox_hazard_ratio_upper"]) == pytest.approx(
        float(full["cox_model_hazard_ratio_upper"][1]), rel=1e-8
    )
    gain = 2 * float(full["cox_model_log_likelihood"] - alone["cox_model_log_likelihood"])
    assert gain == pytest.approx(2 * float(scan["cox_log_likelihood"] - alone["cox_model_log_likelihood"]), rel=1e-9)


def test_cox_scan__equals_lifelines_on_the_leukemia_table(leukemia_expression):
    result = cox_scan(leukemia_expression, duration="efs.time", event="efs.censor")
    assert result.sizes["gene"] == 417
    assert (result["cox_status"].values == OK).mean() > 0.95
    for gene in result["gene"].values[[0, 100, 416]]:
        chosen = leukemia_expression.sel(gene=gene)
        table = chosen[["efs.time", "efs.censor", "expression"]].to_dataframe()[
            ["efs.time", "efs.censor", "expression"]
        ]
        fitter = CoxPHFitter().fit(table, "efs.time", "efs.censor")
        assert float(result["cox_coefficient"].sel(gene=gene)) == pytest.approx(fitter.params_.item(), rel=1e-4)
        assert float(result["cox_standard_error"].sel(gene=gene)) == pytest.approx(
            fitter.standard_errors_.item(), rel=1e-4
        )


@pytest.mark.parametrize("chunks", [1, 2, 7])
def test_cox_scan__has_the_same_bits_in_any_blocks(chunks):
    patients = _patients()
    whole = cox_scan(patients, **OPTIONS)
    xr.testing.assert_identical(whole, cox_scan(patients.chunk({"gene": chunks, "patient": 20}), **OPTIONS))
    xr.testing.assert_identical(whole, cox_scan(patients.transpose("gene", "patient"), **OPTIONS))


def test_cox_scan__fits_every_block_once():
    calls = []

    def load(block):
        calls.append(block.shape)
        return block

    patients = _patients().chunk({"gene": 2, "patient": -1})
    patients["expression"] = patients["expression"].copy(data=patients["expression"].data.map_blocks(load, dtype=float))
    calls.clear()
    before = snapshot().get(TASKS, 0)
    cox_scan(patients, **OPTIONS)
    assert len(calls) == 4
    assert snapshot()[TASKS] > before


def test_cox_scan__uses_the_patients_whose_value_is_known():
    patients = _patients()
    patients["expression"][{"patient": [2, 9], "gene": 1}] = np.nan
    result = cox_scan(patients, **OPTIONS)
    kept = patients.isel(patient=[i for i in range(60) if i not in {2, 9}])
    expected = cox_scan(kept, **OPTIONS)
    assert result["cox_patients"].values.tolist() == [60, 58, 60, 60, 60, 60, 60]
    assert int(result["cox_events"][1]) == int(kept["died"].sum())
    assert float(result["cox_coefficient"][1]) == pytest.approx(float(expected["cox_coefficient"][1]), rel=1e-12)


def test_cox_scan__never_raises_for_a_gene():
    patients = _patients()
    patients["expression"][:, 0] = 4.0
    patients["expression"][3, 1] = np.inf
    patients["expression"][:, 2] = np.nan
    patients["expression"][:, 3] = patients["age"] * 2
    patients["expression"][:, 4] = patients["months"] == patients["months"].max()
    patients["died"] = patients["died"] & (patients["months"] < patients["months"].max())
    result = cox_scan(patients, **OPTIONS, covariates=["age"])
    assert result["cox_status"].values.tolist() == [CONSTANT, INFINITE, TOO_FEW, COLLINEAR, SEPARATED, OK, OK]
    for name in ("coefficient", "standard_error", "hazard_ratio", "p_value", "q_value"):
        assert np.isnan(result[f"cox_{name}"].values).tolist() == [True] * 5 + [False] * 2
    assert 0 < float(result["cox_likelihood_ratio_p_value"][4]) < 1
    assert (result["cox_q_value"] >= result["cox_p_value"]).values[5:].all()


def test_cox_scan__has_uniform_p_values_when_nothing_matters():
    p_values = cox_scan(_patients(patients=100, genes=400, seed=8), **OPTIONS)["cox_p_value"].values
    assert 0.02 < (p_values < 0.05).mean() < 0.09
    assert 0.44 < p_values.mean() < 0.56


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"expression": "tpm"}, MissingVariableError, "'tpm'.*absent.*expression"),
        ({"duration": "os_month"}, MissingVariableError, "'os_month'"),
        ({"event": "nobody"}, TooFewEventsError, "at least 2 events with 0 covariates. Found 0"),
        ({"covariates": ["one"]}, InputError, "covariates of cox_scan must give a model of their own. That of one"),
        ({"covariates": ["age", "older"]}, InputError, "age, older is collinear"),
        ({"max_iterations": 0}, ParameterError, "'max_iterations'"),
    ],
)
def test_cox_scan__says_what_cannot_be_scanned(options, error, words):
    patients = _patients()
    patients = patients.assign(
        nobody=("patient", np.zeros(60)), one=("patient", np.ones(60)), older=patients["age"] + 1
    )
    with pytest.raises(error, match=words):
        cox_scan(patients, **{**OPTIONS, **options})


def test_cox_scan__takes_no_genes_and_refuses_one_patient():
    assert cox_scan(_patients(genes=0), **OPTIONS).sizes["gene"] == 0
    with pytest.raises(TooFewEventsError):
        cox_scan(_patients().isel(patient=[0]), **OPTIONS)
