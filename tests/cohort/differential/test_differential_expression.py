"""Differential expression against limma, edgeR, DESeq2 and pydeseq2.

``expected/counts.csv`` is simulated: 150 genes of six patients at two stages, among them genes without counts in a stage, in two patients,
in all samples but one, and in all. ``paired.csv`` (``~ patient + stage``) and ``age.csv`` (``~ stage + age``) were made with R 4.2.2,
limma 3.54.1, edgeR 3.40.2 and DESeq2 1.38.3::

    d <- DGEList(y); d <- d[filterByExpr(d, design), , keep.lib.sizes = FALSE]; d <- calcNormFactors(d)
    voom:   eBayes(lmFit(voom(d, design), design)), with robust = TRUE: robust_t, robust_p
    ql:     d <- estimateDisp(d, design, trend.method = "loess", tagwise = FALSE); glmQLFTest(glmQLFit(d, design), coef = k)
    locfit: the same with estimateDisp(d, design)
    deseq2: results(DESeq(dds, minReplicatesForReplace = Inf), cooksCutoff = FALSE, independentFiltering = FALSE)
"""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from chemores_dask.cohort.differential.differential_expression import RESULT, differential_expression
from chemores_dask.cohort.differential.table_tests import DifferentialOptions
from chemores_dask.errors import RepeatedPatientsWarning
from chemores_dask.results_spec import check_result
from tests.cohort.differential.simulated_samples import FOLDER, paired, published

RELAPSE = "stage[T.relapse]"
DESIGNS = {"paired": "~ patient + stage", "age": "~ stage + age"}


def _genes(result):
    """Values of the genes that were tested."""
    over = {str(name)[len("differential_") :]: result[name].values for name in result if result[name].dims == ("gene",)}
    frame = pd.DataFrame(over, index=result["gene"].values)
    return frame[frame["status"] == 0]


def _run(case, method, *, robust=False):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RepeatedPatientsWarning)
        return differential_expression(
            published(),
            formula=DESIGNS[case],
            contrast=RELAPSE,
            method=method,
            options=DifferentialOptions(robust=robust),
        )


@pytest.fixture(scope="module", params=["paired", "age"])
def case(request):
    return request.param, pd.read_csv(FOLDER / f"{request.param}.csv", index_col="gene")


def test_differential_expression__chooses_genes_and_factors_as_edger(case):
    name, expected = case
    result = _run(name, "voom")
    check_result(RESULT, result)
    assert list(_genes(result).index) == list(expected.index)
    factors = pd.read_csv(FOLDER / "factors.csv")[name]
    np.testing.assert_allclose(result["differential_normalization_factor"], factors, rtol=1e-12)


def test_differential_expression__voom_equals_limma(case):
    name, expected = case
    found = _genes(_run(name, "voom"))
    for ours, theirs in {
        "log_fold_change": "voom_lfc",
        "statistic": "voom_t",
        "p_value": "voom_p",
        "degrees_of_freedom": "voom_df",
        "mean": "voom_mean",
        "variance": "voom_var",
    }.items():
        np.testing.assert_allclose(found[ours], expected[theirs], rtol=1e-8, err_msg=ours)
    robust = _genes(_run(name, "voom", robust=True))
    np.testing.assert_allclose(robust["statistic"], expected["robust_t"], rtol=1e-7)
    np.testing.assert_allclose(robust["p_value"], expected["robust_p"], rtol=1e-6)


