"""T-cell leukemia (AALL0434) and breast cancer (NKI): clinical and expression tables as they come, against lifelines."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
from lifelines import CoxPHFitter, KaplanMeierFitter
from lifelines.statistics import multivariate_logrank_test

from chemores_dask.cohort.survival.cox_models import cox_model
from chemores_dask.cohort.survival.cox_scan import cox_scan
from chemores_dask.cohort.survival.kaplan_meier import CurveOptions, kaplan_meier
from chemores_dask.cohort.survival.log_rank import log_rank
from chemores_dask.errors import InputError
from chemores_dask.ingest.clinical_tables import ClinicalColumns
from chemores_dask.ingest.patient_cohort import ingest_patients
from chemores_dask.kernels.cox import STATUS_FLAGS
from chemores_dask.store.patients import open_patients

LEUKEMIA = {"duration": "efs.time", "event": "efs.censor"}
WITHOUT_FOLLOW_UP = ["PATCDZ", "PATWNL", "PAUBRD"]
TO_THE_END = {"precision": 1e-18, "r_precision": 1e-16, "step_size": 1.0}
"""Lifelines stops at four to seven digits by itself: its measure of precision is of the order of the squared error."""


def lifelines_cox(table, duration, event):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # on the future of pandas, and on scales
        return CoxPHFitter().fit(table.astype(float), duration, event, fit_options=TO_THE_END)


@pytest.fixture(scope="module")
def store(chemores, cohorts, tmp_path_factory):
    """Two cohorts of leukemia, brought in by the command line."""
    path = tmp_path_factory.mktemp("patients") / "cohort.zarr"
    clinical, expression = cohorts / "GRIN2_TALL_clin.csv.gz", cohorts / "GRIN2_TALL_expr_417x264.csv.gz"
    meaning = ["--duration", "efs.time", "--event", "efs.censor", "--duration", "os.time", "--event", "os.censor"]
    for cohort, required in (("followed", ["--required", "efs.time"]), ("all", [])):
        given = ["--cohort", cohort, "--expression", expression, *meaning, *required]
        assert chemores("ingest-patients", clinical, path, *given) == 0
    meaning = ["--duration", "EFS.time", "--event", "EFS.status", "--required", "EFS.time"]
    given = ["--cohort", "beamr", "--expression", cohorts / "BEAMR_TALL_RNA_20x264.csv.gz", *meaning]
    assert chemores("ingest-patients", cohorts / "BEAMR_TALL_clin.csv.gz", path, *given) == 0
    return path


@pytest.fixture(scope="module")
def leukemia(store):
    return open_patients(store, cohort="followed").load()


@pytest.fixture(scope="module")
def clinical(cohorts):
    table = pd.read_csv(cohorts / "GRIN2_TALL_clin.csv.gz").set_index("ID")
    expression = pd.read_csv(cohorts / "GRIN2_TALL_expr_417x264.csv.gz", index_col=0).set_index("gene")
    return table.loc[[name for name in table.index if name in expression.columns]].dropna(subset=["efs.time"])


@pytest.fixture(scope="module")
def breast(cohorts, tmp_path_factory):
    """One table of R in two: what the clinic knows, and 70 genes. R's row names are the patients, and are numbers."""
    folder = tmp_path_factory.mktemp("breast")
    table = pd.read_csv(cohorts / "nki70_144x77.csv.gz", index_col=0)
    table.iloc[:, :7].to_csv(folder / "clinical.csv")
    table.iloc[:, 7:].to_csv(folder / "expression.csv")
    columns = ClinicalColumns(durations=("time",), events=("event",))
    path = ingest_patients(
        folder / "cohort.zarr",
        cohort="nki",
        clinical=folder / "clinical.csv",
        expression=folder / "expression.csv",
        columns=columns,
    )
    return table, open_patients(path, cohort="nki").load()


def test_ingest_patients__says_who_was_left_out_and_why(chemores, cohorts, capsys, tmp_path):
    given = ["--cohort", "tall", "--expression", cohorts / "GRIN2_TALL_expr_417x264.csv.gz"]
    meaning = ["--duration", "efs.time", "--event", "efs.censor", "--required", "efs.time"]
    assert chemores("ingest-patients", cohorts / "GRIN2_TALL_clin.csv.gz", tmp_path / "s.zarr", *given, *meaning) == 0
    said = capsys.readouterr().out
    assert "Cohort tall: 261 patients, 417 genes\n" in said
    assert "Left out without efs.time: 3 (PATCDZ, PATWNL, PAUBRD)\n" in said
    assert "Left out without expression: 1 (PATGXS)\n" in said


