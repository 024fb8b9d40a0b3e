"""The Cox scan against R, cox_model, lifelines and itself in other blocks; hopeless genes, and the level of its tests."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from lifelines import CoxPHFitter
from scipy.special import chdtrc

from chemores_dask.cohort.survival import cox_scan as cox_scans
from chemores_dask.cohort.survival.cox_models import cox_model
from chemores_dask.cohort.survival.cox_options import ModelOptions, ScanOptions
from chemores_dask.cohort.survival.cox_scan import RESULT, cox_scan
from chemores_dask.errors import InputError, MissingVariableError, TooFewEventsError
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
    columns["start"] = ("patient", np.minimum(rng.integers(0, 9, patients), columns["months"][1] - 1).astype(float))
    columns["site"] = ("patient", np.array(["a", "b", "c"])[rng.integers(0, 3, patients)])
    columns["arm"] = ("patient", np.array(["new", "old"])[::-1][rng.integers(0, 2, patients)])
    columns["w"] = ("patient", rng.uniform(0.5, 2, patients).round(2))
    return xr.Dataset(columns, coords={"gene": [f"G{g}" for g in range(genes)]})


@pytest.fixture(scope="module")
def published(reference_folder):
    folder = reference_folder / "reference" / "survival"
    expression = pd.read_csv(folder / "scan_expression.csv.gz", index_col=0)
    clinical = pd.read_csv(folder / "scan_clinical.csv", index_col=0).loc[expression.index]
    patients = xr.Dataset({name: ("patient", clinical[name].to_numpy()) for name in clinical})
    patients["expression"] = (("patient", "gene"), expression.to_numpy())
    return patients.assign_coords(gene=expression.columns.to_numpy(), patient=expression.index.to_numpy())


PUBLISHED = {
    "uni_efron": {},
    "uni_breslow": {"options": ScanOptions(ties="breslow")},
    "adj_efron": {"covariates": ("age", "stage", "sex")},
    "strat_efron": {"strata": "cohort"},
    "startstop_efron": {"entry": "start"},
    "weighted_efron": {"options": ScanOptions(weights="w")},
    "robust_cluster_breslow": {"options": ScanOptions(ties="breslow", cluster="cohort")},
}


@pytest.mark.parametrize("model", PUBLISHED)
def test_cox_scan__equals_r(published, reference_folder, model):
    path = reference_folder / "reference" / "survival" / f"scan_{model}.csv.gz"
    expected = pd.read_csv(path, index_col=0)
    chosen = published.sel(gene=expected.index.to_numpy())
    result = cox_scan(chosen, duration="time", event="event", **PUBLISHED[model])
    check_result(RESULT, result)
    status = result["cox_status"].values
    fitted = expected["coef"].notna().to_numpy()
    warned = expected["warned"].to_numpy()
    np.testing.assert_array_equal(status == OK, fitted & ~warned)
    np.testing.assert_array_equal(status == CONSTANT, ~fitted)
    np.testing.assert_array_equal(status == SEPARATED, warned)
    fine = status == OK
    robust = "cox_robust_standard_error" in result
    assert robust == model.startswith(("weighted", "robust"))
    error = "robust_standard_error" if robust else "standard_error"
    for name, column in (("coefficient", "coef"), (error, "se"), ("z", "z"), ("p_value", "p")):
        np.testing.assert_allclose(result[f"cox_{name}"].values[fine], expected[column][fine], rtol=1e-6)
    np.testing.assert_allclose(
        result["cox_log_likelihood"].values[fitted], expected["loglik"][fitted], rtol=0, atol=1e-8
    )
    if model != "adj_efron":
        # There R tests the covariates, too; the scan tests the gene beside them.
        ratio, score = (result[f"cox_{name}_p_value"].values[fitted] for name in ("likelihood_ratio", "score"))
        np.testing.assert_allclose(ratio, expected["lr_p"][fitted], rtol=1e-6)
        np.testing.assert_allclose(score, chdtrc(1, expected["score_test"][fitted]), rtol=1e-6)
    firth = result["cox_firth_coefficient"].values
    np.testing.assert_array_equal(np.isfinite(firth), warned)
    assert (np.sign(firth[warned]) == np.sign(expected["coef"][warned])).all()


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"strata": "site"},
        {"entry": "start"},
        {"strata": "site", "entry": "start"},
        {"weights": "w"},
        {"cluster": "site"},
    ],
)
@pytest.mark.parametrize("ties", ["efron", "breslow"])
def test_cox_scan__equals_the_model_of_one_gene(options, ties):
    patients = _patients()
    patients["expression"] = patients["expression"].drop_vars("gene")
    settings = {name: options[name] for name in ("weights", "cluster") if name in options}
    flat = {name: options[name] for name in ("strata", "entry") if name in options}
    scan = cox_scan(patients, **OPTIONS, **flat, covariates=["age"], options=ScanOptions(ties=ties, **settings)).isel(
        gene=3
    )
    one = xr.Dataset({name: patients[name] for name in ("months", "died", "age", "start", "site", "w")})
    one["gene3"] = ("patient", patients["expression"].values[:, 3])
    full, alone = (
        cox_model(one, **OPTIONS, **flat, covariates=names, options=ModelOptions(ties=ties, **settings))
        for names in (["age", "gene3"], ["age"])
    )
    names = ["coefficient", "standard_error", "z", "p_value", "hazard_ratio_lower", "hazard_ratio_upper"]
    names += ["robust_standard_error"] if settings else []
    for name in names:
        assert float(scan[f"cox_{name}"]) == pytest.approx(float(full[f"cox_model_{name}"][1]), rel=1e-8)
    gain = 2 * float(full["cox_model_log_likelihood"] - alone["cox_model_log_likelihood"])
    assert float(scan["cox_likelihood_ratio_p_value"]) == pytest.approx(chdtrc(1, gain), rel=1e-8)


@pytest.mark.parametrize("covariates", [[], ["age"]])
def test_cox_scan__gives_the_interaction_with_a_treatment(covariates):
    patients = _patients(patients=90)
    result = cox_scan(patients, **OPTIONS, covariates=covariates, options=ScanOptions(interaction="arm"))
    check_result(RESULT, result)
    assert result.attrs["treatment"] == "arm[old]"
    one = patients[["months", "died", "age"]].drop_vars("gene", errors="ignore")
    one["old"] = patients["arm"] == "old"
    one["g"] = ("patient", patients["expression"].values[:, 2])
    one["both"] = one["g"] * one["old"]
    full = cox_model(one, **OPTIONS, covariates=[*covariates, "old", "g", "both"])
    without = cox_model(one, **OPTIONS, covariates=[*covariates, "old", "g"])
    neither = cox_model(one, **OPTIONS, covariates=[*covariates, "old"])
    gene = result.isel(gene=2)
    for prefix, term in (("cox", "g"), ("cox_interaction", "both")):
        for name in ("coefficient", "standard_error", "p_value"):
            expected = float(full[f"cox_model_{name}"].sel(term=term))
            assert float(gene[f"{prefix}_{name}"]) == pytest.approx(expected, rel=1e-7)
    most, less, least = (float(model["cox_model_log_likelihood"]) for model in (full, without, neither))
    assert float(gene["cox_interaction_likelihood_ratio_p_value"]) == pytest.approx(
        chdtrc(1, 2 * (most - less)), rel=1e-8
    )
    assert float(gene["cox_likelihood_ratio_p_value"]) == pytest.approx(chdtrc(2, 2 * (most - least)), rel=1e-8)
    assert (result["cox_interaction_q_value"] >= result["cox_interaction_p_value"]).all()


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


def test_cox_scan__gives_no_robust_error_for_genes_known_in_few_clusters():
    patients = _patients()
    patients["expression"][{"patient": patients["site"].values != "a", "gene": 1}] = np.nan
    result = cox_scan(patients, **OPTIONS, options=ScanOptions(cluster="site"))
    assert np.isnan(result["cox_p_value"].values).tolist() == [False, True, False, False, False, False, False]
    assert np.isfinite(result["cox_standard_error"].values).all()


@pytest.mark.parametrize("settings", [{}, {"entry": "start"}, {"covariates": ["age"]}])
def test_cox_scan__does_not_care_for_shifts_of_ten_million(settings):
    patients = _patients()
    far = patients.assign(expression=patients["expression"] + 1e7, age=patients["age"] + 1e7)
    plain, shifted = cox_scan(patients, **OPTIONS, **settings), cox_scan(far, **OPTIONS, **settings)
    for name in ("cox_coefficient", "cox_standard_error", "cox_p_value", "cox_score_p_value"):
        np.testing.assert_allclose(shifted[name], plain[name], rtol=1e-6)


def test_cox_scan__takes_what_comes_read_only_from_another_process(monkeypatch):
    # As on workers of a cluster, where arrays are views of messages.
    patients = _patients()
    expected = cox_scan(patients, **OPTIONS)

    def received(value):
        if not isinstance(value, np.ndarray):
            return value
        held = value.copy()
        held.flags.writeable = False
        return held

    def scan(matrix, model):
        risk = type(model.risk)(*map(received, model.risk))
        return work(
            received(matrix), type(model)(*(risk if value is model.risk else received(value) for value in model))
        )

    work = cox_scans._scan
    monkeypatch.setattr(cox_scans, "_scan", scan)
    xr.testing.assert_identical(cox_scan(patients, **OPTIONS), expected)


def test_cox_scan__takes_types_of_small_numbers():
    patients = _patients()
    patients["expression"] = (patients["expression"] * 3).round()
    whole = cox_scan(patients, **OPTIONS)
    for kind in ("float32", "int16", "int64"):
        xr.testing.assert_equal(
            whole, cox_scan(patients.assign(expression=patients["expression"].astype(kind)), **OPTIONS)
        )


def test_cox_scan__gives_statuses_where_nobody_is_at_risk_with_others():
    # Everybody enters when the one before has gone: no risk set has two patients.
    order = np.arange(60.0)
    patients = _patients().assign(months=("patient", order + 1), start=("patient", order))
    result = cox_scan(patients, **OPTIONS, entry="start")
    assert (result["cox_status"].values == CONSTANT).all()
    with pytest.raises(InputError, match="That of age is collinear"):
        cox_scan(patients, **OPTIONS, entry="start", covariates=["age"])
    every = _patients().assign(own=("patient", np.arange(60)))
    assert (cox_scan(every, **OPTIONS, strata="own")["cox_status"].values == CONSTANT).all()


def test_cox_scan__takes_deaths_all_at_once():
    # Everybody dies at the same time: with Efron's ties something is left to say, with Breslow's too.
    patients = _patients().assign(months=("patient", np.ones(60)), died=("patient", np.ones(60)))
    for ties in ("efron", "breslow"):
        result = cox_scan(patients, **OPTIONS, options=ScanOptions(ties=ties))
        assert set(result["cox_status"].values.tolist()) <= {OK, SEPARATED}
        assert np.abs(result["cox_coefficient"].values).max() < 1e-8
        np.testing.assert_allclose(result["cox_p_value"], 1.0)


@pytest.mark.parametrize(
    "settings",
    [{}, {"strata": "site", "entry": "start", "covariates": ["age"]}, {"options": ScanOptions(interaction="arm")}],
)
def test_cox_scan__keeps_its_level_when_nothing_matters(settings):
    # 2,000 genes: the share below 0.05 has a standard error of 0.005.
    result = cox_scan(_patients(patients=150, genes=2000, seed=8), **OPTIONS, **settings)
    names = [name for name in result if str(name).endswith("p_value") and "firth" not in str(name)]
    assert len(names) == (5 if "options" in settings else 3)
    for name in names:
        p_values = result[name].values
        assert 0.03 < (p_values < 0.05).mean() < 0.07, name
        assert 0.47 < p_values.mean() < 0.53, name


def test_cox_scan__needs_clusters_where_patients_come_in_copies():
    # Every patient stands there three times: only robust errors know that this is no new evidence.
    once = _patients(patients=100, genes=1000, seed=3)
    thrice = once.isel(patient=np.repeat(np.arange(100), 3)).assign(person=("patient", np.repeat(np.arange(100), 3)))
    naive = cox_scan(thrice, **OPTIONS)["cox_p_value"].values
    robust = cox_scan(thrice, **OPTIONS, options=ScanOptions(cluster="person"))["cox_p_value"].values
    assert (naive < 0.05).mean() > 0.2
    assert 0.03 < (robust < 0.05).mean() < 0.085


def test_cox_scan__takes_whole_weights_for_copies():
    once = _patients(patients=50)
    times = np.arange(50) % 3 + 1
    weighted = cox_scan(once.assign(w=("patient", times)), **OPTIONS, options=ScanOptions(weights="w", ties="breslow"))
    copied = cox_scan(
        once.isel(patient=np.repeat(np.arange(50), times)), **OPTIONS, options=ScanOptions(ties="breslow")
    )
    for name in ("cox_coefficient", "cox_standard_error", "cox_likelihood_ratio_p_value", "cox_score_p_value"):
        np.testing.assert_allclose(weighted[name], copied[name], rtol=1e-9)
    assert "cox_robust_standard_error" not in weighted


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"expression": "tpm"}, MissingVariableError, "'tpm'.*absent.*expression"),
        ({"duration": "os_month"}, MissingVariableError, "'os_month'"),
        ({"event": "nobody"}, TooFewEventsError, "at least 2 events with 0 coefficients beside the gene's. Found 0"),
        ({"covariates": ["one"]}, InputError, "covariates of cox_scan must give a model of their own. That of one"),
        ({"covariates": ["age", "older"]}, InputError, "age, older is collinear"),
        ({"options": ScanOptions(weights="age_below")}, InputError, "'age_below' must be above 0"),
        ({"options": ScanOptions(interaction="site")}, InputError, "must name one treatment.*'site' gives the terms"),
        ({"options": ScanOptions(interaction="arm"), "covariates": ["arm"]}, InputError, "no covariate"),
        ({"options": ScanOptions(interaction="one")}, InputError, "That of one is"),
        (
            {"options": ScanOptions(cluster="one")},
            InputError,
            "more clusters than coefficients.*'one' has 1 clusters, for 1",
        ),
        (
            {"options": ScanOptions(cluster="site"), "covariates": ["age", "w"]},
            InputError,
            "'site' has 3 clusters, for 3 coefficients",
        ),
        ({"options": ScanOptions(cluster="hospital")}, MissingVariableError, "'hospital'"),
        ({"entry": "months"}, InputError, "'months' must lie before 'months'"),
    ],
)
def test_cox_scan__says_what_cannot_be_scanned(options, error, words):
    patients = _patients()
    patients = patients.assign(
        nobody=("patient", np.zeros(60)),
        one=("patient", np.ones(60)),
        older=patients["age"] + 1,
        age_below=patients["age"] - 60,
    )
    with pytest.raises(error, match=words):
        cox_scan(patients, **{**OPTIONS, **options})


def test_cox_scan__takes_no_genes_and_refuses_one_patient():
    assert cox_scan(_patients(genes=0), **OPTIONS).sizes["gene"] == 0
    with pytest.raises(TooFewEventsError):
        cox_scan(_patients().isel(patient=[0]), **OPTIONS)
