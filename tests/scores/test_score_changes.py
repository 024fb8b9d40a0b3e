"""Scores of cells between two stages, over patients: against scipy on means of patients, and by hand."""

from __future__ import annotations

import warnings

import dask
import numpy as np
import pandas as pd
import pytest
from scipy import stats

from chemores_dask.errors import DroppedPatientsWarning, InputError, MissingVariableError, SmallSampleWarning
from chemores_dask.report.table_words import patients_of
from chemores_dask.scores.score_changes import PAIRED, UNPAIRED, score_changes
from tests.scores.score_tables import scores_of

STAGES = {"before": "diagnosis", "after": "relapse"}


def staged(values, patients, stages, *, lazy=0):
    scores = scores_of(values, patients=patients, lazy=lazy)
    return scores.assign(stage=("cell", np.asarray(stages, dtype=object)))


def cohort(seed, *, patients=8, cells=900, paired=True, lazy=0):
    """Cells in any order, with a stage that is not compared; unpaired patients have one of the two stages each."""
    generator = np.random.default_rng(seed)
    number = generator.integers(patients, size=cells)
    relapse = generator.random(cells) < 0.4 if paired else number % 2 == 1
    values = generator.normal(size=cells) + 0.3 * relapse + 0.2 * generator.normal(size=patients)[number]
    stage = np.where(generator.random(cells) < 0.1, "remission", np.where(relapse, "relapse", "diagnosis"))
    names = np.array([f"P{place}" for place in number], dtype=object)
    return staged(values, names, stage, lazy=lazy)


def means_of(scores):
    """Means by pandas, patients by stages."""
    table = pd.DataFrame(
        {
            "score": np.asarray(scores["cell_score"].sel(gene_set="set")),
            "patient": scores["patient"].to_numpy(),
            "stage": scores["stage"].to_numpy(),
        }
    )
    table = table.pivot_table(index="patient", columns="stage", values="score", aggfunc="mean")
    return table[["diagnosis", "relapse"]]


def of_set(result, name):
    return result[f"score_change_{name}"].sel(gene_set="set").values


def test_score_changes__equal_scipy_on_the_means_of_patients():
    scores = cohort(1)
    result, means = score_changes(scores, **STAGES), means_of(scores)
    assert result["patient"].values.tolist() == means.index.tolist()
    np.testing.assert_allclose(of_set(result, "before"), means["diagnosis"], rtol=1e-12)
    np.testing.assert_allclose(of_set(result, "after"), means["relapse"], rtol=1e-12)
    difference = (means["relapse"] - means["diagnosis"]).to_numpy()
    np.testing.assert_allclose(of_set(result, "difference"), difference, rtol=1e-10)
    t = stats.ttest_rel(means["relapse"], means["diagnosis"])
    limits = t.confidence_interval(0.95)
    for name, expected in {
        "t_statistic": t.statistic,
        "t_p_value": t.pvalue,
        "mean_difference": difference.mean(),
        "mean_difference_lower": limits.low,
        "mean_difference_upper": limits.high,
        "signed_rank_p_value": stats.wilcoxon(difference, method="exact").pvalue,
        "sign_flip_p_value": stats.permutation_test(
            (difference,), np.mean, permutation_type="samples", n_resamples=np.inf
        ).pvalue,
        "patients_rising": (difference > 0).sum(),
        "patients": 8,
        "pairs": 8,
    }.items():
        np.testing.assert_allclose(of_set(result, name), expected, rtol=1e-8, err_msg=name)
    assert float(result["score_change_minimum_p_value"]) == 2 / 2**8
    assert result.attrs["design"] == "paired"
    assert all(np.isnan(result[f"score_change_{name}"]).all() for name in UNPAIRED)


def test_score_changes__without_pairs_equal_scipy_over_patients():
    scores = cohort(2, patients=11, paired=False)
    result, means = score_changes(scores, **STAGES), means_of(scores)
    before, after = (means[stage].dropna().to_numpy() for stage in STAGES.values())
    assert (len(before), len(after)) == (6, 5)
    expected = stats.mannwhitneyu(after, before, method="exact").pvalue
    np.testing.assert_allclose(of_set(result, "rank_sum_p_value"), expected, rtol=1e-12)
    np.testing.assert_allclose(of_set(result, "shift"), np.median(np.subtract.outer(after, before)), rtol=1e-6)
    assert of_set(result, "shift_lower") < of_set(result, "shift") < of_set(result, "shift_upper")
    assert (int(of_set(result, "pairs")), int(of_set(result, "patients"))) == (0, 11)
    assert (int(of_set(result, "patients_before")), int(of_set(result, "patients_after"))) == (6, 5)
    assert all(np.isnan(result[f"score_change_{name}"]).all() for name in (*PAIRED, "t_q_value"))
    assert np.isnan(result["score_change_minimum_p_value"])
    assert np.isnan(of_set(result, "difference")).all()
    assert patients_of(result) == "n = 11 patients"
    assert result.attrs["design"] == "unpaired"