def test_differential_expression__negative_binomial_equals_edger(case):
    name, expected = case
    found = _genes(_run(name, "negative_binomial"))
    np.testing.assert_allclose(found["mean"], expected["ql_mean"], rtol=1e-7)
    np.testing.assert_allclose(found["dispersion"], expected["ql_disp"], rtol=1e-5)
    np.testing.assert_allclose(found["variance"], expected["ql_var"], rtol=1e-5)
    np.testing.assert_allclose(found["degrees_of_freedom"], expected["ql_df"], rtol=1e-5)
    # edgeR stops its steps at 1e-6 of the deviance.
    np.testing.assert_allclose(found["log_fold_change"], expected["ql_lfc"], rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(found["statistic"] ** 2, expected["ql_f"], rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(found["p_value"], expected["ql_p"], rtol=1e-5)
    robust = _genes(_run(name, "negative_binomial", robust=True))
    np.testing.assert_allclose(robust["p_value"], expected["ql_robust_p"], rtol=1e-5)


def test_differential_expression__negative_binomial_is_near_edger_with_its_own_trend(case):
    # locfit interpolates between few points what is worked out for each gene here.
    name, expected = case
    found = _genes(_run(name, "negative_binomial"))
    assert np.abs(np.log10(found["p_value"] / expected["locfit_p"])).max() < 0.05


def test_differential_expression__agrees_with_deseq2():
    expected = pd.read_csv(FOLDER / "paired.csv", index_col="gene")
    found = _genes(_run("paired", "negative_binomial"))
    # Another estimate of the dispersion, and no prior count for effects: where these are moderate they are near each other.
    strong = (expected["ql_mean"] > 10) & (expected["ql_lfc"].abs() < 2)
    assert strong.sum() > 70
    assert np.abs(found["log_fold_change"] - expected["deseq2_lfc"])[strong].max() < 0.06
    assert found["p_value"].corr(expected["deseq2_p"], method="spearman") > 0.97


@pytest.mark.once
@pytest.mark.slow
def test_differential_expression__agrees_with_pydeseq2():
    dds = pytest.importorskip("pydeseq2.dds")
    ds = pytest.importorskip("pydeseq2.ds")
    counts = pd.read_csv(FOLDER / "counts.csv", index_col=0).T
    samples = pd.read_csv(FOLDER / "samples.csv", index_col=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        data = dds.DeseqDataSet(
            counts=counts.loc[:, counts.sum() > 0],
            metadata=samples,
            design="~ patient + stage",
            quiet=True,
            refit_cooks=False,
        )
        data.deseq2()
        known = ds.DeseqStats(
            data,
            contrast=["stage", "relapse", "diagnosis"],
            quiet=True,
            cooks_filter=False,
            independent_filter=False,
        )
        known.summary()
    found = _genes(_run("paired", "negative_binomial"))
    known = known.results_df.loc[found.index]
    strong = (found["mean"] > 10) & (found["log_fold_change"].abs() < 2)
    assert np.abs(found["log_fold_change"] - known["log2FoldChange"])[strong].max() < 0.06
    assert found["p_value"].corr(known["pvalue"], method="spearman") > 0.97


@pytest.mark.parametrize("method", ["voom", "negative_binomial"])
def test_differential_expression__is_the_same_with_patients_as_plain_columns(method):
    data = paired(patients=4, genes=60)
    own = differential_expression(data, contrast=RELAPSE, method=method)
    # Two names for half of the people each: the columns no longer say who the patient is, so the whole design is fitted.
    plain = differential_expression(data, contrast=RELAPSE, method=method, patient=None)
    for name in own:
        if own[name].dtype.kind == "f":
            np.testing.assert_allclose(plain[name], own[name], rtol=1e-6, atol=1e-7, err_msg=str(name))


@pytest.mark.parametrize("method", ["voom", "negative_binomial"])
def test_differential_expression__takes_contrasts_in_any_form(method):
    data = paired(patients=4, genes=60)
    plain = differential_expression(data, contrast=RELAPSE, method=method)
    vector = differential_expression(data, contrast=[0, 0, 0, 0, 1], method=method)
    xr.testing.assert_equal(plain, vector)
    groups = differential_expression(
        data,
        formula="~ 0 + stage + patient",
        contrast={"stage[relapse]": 1, "stage[diagnosis]": -1},
        method=method,
    )
    for name in ("log_fold_change", "statistic", "p_value"):
        np.testing.assert_allclose(groups[f"differential_{name}"], plain[f"differential_{name}"], rtol=1e-6, atol=1e-8)


def test_differential_expression__counts_patients_that_change_the_same_way():
    data = paired(patients=6, genes=60, effect=3.0, dispersion=0.01)
    result = differential_expression(data, contrast=RELAPSE, method="voom")
    assert int(result["differential_patients"]) == 6
    assert int(result["differential_patients_compared"]) == 6
    same = result["differential_patients_same_direction"].values
    assert (same[:6] == 6).all()
    assert same.min() >= 0
    log_cpm = np.log2(data["pseudobulk_count"].values + 0.5)
    log_cpm -= np.log2((data["pseudobulk_count"].sum("gene") * result["differential_normalization_factor"]).values + 1)[
        :, None
    ]
    rising = (log_cpm[1::2] > log_cpm[::2]).sum(axis=0)
    change = result["differential_log_fold_change"].values
    tested = result["differential_status"].values == 0
    np.testing.assert_array_equal(same[tested], np.where(change > 0, rising, 6 - rising)[tested])


def test_differential_expression__says_the_test_and_that_p_has_no_minimum():
    result = differential_expression(paired(genes=40), contrast=RELAPSE)
    assert "quasi-likelihood F test" in result.attrs["test"]
    assert "not applicable" in result.attrs["minimum_attainable_p"]
    assert result.attrs["samples_dropped"] == "none"


def test_differential_expression__limits_hold_the_estimate_and_agree_with_p():
    result = differential_expression(paired(genes=100, effect=1.0), contrast=RELAPSE, method="voom")
    found = _genes(result)
    lower, upper = found["log_fold_change_lower"], found["log_fold_change_upper"]
    np.testing.assert_array_equal((lower > 0) | (upper < 0), found["p_value"] < 0.05)


def test_differential_expression__leaves_samples_out_that_pseudobulk_does_not_use():
    data = paired(patients=5, genes=60)
    data["pseudobulk_used"][3] = False
    result = differential_expression(data, contrast=RELAPSE, method="voom")
    assert int(result["differential_samples"]) == 9
    assert int(result["differential_patients"]) == 5
    assert int(result["differential_patients_compared"]) == 4
    assert np.isnan(result["differential_normalization_factor"][3])
    assert result.attrs["samples_dropped"] == "S04"
