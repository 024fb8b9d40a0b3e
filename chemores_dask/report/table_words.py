"""Values and names of variables as people read them in a table, and what must stand beside a P."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr

from chemores_dask.figures.number_text import count_text, number_text, p_text, share_text

P_ENDINGS = ("p_value", "q_value")
PATIENTS = "_patients"
CELLS = "_cells"
FLOW = "_flow_"
"""Part of the names of counts of patients who were left out."""
DESCRIPTIVE = "descriptive"
"""Attribute of results whose P values take cells as their n: what that means."""

TESTS = {
    "composition_t_p_value": "paired t test of the log odds, two-sided",
    "composition_share_t_p_value": "paired t test of the shares, two-sided",
    "composition_sign_flip_p_value": "exact sign-flip test of the log odds, two-sided",
    "composition_signed_rank_p_value": "Wilcoxon signed rank test of the log odds, two-sided",
    "composition_minimum_p_value": "smallest P that so many patients can reach",
    "score_change_t_p_value": "paired t test of the mean scores of the patients, two-sided",
    "score_change_t_q_value": "Benjamini-Hochberg over the gene sets, of the t test",
    "score_change_sign_flip_p_value": "exact sign-flip test of the mean scores of the patients, two-sided",
    "score_change_signed_rank_p_value": "Wilcoxon signed rank test of the mean scores of the patients, two-sided",
    "score_change_minimum_p_value": "smallest P that so many pairs can reach",
    "score_change_rank_sum_p_value": "Wilcoxon rank-sum test of the mean scores of the patients, two-sided",
    "score_change_rank_sum_q_value": "Benjamini-Hochberg over the gene sets, of the rank-sum test",
    "score_change_rank_sum_minimum_p_value": "smallest P that so many patients on both sides can reach",
    "marker_p_value": "Wilcoxon rank-sum test over cells, two-sided",
    "marker_q_value": "Benjamini-Hochberg over the genes of the group",
    "log_rank_p_value": "log-rank test",
    "cutoff_continuous_p_value": "Wald test of the score as it is, without a cut",
    "cutoff_median_p_value": "log-rank test at the median",
    "cutoff_p_value": "maximally selected log-rank statistic, by random orders of the patients",
    "cutoff_p_value_1992": "maximally selected log-rank statistic, Lausen and Schumacher 1992",
    "cutoff_p_value_1994": "maximally selected log-rank statistic, Lausen et al. 1994",
    "cutoff_p_value_not_corrected": "log-rank test at a cut-off chosen by it: description, no test",
    "log_rank_pair_p_value": "log-rank test of two groups",
    "log_rank_pair_holm_p_value": "log-rank test of two groups, Holm over all pairs",
    "log_rank_trend_p_value": "log-rank test of a trend over the ordered groups",
    "restricted_mean_difference_p_value": "normal test of the difference of restricted means, two-sided",
    "restricted_mean_difference_holm_p_value": "normal test of the difference of restricted means, Holm over the pairs",
    "restricted_mean_ratio_p_value": "normal test of the log ratio of restricted means, two-sided",
    "gray_p_value": "Gray's test",
    "fine_gray_p_value": "Wald test with robust errors, two-sided",
    "fine_gray_wald_p_value": "Wald test of the whole model, robust errors",
    "cox_p_value": "Wald test, two-sided",
    "cox_q_value": "Benjamini-Hochberg over the genes tested",
    "cox_likelihood_ratio_p_value": "likelihood ratio test",
    "cox_score_p_value": "score test",
    "cox_firth_p_value": "penalized likelihood ratio test",
    "cox_interaction_p_value": "Wald test of gene x treatment, two-sided",
    "cox_interaction_q_value": "Benjamini-Hochberg over the genes tested",
    "cox_interaction_likelihood_ratio_p_value": "likelihood ratio test of gene x treatment",
    "cox_interaction_firth_p_value": "penalized likelihood ratio test of gene x treatment",
    "cox_model_p_value": "Wald test, two-sided",
    "cox_model_likelihood_ratio_p_value": "likelihood ratio test of the whole model",
    "cox_model_wald_p_value": "Wald test of the whole model",
    "cox_model_score_p_value": "score test of the whole model",
    "cox_model_robust_score_p_value": "robust score test of the whole model",
    "cox_model_covariate_wald_p_value": "Wald test of all terms of the covariate",
    "cox_model_covariate_likelihood_ratio_p_value": "likelihood ratio test of all terms of the covariate",
    "cox_model_nonlinear_wald_p_value": "Wald test of the bends of the spline",
    "cox_model_nonlinear_likelihood_ratio_p_value": "likelihood ratio test of the spline against a straight line",
    "hazard_trend_p_value": "score test of a hazard ratio that changes with time",
    "hazard_trend_global_p_value": "the same for all covariates together",
    "concordance_p_value": "Wald test against one half, two-sided",
    "concordance_difference_p_value": "Wald test of the difference to the first score, two-sided",
    "validation_p_value": "Wald test of the risk, two-sided",
    "validation_slope_p_value": "Wald test that the calibration slope is 1, two-sided",
    "validation_high_p_value": "Wald test above against below the cut-off, two-sided",
    "validation_log_rank_p_value": "log-rank test above against below the cut-off",
    "random_signature_p_value": "Wald test of the signature against no association, two-sided",
    "random_signature_draw_p_value": "Wald test of a random signature against no association, two-sided",
    "random_signature_concordance_p_value": "share of random signatures with a concordance as far from one half",
    "random_signature_hazard_p_value": "share of random signatures with a hazard ratio as far from 1",
    "leave_one_p_value": "Wald test of the signature without the gene, two-sided",
    "leave_one_whole_p_value": "Wald test of the whole signature, two-sided",
    "meta_p_value": "Wald test, two-sided",
    "meta_pooled_p_value": "Wald test of the pooled hazard ratio, two-sided",
    "meta_knapp_p_value": "Hartung and Knapp's t test of the pooled hazard ratio, two-sided",
    "meta_heterogeneity_p_value": "Cochran's Q test of heterogeneity",
}
"""Tests by the variable that holds their P."""


def value_text(values: xr.DataArray, place: int | None = None) -> str:
    """One value of a variable as a person reads it.

    Parameters
    ----------
    values
        The variable; its name and attributes tell P values, shares and flags.
    place
        Which of its values; none for a variable without dimension.

    Returns
    -------
    Text.
    """
    value = values.values[()] if place is None else values.values[place]
    name = str(values.name)
    if "flag_meanings" in values.attrs:
        meanings = str(values.attrs["flag_meanings"]).split()
        return meanings[int(value)].replace("_", " ") if 0 <= int(value) < len(meanings) else str(value)
    if isinstance(value, (bool, np.bool_)):
        return "yes" if value else "no"
    if isinstance(value, (int, np.integer)):
        return count_text(int(value))
    if isinstance(value, (float, np.floating)):
        number = float(value)
        if name.endswith(P_ENDINGS):
            return p_text(number)
        return share_text(number) if "share" in name.split("_") and "t" not in name.split("_") else number_text(number)
    return str(value)


def headings(names: Sequence[str]) -> list[str]:
    """Names of variables in words, without the beginning that they share.

    Parameters
    ----------
    names
        Names of the variables of one table.

    Returns
    -------
    Texts.

    Examples
    --------
    >>> headings(["cox_model_hazard_ratio", "cox_model_p_value"])
    ['Hazard ratio', 'P value']
    """
    parts = [name.split("_") for name in names]
    shared = 0
    while (
        len(names) > 1 and all(len(part) > shared + 1 for part in parts) and len({part[shared] for part in parts}) == 1
    ):
        shared += 1
    if shared and any("_".join(part[shared:]) in {"value", "lower", "upper"} for part in parts):
        shared -= 1
    words = [_p_first("_".join(part[shared:])) for part in parts]
    return [text[0].upper() + text[1:] for text in words]


def _p_first(name: str) -> str:
    for ending in P_ENDINGS:
        if name.endswith(f"_{ending}"):
            return f"{ending[0].upper()} value, {words_of(name.removesuffix(f'_{ending}'))}"
    return words_of(name)


def patients_of(result: xr.Dataset) -> str:
    """How many patients stand behind the P values of a result.

    Parameters
    ----------
    result
        The result.

    Returns
    -------
    ``n = 120 patients``, a range where it differs between rows, or a sentence that it is not recorded.
    """
    for name in result.variables:
        if str(name).endswith(PATIENTS) and FLOW not in str(name):
            values = np.asarray(result[name].values, dtype=float)
            if not values.size:
                continue
            # Groups of patients add up; patients with cells in several groups of cells do not.
            if result[name].dims == ("group",) and DESCRIPTIVE not in result.attrs:
                return f"n = {count_text(values.sum())} patients"
            low, high = float(values.min()), float(values.max())
            return (
                f"n = {count_text(low)} patients"
                if low == high
                else f"n = {count_text(low)} to {count_text(high)} patients"
            )
    return "the number of patients is not recorded"


def p_notes(result: xr.Dataset, names: Sequence[str]) -> list[str]:
    """What must stand beside P values: how many patients, and which tests.

    Parameters
    ----------
    result
        The result.
    names
        Variables shown.

    Returns
    -------
    Sentences; none where no variable is a P value.
    """
    with_p = [name for name in names if name.endswith(P_ENDINGS)]
    if not with_p:
        return []
    called = ["P value"] if len(with_p) == 1 and with_p[0].endswith("p_value") else headings(with_p)
    named = [
        f"{words}: {remark(result[name])}" for words, name in zip(called, with_p, strict=True) if remark(result[name])
    ]
    counted = patients_of(result)
    if DESCRIPTIVE in result.attrs:
        return [f"n = {_cells_of(result)}{counted.removeprefix('n = ')}.", *([f"{'; '.join(named)}."] if named else []),
                str(result.attrs[DESCRIPTIVE])]  # fmt: skip
    first = counted if counted.startswith("n =") else f"{counted[0].upper()}{counted[1:]}"
    return [f"{first}.", *([f"{'; '.join(named)}."] if named else [])]


def _cells_of(result: xr.Dataset) -> str:
    """Cells of the one group that was picked, as the beginning of a sentence about patients."""
    for name in result.variables:
        if str(name).endswith(CELLS) and not result[name].dims:
            return f"{count_text(int(result[name].values))} cells of "
    return "cells of "


def remark(values: xr.DataArray) -> str:
    """The test behind a P value, or what else is known about a variable.

    Parameters
    ----------
    values
        The variable.

    Returns
    -------
    Text; may be empty.
    """
    return TESTS.get(str(values.name), str(values.attrs.get("long_name", "")))


def words_of(name: str) -> str:
    """The name of a variable or dimension in words.

    Parameters
    ----------
    name
        The name.

    Returns
    -------
    Text.

    Examples
    --------
    >>> words_of("log_rank_p_value")
    'log rank P value'
    """
    words = name.replace("_", " ")
    return f"{words.removesuffix('p value')}P value" if words.endswith("p value") else words