def test_score_changes__two_against_three_patients_reach_a_fifth():
    """33,845 cells do not help: 2 / choose(5, 2) = 0.2."""
    number = np.arange(33_845) % 5
    names = np.array([f"P{place}" for place in number], dtype=object)
    scores = staged(10.0 * number, names, np.where(number < 2, "diagnosis", "relapse"), lazy=10_000)
    with pytest.warns(SmallSampleWarning, match="2 against 3 patients no rank-sum test can give a P value below 0.2"):
        result = score_changes(scores, **STAGES)
    assert float(of_set(result, "rank_sum_p_value")) == pytest.approx(0.2)
    assert float(of_set(result, "rank_sum_minimum_p_value")) == pytest.approx(0.2)


def test_score_changes__three_pairs_reach_a_quarter():
    scores = staged([0, 1, 2, 5, 7, 9], ["P1", "P2", "P3"] * 2, ["diagnosis"] * 3 + ["relapse"] * 3)
    with pytest.warns(SmallSampleWarning, match="3 patients no test of signs can give a P value below 0.25"):
        result = score_changes(scores, **STAGES)
    assert float(result["score_change_minimum_p_value"]) == 0.25
    assert float(of_set(result, "sign_flip_p_value")) == float(of_set(result, "signed_rank_p_value")) == 0.25


def test_score_changes__hand_worked():
    """P1: 1 to 4 (3); P2: 2 to 3 (1); P3 has no relapse, P4 no diagnosis. t = 2 / (sqrt(2) / sqrt(2)) = 2, P = 2 atan(1 / 2) / pi."""
    scores = staged(
        [0, 2, 4, 2, 3, 8, 9, 50],
        ["P1", "P1", "P1", "P2", "P2", "P3", "P4", "P1"],
        ["diagnosis", "diagnosis", "relapse", "diagnosis", "relapse", "diagnosis", "relapse", "remission"],
    )
    with pytest.warns(SmallSampleWarning), pytest.warns(DroppedPatientsWarning, match="2 of 4 patients.*P3.*P4"):
        result = score_changes(scores, **STAGES)
    np.testing.assert_array_equal(of_set(result, "before"), [1, 2, 8, np.nan])
    np.testing.assert_array_equal(of_set(result, "after"), [4, 3, np.nan, 9])
    np.testing.assert_array_equal(of_set(result, "difference"), [3, 1, np.nan, np.nan])
    np.testing.assert_array_equal(result["score_change_cells_before"], [2, 1, 1, 0])
    np.testing.assert_array_equal(result["score_change_cells_after"], [1, 1, 0, 1])
    assert float(of_set(result, "t_statistic")) == pytest.approx(2.0)
    assert float(of_set(result, "t_p_value")) == pytest.approx(2 * np.arctan(0.5) / np.pi)
    assert float(of_set(result, "sign_flip_p_value")) == 0.5
    assert (int(of_set(result, "patients")), int(of_set(result, "patients_rising"))) == (2, 2)
    assert result.attrs["patients_dropped"] == ["P3", "P4"]
    assert patients_of(result) == "n = 2 patients"
    # The other gene set has the same score everywhere.
    constant = result.sel(gene_set="other")
    assert float(constant["score_change_sign_flip_p_value"]) == 1.0
    assert np.isnan(constant["score_change_t_p_value"])
    np.testing.assert_array_equal(result["score_change_t_q_value"], result["score_change_t_p_value"])


@pytest.mark.parametrize("paired", [True, False])
@pytest.mark.parametrize("lazy", [7, 64, 899])
def test_score_changes__are_the_same_for_any_blocks_order_and_workers(paired, lazy):
    whole = score_changes(cohort(3, patients=12, paired=paired), **STAGES)
    scores = cohort(3, patients=12, paired=paired, lazy=lazy)
    found = []
    for workers in (1, 4):
        with dask.config.set(scheduler="threads", num_workers=workers):
            found.append(score_changes(scores, **STAGES))
    order = np.random.default_rng(1).permutation(scores.sizes["cell"])
    shuffled = score_changes(cohort(3, patients=12, paired=paired).isel(cell=order), **STAGES)
    for name in whole.data_vars:
        np.testing.assert_array_equal(found[0][name], found[1][name], err_msg=name)
        for other in (found[0], shuffled):
            np.testing.assert_allclose(whole[name], other[name], rtol=1e-10, atol=1e-13, err_msg=name)


def test_score_changes__ties_do_not_hang_on_the_last_digits():
    """Each patient rises or falls by 0.1 as decimal numbers, but not by the same binary number: the signed ranks are tied."""
    before = np.array([0.1, 0.2, 0.3, 0.7, 0.9, 0.4, 0.6])
    change = np.array([0.1, 0.1, 0.1, 0.1, 0.1, -0.1, 0.0])
    names = [f"P{place}" for place in range(7)]
    result = score_changes_quietly(
        np.concatenate([before, before + change]), names * 2, ["diagnosis"] * 7 + ["relapse"] * 7
    )
    assert float(of_set(result, "signed_rank_p_value")) == pytest.approx(2 * 7 / 2**6)
    assert float(of_set(result, "sign_flip_p_value")) == pytest.approx(2 * 7 / 2**6)
    equal = score_changes_quietly(
        np.concatenate([before, before + 0.1]), names * 2, ["diagnosis"] * 7 + ["relapse"] * 7
    )
    assert np.isnan(of_set(equal, "t_p_value"))
    assert float(of_set(equal, "signed_rank_p_value")) == 2 / 2**7
    unpaired = score_changes_quietly(
        [0.1 + 0.2, 1, 0.3, 2], ["P1", "P2", "P3", "P4"], ["diagnosis"] * 2 + ["relapse"] * 2
    )
    assert float(of_set(unpaired, "rank_sum_p_value")) == pytest.approx(1.0)