def test_ingest_patients__keeps_tables_of_leukemia(leukemia, clinical, cohorts):
    assert dict(leukemia.sizes) == {"patient": 261, "gene": 417}
    assert leukemia["patient"].to_numpy().tolist() == clinical.index.tolist()
    for name in ("Age_Days", "WBC", "MRD29", "MRD.binary", "os.time", "efs.time"):
        np.testing.assert_array_equal(leukemia[name], clinical[name])
    np.testing.assert_array_equal(leukemia["efs.censor"], clinical["efs.censor"] == 1)
    assert leukemia["Race"].to_numpy().tolist() == clinical["Race"].replace("Unknown", "").tolist()
    table = pd.read_csv(cohorts / "GRIN2_TALL_expr_417x264.csv.gz", index_col=0).set_index("gene")
    np.testing.assert_array_equal(leukemia["expression"], table[clinical.index].T)
    assert leukemia["gene"].to_numpy().tolist() == table.index.tolist()


def test_kaplan_meier__says_how_to_leave_out_patients_without_follow_up(store):
    patients = open_patients(store, cohort="all")
    assert patients.sizes["patient"] == 264
    with pytest.raises(InputError, match=r"3 of 264 patients.*PATCDZ.*dropna.*'efs.time'.*--required efs.time") as told:
        kaplan_meier(patients, **LEUKEMIA)
    assert all(name in str(told.value) for name in WITHOUT_FOLLOW_UP)
    here = kaplan_meier(patients.dropna("patient", subset=["efs.time"]), **LEUKEMIA)
    assert here.identical(kaplan_meier(open_patients(store, cohort="followed"), **LEUKEMIA))


def test_kaplan_meier__equals_lifelines_by_residual_disease(leukemia, clinical):
    found = kaplan_meier(leukemia, **LEUKEMIA, group="MRD.binary", options=CurveOptions(confidence="log-log"))
    assert found["km_patients"].values.tolist() == [192, 69]
    assert found["km_event_total"].values.tolist() == [20, 7]
    for label, rows in clinical.groupby("MRD.binary"):
        fitter = KaplanMeierFitter().fit(rows["efs.time"], rows["efs.censor"])
        ours = found.sel(group=str(label))
        known = np.isfinite(ours["km_survival"].values)
        times = ours["time"].values[known]
        np.testing.assert_allclose(
            ours["km_survival"][known], fitter.survival_function_at_times(times).to_numpy(), rtol=1e-12
        )
        limits = fitter.confidence_interval_.reindex(times, method="ffill").to_numpy()
        started = ours["km_survival"].values[known] < 1
        np.testing.assert_allclose(ours["km_lower"].values[known][started], limits[started, 0], rtol=1e-9)
        np.testing.assert_allclose(ours["km_upper"].values[known][started], limits[started, 1], rtol=1e-9)


def test_log_rank__equals_lifelines_by_residual_disease(leukemia, clinical):
    found = log_rank(leukemia, **LEUKEMIA, group="MRD.binary")
    expected = multivariate_logrank_test(clinical["efs.time"], clinical["MRD.binary"], clinical["efs.censor"])
    assert float(found["log_rank_statistic"]) == pytest.approx(expected.test_statistic, rel=1e-9)
    assert float(found["log_rank_p_value"]) == pytest.approx(expected.p_value, rel=1e-9)
    # P is 0.98: residual disease was treated harder, and the groups fare alike.
    assert float(found["log_rank_p_value"]) > 0.9


def test_log_rank__refuses_a_group_of_patients_whose_group_is_unknown(leukemia):
    with pytest.raises(InputError, match=r"'Race' must be known for every patient.*--required Race"):
        log_rank(leukemia, **LEUKEMIA, group="Race")


def test_cox_model__equals_lifelines_on_leukemia(leukemia, clinical):
    found = cox_model(leukemia, **LEUKEMIA, covariates=["MRD29", "WBC", "Age_Days", "Sex"])
    assert found["term"].values.tolist() == ["MRD29", "WBC", "Age_Days", "Sex[Male]"]
    table = clinical[["MRD29", "WBC", "Age_Days"]].assign(male=clinical["Sex"] == "Male")
    fitter = lifelines_cox(table.join(clinical[["efs.time", "efs.censor"]]), "efs.time", "efs.censor")
    np.testing.assert_allclose(found["cox_model_coefficient"], fitter.params_, rtol=1e-8)
    np.testing.assert_allclose(found["cox_model_standard_error"], fitter.standard_errors_, rtol=1e-8)
    np.testing.assert_allclose(found["cox_model_p_value"], fitter.summary["p"], rtol=1e-7)
    assert float(found["cox_model_log_likelihood"]) == pytest.approx(fitter.log_likelihood_, rel=1e-12)
    assert float(found["cox_model_concordance"]) == pytest.approx(fitter.concordance_index_, abs=1e-12)


