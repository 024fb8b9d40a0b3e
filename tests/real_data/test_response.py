"""T-cell leukemia (AALL0434): genes against residual disease at day 29, held against SciPy, statsmodels and scikit-learn."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy import stats
from sklearn.metrics import brier_score_loss, roc_auc_score
from statsmodels.miscmodels.ordinal_model import OrderedModel

from chemores_dask.cohort.response.classifier_performance import PerformanceOptions, classifier_performance
from chemores_dask.cohort.response.ordinal_regression import ordinal_regression
from chemores_dask.cohort.response.response_groups import response_groups
from chemores_dask.cohort.response.response_scan import response_scan
from chemores_dask.kernels.multiple_testing import benjamini_hochberg

LEF1 = "ENSG00000138795"
"""Low where residual disease is high: immature leukemias lack it."""

LEVELS = ["none", "below 0.1 %", "0.1 % and more"]


@pytest.fixture(scope="module")
def leukemia(cohorts):
    clinical = pd.read_csv(cohorts / "GRIN2_TALL_clin.csv.gz").set_index("ID")
    expression = pd.read_csv(cohorts / "GRIN2_TALL_expr_417x264.csv.gz", index_col=0).set_index("gene")
    table = clinical.loc[[name for name in clinical.index if name in expression.columns]]
    values = expression[table.index].T.to_numpy()
    return xr.Dataset(
        {
            "expression": (("patient", "gene"), values),
            "LEF1": ("patient", values[:, expression.index.get_loc(LEF1)]),
            "MRD29": ("patient", table["MRD29"].to_numpy()),
            "positive": ("patient", table["MRD.binary"].to_numpy()),
            "log_wbc": ("patient", np.log(table["WBC"].to_numpy() + 1)),
            "level": ("patient", np.array(LEVELS, dtype=object)[np.digitize(table["MRD29"], [1e-9, 0.1])]),
            "discovery": ("patient", np.arange(len(table)) % 2 == 0),
        },
        coords={"patient": table.index.to_numpy(), "gene": expression.index.to_numpy()},
    )


def test_response_scan__of_residual_disease_equals_scipy(leukemia):
    found = response_scan(leukemia, response="positive", order=[0, 1])
    positive = leukemia["positive"].values == 1
    values = leukemia["expression"].values
    expected = stats.mannwhitneyu(values[positive], values[~positive], method="asymptotic", axis=0)
    np.testing.assert_allclose(found["response_scan_p_value"], expected.pvalue, rtol=1e-9)
    np.testing.assert_allclose(found["response_scan_auroc"], expected.statistic / (positive.sum() * (~positive).sum()))
    np.testing.assert_allclose(found["response_scan_q_value"], benjamini_hochberg(expected.pvalue), rtol=1e-9)
    best = found.isel(gene=int(np.argmin(found["response_scan_p_value"].values)))
    assert str(best["gene"].values) == LEF1
    assert float(best["response_scan_q_value"]) < 1e-6
    assert float(best["response_scan_auroc"]) < 0.3


def test_response_scan__of_its_amount_equals_scipy(leukemia):
    found = response_scan(leukemia, response="MRD29")
    for gene in range(0, 417, 40):
        expected = stats.spearmanr(leukemia["expression"].values[:, gene], leukemia["MRD29"].values)
        assert float(found["response_scan_correlation"][gene]) == pytest.approx(expected.statistic, abs=1e-12)
        assert float(found["response_scan_p_value"][gene]) == pytest.approx(expected.pvalue, rel=1e-9)


def test_response_scan__finds_next_to_nothing_in_shuffled_patients(leukemia):
    order = np.random.default_rng(4).permutation(leukemia.sizes["patient"])
    shuffled = leukemia.assign(positive=("patient", leukemia["positive"].values[order]))
    found = response_scan(shuffled, response="positive", order=[0, 1])
    assert (found["response_scan_q_value"] < 0.05).sum() <= 2
    assert (found["response_scan_p_value"] < 0.05).mean() < 0.12


def test_response_groups__by_amount_equals_scipy(leukemia):
    found = response_groups(leukemia, score="LEF1", response="level", order=LEVELS, depth="log_wbc")
    groups = [leukemia["LEF1"].values[leukemia["level"].values == label] for label in LEVELS]
    assert found["response_group_patients"].values.tolist() == [group.size for group in groups]
    expected = stats.mannwhitneyu(groups[2], groups[0], method="asymptotic").pvalue
    assert float(found["response_pair_p_value"].sel(pair="0.1 % and more vs none")) == pytest.approx(expected, rel=1e-9)
    assert float(found["response_kruskal_p_value"]) == pytest.approx(stats.kruskal(*groups).pvalue, rel=1e-9)
    assert float(found["response_trend_p_value"]) < 1e-8
    assert float(found["response_trend_auroc"]) < 0.5


def test_ordinal_regression__by_amount_equals_statsmodels(leukemia):
    found = ordinal_regression(leukemia, response="level", formula="~ LEF1 + log_wbc", order=LEVELS)
    codes = pd.Categorical(leukemia["level"].values, LEVELS, ordered=True).codes
    matrix = np.column_stack([leukemia["LEF1"], leukemia["log_wbc"]])
    expected = OrderedModel(codes, matrix, distr="logit").fit(method="bfgs", disp=False, gtol=1e-8, maxiter=2000)
    np.testing.assert_allclose(found["ordinal_coefficient"], expected.params[:2], rtol=1e-5)
    np.testing.assert_allclose(found["ordinal_standard_error"], expected.bse[:2], rtol=1e-4)
    assert float(found["ordinal_log_likelihood"]) == pytest.approx(expected.llf, rel=1e-10)
    assert float(found["ordinal_odds_ratio"][0]) < 1


def test_classifier_performance__of_a_gene_holds_in_the_other_half(leukemia):
    turned = leukemia.assign(score=-leukemia["LEF1"])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = classifier_performance(
            turned,
            score="score",
            response="positive",
            positive=["1"],
            training="discovery",
            options=PerformanceOptions(draws=200),
            seed=5,
        )
    tested = turned.sel(patient=found["patient"].values)
    assert not tested["discovery"].any()
    positive = tested["positive"].values == 1
    assert float(found["performance_auroc"]) == pytest.approx(roc_auc_score(positive, tested["score"].values))
    assert float(found["performance_brier"]) == pytest.approx(
        brier_score_loss(positive, found["performance_probability"].values)
    )
    assert float(found["performance_auroc_lower"]) > 0.5
    assert float(found["performance_brier"]) < float(found["performance_brier_null"])
    assert float(found["performance_auroc_bootstrap_lower"]) == pytest.approx(
        float(found["performance_auroc_lower"]), abs=0.03
    )