def score_changes_quietly(values, patients, stages):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SmallSampleWarning)
        return score_changes(staged(values, patients, stages), **STAGES)


def test_score_changes__stand_one_pair_and_scores_that_are_far_from_zero():
    one = score_changes_quietly([1, 2], ["P1", "P1"], ["diagnosis", "relapse"])
    assert float(one["score_change_minimum_p_value"]) == 1.0
    assert np.isnan(of_set(one, "mean_difference_lower"))
    assert float(of_set(one, "mean_difference")) == 1.0
    far = score_changes(cohort(4).assign(cell_score=lambda scores: scores["cell_score"] + 1e4), **STAGES)
    near = score_changes(cohort(4), **STAGES)
    np.testing.assert_allclose(of_set(far, "t_p_value"), of_set(near, "t_p_value"), rtol=1e-6)


def test_score_changes__null_holds_its_level_over_patients_not_over_cells():
    """Patients differ, stages do not: a test over cells would find something in most cohorts."""
    found = []
    for seed in range(200):
        generator = np.random.default_rng(seed)
        number = np.repeat(np.arange(16), 20)
        values = generator.normal(size=16)[number] + 0.3 * generator.normal(size=320)
        names = np.array([f"P{place % 8}" for place in number], dtype=object)
        result = score_changes(staged(values, names, np.where(number < 8, "diagnosis", "relapse")), **STAGES)
        found.append(float(of_set(result, "t_p_value")))
    assert np.mean(np.array(found) < 0.05) < 0.09


@pytest.mark.parametrize("paired", [True, False])
def test_score_changes__stand_many_patients(paired):
    number = np.arange(2400)
    values = np.random.default_rng(5).normal(size=2400)
    names = [f"P{place}" for place in (number % 1200 if paired else number)]
    scores = staged(values, names, np.where(number < 1200, "diagnosis", "relapse"))
    result = score_changes(scores, **STAGES)
    before, after = values[:1200], values[1200:]
    if paired:
        expected = stats.wilcoxon(before, after, method="asymptotic", correction=True).pvalue
        np.testing.assert_allclose(of_set(result, "signed_rank_p_value"), expected, rtol=1e-6)
        assert result.attrs["tests"][1:] == [
            f"{test} (normal approximation)" for test in ("sign flips", "Wilcoxon signed rank")
        ]
    else:
        expected = stats.mannwhitneyu(before, after, method="asymptotic").pvalue
        np.testing.assert_allclose(of_set(result, "rank_sum_p_value"), expected, rtol=1e-6)
        assert result.attrs["tests"] == ["Wilcoxon rank sum (normal approximation)"]


@pytest.mark.parametrize("broken", [np.nan, np.inf])
def test_score_changes__refuse_scores_that_are_no_numbers(broken):
    names, stages = ["P1"] * 4, ["diagnosis", "relapse", "relapse", "remission"]
    with pytest.raises(InputError, match="in 1 of 3 cells"):
        score_changes(staged([1, broken, 2, 3], names, stages), **STAGES)
    with pytest.warns(SmallSampleWarning):
        score_changes(staged([1, 2, 3, broken], names, stages), **STAGES)


def test_score_changes__refuse_what_they_cannot_compare():
    scores = staged([1, 2], ["P1", "P1"], ["diagnosis", "relapse"])
    for stages in ({"before": "diagnosis", "after": "remission"}, {"before": "relapse", "after": "relapse"}):
        with pytest.raises(InputError, match=r"must be two values of 'stage'.*present: diagnosis, relapse"):
            score_changes(scores, **stages)
    with pytest.raises(MissingVariableError, match="'donor'"):
        score_changes(scores, patient="donor", **STAGES)
    with pytest.raises(MissingVariableError, match="'arm'"):
        score_changes(scores, stage="arm", **STAGES)
    with pytest.raises(MissingVariableError, match="'cell_score'"):
        score_changes(scores.drop_vars("cell_score"), **STAGES)
    with pytest.raises(InputError, match="must have a stage"):
        score_changes(staged([1, 2], ["P1", "P1"], ["diagnosis", None]), **STAGES)
    with pytest.raises(InputError, match="must have a patient"):
        score_changes(staged([1, 2], ["P1", ""], ["diagnosis", "relapse"]), **STAGES)
    with pytest.raises(InputError, match="must be two values"):
        score_changes(scores.isel(cell=[]), **STAGES)
    with pytest.raises(InputError, match="needs the score of a gene set"):
        score_changes(scores.isel(gene_set=[]), **STAGES)