def test_cox_scan__equals_lifelines_for_every_gene(leukemia):
    found = cox_scan(leukemia, **LEUKEMIA)
    assert (found["cox_patients"] == 261).all()
    assert (found["cox_events"] == 27).all()
    flags = np.array(STATUS_FLAGS)[found["cox_status"].values]
    table = pd.DataFrame({"time": leukemia["efs.time"].values, "event": leukemia["efs.censor"].values})
    expression = leukemia["expression"].transpose("gene", "patient").values
    # One gene: none of the 41 patients in whom it is expressed at all had an event.
    (separated,) = np.flatnonzero(flags != "ok")
    assert flags[separated] == "separated"
    expressed = expression[separated] > 0
    assert (int(expressed.sum()), int((expressed & table["event"]).sum())) == (41, 0)
    assert np.isnan(found["cox_coefficient"][separated])
    assert float(found["cox_likelihood_ratio_p_value"][separated]) == pytest.approx(0.00204, abs=1e-5)
    for gene in np.flatnonzero(flags == "ok")[::20]:
        fitter = lifelines_cox(table.assign(gene=expression[gene]), "time", "event")
        ours = found.isel(gene=gene)
        assert float(ours["cox_coefficient"]) == pytest.approx(fitter.params_["gene"], rel=1e-7, abs=1e-9)
        assert float(ours["cox_standard_error"]) == pytest.approx(fitter.standard_errors_["gene"], rel=1e-7)
        assert float(ours["cox_p_value"]) == pytest.approx(fitter.summary.loc["gene", "p"], rel=1e-6)
        assert float(ours["cox_log_likelihood"]) == pytest.approx(fitter.log_likelihood_, rel=1e-12)


def test_cox_scan__agrees_with_cox_model_beside_covariates(leukemia):
    gene = leukemia["gene"].values[10]
    alone = leukemia.assign(gene_value=leukemia["expression"].sel(gene=gene, drop=True))
    model = cox_model(alone, **LEUKEMIA, covariates=["gene_value", "MRD29", "WBC"])
    scanned = cox_scan(leukemia, **LEUKEMIA, covariates=["MRD29", "WBC"]).sel(gene=gene)
    assert float(scanned["cox_coefficient"]) == pytest.approx(float(model["cox_model_coefficient"][0]), rel=1e-9)
    assert float(scanned["cox_standard_error"]) == pytest.approx(float(model["cox_model_standard_error"][0]), rel=1e-9)


def test_ingest_patients__brings_both_leukemia_tables_of_the_same_patients(store, leukemia):
    other = open_patients(store, cohort="beamr")
    assert set(other["patient"].values) == set(leukemia["patient"].values)
    assert other.sizes["gene"] == 20
    assert int(other["EFS.status"].sum()) == int(leukemia["efs.censor"].sum())
    # Days here, years there.
    years = other["EFS.time"].sel(patient=leukemia["patient"]).values / 365.25
    np.testing.assert_allclose(years, leukemia["efs.time"], atol=0.01)


def test_analyses__equal_lifelines_on_breast_cancer(breast):
    table, patients = breast
    assert dict(patients.sizes) == {"patient": 144, "gene": 70}
    assert patients["patient"].values.tolist() == [str(name) for name in table.index]
    np.testing.assert_array_equal(patients["expression"], table.iloc[:, 7:])
    outcome = {"duration": "time", "event": "event"}
    test = log_rank(patients, **outcome, group="ER")
    expected = multivariate_logrank_test(table["time"], table["ER"], table["event"])
    assert float(test["log_rank_statistic"]) == pytest.approx(expected.test_statistic, rel=1e-9)
    model = cox_model(patients, **outcome, covariates=["Age", "ER"])
    numbers = table[["time", "event", "Age"]].assign(er=table["ER"] == "Positive")
    fitter = lifelines_cox(numbers, "time", "event")
    np.testing.assert_allclose(model["cox_model_coefficient"], fitter.params_, rtol=1e-8)
    scan = cox_scan(patients, **outcome)
    assert (scan["cox_status"] == 0).all()
    for gene in ("TSPYL5", "NUSAP1", "DIAPH3"):
        fitter = lifelines_cox(table[["time", "event", gene]], "time", "event")
        assert float(scan["cox_coefficient"].sel(gene=gene)) == pytest.approx(fitter.params_[gene], rel=1e-7)
        assert float(scan["cox_p_value"].sel(gene=gene)) == pytest.approx(fitter.summary.loc[gene, "p"], rel=1e-6)
