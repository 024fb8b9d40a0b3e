"""A score of patients, compared between ordered groups of response."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from itertools import combinations

import numpy as np
import xarray as xr
from scipy.special import chdtrc
from scipy.stats import rankdata

from chemores_dask.aliases import Vector
from chemores_dask.checks import check_between, listed
from chemores_dask.cohort.outcome import patient_names
from chemores_dask.cohort.response.scored_patients import count_flow, flow_values, read_measurement, read_ordered
from chemores_dask.errors import InputError, SmallSampleWarning
from chemores_dask.kernels.correlation import spearman
from chemores_dask.kernels.multiple_testing import benjamini_hochberg, holm
from chemores_dask.kernels.rank_tests import rank_sum_test, shift_between, tie_sizes, trend_test
from chemores_dask.kernels.roc import area_limits, areas_under_curves
from chemores_dask.results_spec import Variable, declare, make_result

ALGORITHM_REVISION = 1
SIGNIFICANT = 0.05

_PATIENT, _GROUP, _PAIR = ("patient",), ("group",), ("pair",)
RESULT = declare(
    Variable("response_patients", (), "i", unit="patients", doc="with a score and a known response"),
    Variable("response_patients_total", (), "i", unit="patients", doc="in the cohort"),
    Variable("response_patients_without_score", (), "i", unit="patients"),
    Variable("response_patients_without_response", (), "i", unit="patients", doc="with a score, but no known response"),
    Variable("response_missing_auroc", (), "f", doc="probability that a score is higher where no response is known"),
    Variable(
        "response_missing_p_value", (), "f", doc="Wilcoxon rank-sum test of the score, response unknown against known"
    ),
    Variable("response_score", _PATIENT, "f", unit="of the score"),
    Variable("response_label", _PATIENT, "U", unit="label"),
    Variable("response_group_patients", _GROUP, "i", unit="patients"),
    Variable("response_group_median", _GROUP, "f", unit="of the score"),
    Variable("response_group_lower_quartile", _GROUP, "f", unit="of the score"),
    Variable("response_group_upper_quartile", _GROUP, "f", unit="of the score"),
    Variable("response_pair_patients", _PAIR, "i", unit="patients", doc="of both groups"),
    Variable("response_pair_first", _PAIR, "U", unit="label", doc="the lower response"),
    Variable("response_pair_second", _PAIR, "U", unit="label", doc="the higher response"),
    Variable("response_pair_statistic", _PAIR, "f", unit="pairs of patients", doc="in which the second scores higher"),
    Variable("response_pair_shift", _PAIR, "f", unit="of the score", doc="Hodges-Lehmann, second minus first"),
    Variable("response_pair_shift_lower", _PAIR, "f", unit="of the score", doc="lower limit"),
    Variable("response_pair_shift_upper", _PAIR, "f", unit="of the score", doc="upper limit"),
    Variable("response_pair_auroc", _PAIR, "f", doc="probability that the second scores higher"),
    Variable("response_pair_auroc_lower", _PAIR, "f", doc="lower limit (DeLong)"),
    Variable("response_pair_auroc_upper", _PAIR, "f", doc="upper limit (DeLong)"),
    Variable("response_pair_p_value", _PAIR, "f", doc="Wilcoxon rank-sum test, two-sided"),
    Variable("response_pair_holm_p_value", _PAIR, "f", doc="Wilcoxon rank-sum test, Holm over all pairs"),
    Variable("response_pair_q_value", _PAIR, "f", doc="Wilcoxon rank-sum test, Benjamini-Hochberg over all pairs"),
    Variable("response_pair_minimum_p_value", _PAIR, "f", doc="smallest P that so many patients can reach"),
    Variable("response_pair_exact", _PAIR, "b", doc="P from all arrangements, not from the normal distribution"),
    Variable(
        "response_trend_statistic", (), "f", unit="pairs of patients", doc="in which the higher response scores higher"
    ),
    Variable("response_trend_auroc", (), "f", doc="share of the pairs in which the higher response scores higher"),
    Variable("response_trend_p_value", (), "f", doc="Jonckheere-Terpstra trend test, two-sided"),
    Variable(
        "response_trend_minimum_p_value", (), "f", doc="smallest P that so many patients can reach in the trend test"
    ),
    Variable("response_trend_exact", (), "b", doc="P from all arrangements, not from the normal distribution"),
    Variable("response_kruskal_statistic", (), "f", unit="chi-square"),
    Variable("response_kruskal_degrees_of_freedom", (), "i"),
    Variable("response_kruskal_p_value", (), "f", doc="Kruskal-Wallis test of any difference"),
    Variable("response_depth_correlation", (), "f", doc="Spearman correlation of score and depth", optional=True),
    Variable("response_depth_p_value", (), "f", doc="Spearman correlation of score and depth", optional=True),
    Variable(
        "response_depth_kruskal_p_value", (), "f", doc="Kruskal-Wallis test of depth between groups", optional=True
    ),
)


def response_groups(
    patients: xr.Dataset,
    *,
    score: str,
    response: str,
    order: Sequence[str] = ("M1", "M2", "M3"),
    unknown: Sequence[str] = ("Unknown",),
    depth: str | None = None,
    level: float = 0.95,
) -> xr.Dataset:
    """Compare a score between ordered groups of response, pair by pair and as a trend.

    Every pair of groups by Wilcoxon's rank sum [1]_ (exact where both have fewer than 50 patients, ties included; normal with continuity
    correction beyond), with the Hodges-Lehmann shift and the area under the ROC curve as effects; all groups by the trend test of
    Jonckheere and Terpstra [2]_ and by Kruskal and Wallis.

    Parameters
    ----------
    patients
        Variables over ``patient``.
    score
        Variable with numbers; patients without one are left out and counted.
    response
        Variable with the response of each patient. Missing values and those of ``unknown`` are left out and counted.
    order
        The responses, lowest first. Any other label is refused.
    unknown
        Labels that say that nothing is known, in upper or lower case.
    depth
        Variable with the total counts of each patient: its correlation with the score is reported, since a score of counts that are not
        normalized rises with it.
    level
        Coverage of all limits.

    Returns
    -------
    Dataset over ``patient`` (those compared), ``group`` and ``pair``: ``response_score``, ``response_label``, ``response_group_patients``,
    medians and quartiles; per pair ``response_pair_shift`` and ``response_pair_auroc`` with limits, ``response_pair_p_value`` with its
    Holm and Benjamini-Hochberg values over all pairs, and the smallest P that so many patients can reach. Numbers: trend, Kruskal-Wallis,
    patients used and left out, and whether the score differs where the response is not known.

    Raises
    ------
    MissingVariableError
        If a variable is absent. The message lists those present.
    InputError
        If a label is neither in ``order`` nor in ``unknown``, fewer than two groups have patients, or a score is infinite.

    Warns
    -----
    SmallSampleWarning
        If a pair has so few patients that no arrangement of them reaches 0.05.

    Notes
    -----
    Passes over the counts: 0. Limits of the shift are differences at the quantiles of the rank sum, so they are not numbers where so few
    patients allow no such coverage; those of the area where a group has one patient, or the groups do not overlap. The trend is exact
    up to 100 patients without ties. The family of the adjusted P values is that of the pairs.

    References
    ----------
    .. [1] Wilcoxon F (1945). Individual comparisons by ranking methods. Biometrics Bulletin 1:80-83.
    .. [2] Jonckheere AR (1954). A distribution-free k-sample test against ordered alternatives. Biometrika 41:133-145.
    .. [3] Kruskal WH, Wallis WA (1952). Use of ranks in one-criterion variance analysis. JASA 47:583-621.

    Examples
    --------
    >>> patients = xr.Dataset({
    ...     "stemness": ("patient", [0.1, 0.2, 0.4, 0.5, 0.6, 0.8, 0.9, 1.1, 0.7]),
    ...     "day_29": ("patient", ["M1", "M1", "M1", "M1", "M3", "M3", "M3", "M3", "Unknown"]),
    ... })
    >>> result = response_groups(patients, score="stemness", response="day_29", order=["M1", "M3"])
    >>> round(float(result["response_pair_p_value"][0]), 4), int(result["response_patients_without_response"])
    (0.0286, 1)
    """
    check_between(level, parameter="level", caller="response_groups", minimum=0.5, maximum=0.9999)
    names = patient_names(patients, caller="response_groups")
    values = read_measurement(patients, score, caller="response_groups")
    codes, labels = read_ordered(patients, response, order=order, unknown=unknown, caller="response_groups")
    flow = count_flow(values, codes >= 0)
    used = ~np.isnan(values) & (codes >= 0)
    # Sorted, so that sums do not depend on the order of the patients.
    groups = [np.sort(values[used & (codes == code)]) for code in range(len(labels))]
    _check_groups(groups, labels, score=score, response=response)
    pairs = list(combinations(range(len(labels)), 2))
    found = _pair_values(groups, labels, pairs, level=level)
    beside, notes = ({}, {}) if depth is None else _depth_values(patients, depth, values, codes, used)
    return make_result(
        RESULT,
        {
            **flow_values(flow, "response"),
            "response_score": values[used],
            "response_label": np.array([labels[code] for code in codes[used]], dtype=object),
            **_group_values(groups),
            **found,
            **_overall_values(values[used], codes[used]),
            **beside,
        },
        analysis="response_groups",
        parameters={
            "score": score,
            "response": response,
            "order": labels,
            "unknown": list(unknown),
            "depth": depth,
            "level": level,
        },
        coordinates={
            "patient": names[used],
            "group": labels,
            "pair": [f"{labels[second]} vs {labels[first]}" for first, second in pairs],
        },
        attributes={"family": f"all {len(pairs)} pairs of groups" if len(pairs) > 1 else "one pair of groups", **notes},
    )


def _check_groups(groups: list[Vector], labels: list[str], *, score: str, response: str) -> None:
    filled = [label for label, group in zip(labels, groups, strict=True) if group.size]
    if len(filled) < 2:
        message = (
            f"response_groups needs patients with {score!r} in at least two responses. With a known {response!r} they are in: "
            f"{listed(filled)}; of {listed(labels)}."
        )
        raise InputError(message)


def _group_values(groups: list[Vector]) -> dict[str, object]:
    quartiles = np.array([np.quantile(g, [0.25, 0.5, 0.75]) if g.size else np.full(3, np.nan) for g in groups])
    return {
        "response_group_patients": [group.size for group in groups],
        "response_group_lower_quartile": quartiles[:, 0],
        "response_group_median": quartiles[:, 1],
        "response_group_upper_quartile": quartiles[:, 2],
    }


def _pair_values(
    groups: list[Vector], labels: list[str], pairs: list[tuple[int, int]], *, level: float
) -> dict[str, object]:
    rows = [_compare(groups[first], groups[second], level=level) for first, second in pairs]
    columns = {name: np.array([row[name] for row in rows]) for name in rows[0]}
    p_value, minimum = columns["p_value"], columns["minimum_p_value"]
    helpless = [
        f"{labels[b]} vs {labels[a]}" for (a, b), least in zip(pairs, minimum, strict=True) if least > SIGNIFICANT
    ]
    if helpless:
        message = (
            f"With so few patients no arrangement of scores can give a P value of {SIGNIFICANT:g} in: {listed(helpless)}. Read their "
            "effects as a description."
        )
        warnings.warn(message, SmallSampleWarning, stacklevel=3)
    return {
        **{f"response_pair_{name}": column for name, column in columns.items()},
        "response_pair_holm_p_value": holm(p_value),
        "response_pair_q_value": benjamini_hochberg(p_value),
        "response_pair_first": np.array([labels[first] for first, _ in pairs], dtype=object),
        "response_pair_second": np.array([labels[second] for _, second in pairs], dtype=object),
    }


def _compare(first: Vector, second: Vector, *, level: float) -> dict[str, float]:
    if not first.size or not second.size:
        numbers = ("statistic", "p_value", "minimum_p_value", "auroc", "auroc_lower", "auroc_upper")
        shifts = ("shift", "shift_lower", "shift_upper")
        return {"patients": first.size + second.size, "exact": False} | dict.fromkeys((*numbers, *shifts), float("nan"))
    test, shift = rank_sum_test(first, second), shift_between(first, second, level=level)
    pooled = np.concatenate([first, second])
    areas = areas_under_curves(pooled[None, :], np.arange(pooled.size) >= first.size)
    lower, upper = area_limits(float(areas.estimates[0]), float(areas.covariance[0, 0]), level=level)
    return {
        "patients": pooled.size,
        "statistic": test.statistic,
        "p_value": test.p_value,
        "minimum_p_value": test.minimum_p_value,
        "exact": test.exact,
        "shift": shift.estimate,
        "shift_lower": shift.lower,
        "shift_upper": shift.upper,
        "auroc": test.statistic / test.pairs,
        "auroc_lower": lower,
        "auroc_upper": upper,
    }


def _overall_values(values: Vector, codes: Vector) -> dict[str, object]:
    present = np.unique(codes, return_inverse=True)[1]
    trend = trend_test(values, present)
    statistic, degrees, p_value = _kruskal(values, present)
    return {
        "response_trend_statistic": trend.statistic,
        "response_trend_auroc": trend.statistic / trend.pairs,
        "response_trend_p_value": trend.p_value,
        "response_trend_minimum_p_value": trend.minimum_p_value,
        "response_trend_exact": trend.exact,
        "response_kruskal_statistic": statistic,
        "response_kruskal_degrees_of_freedom": degrees,
        "response_kruskal_p_value": p_value,
    }


def _kruskal(values: Vector, codes: Vector) -> tuple[float, int, float]:
    ranks, n, sizes = rankdata(values), values.size, np.bincount(codes)
    ties = tie_sizes(values)
    shared = 1 - (ties**3 - ties).sum() / (n**3 - n)
    if shared <= 0:
        return 0.0, sizes.size - 1, 1.0
    statistic = float((12 / (n * (n + 1)) * (np.bincount(codes, ranks) ** 2 / sizes).sum() - 3 * (n + 1)) / shared)
    return statistic, sizes.size - 1, float(chdtrc(sizes.size - 1, max(statistic, 0.0)))


def _depth_values(
    patients: xr.Dataset, depth: str, values: Vector, codes: Vector, used: Vector
) -> tuple[dict[str, object], dict[str, object]]:
    counts = read_measurement(patients, depth, caller="response_groups")
    both = used & ~np.isnan(counts)
    found = spearman(values[both], counts[both])
    present = np.unique(codes[both], return_inverse=True)[1]
    between = _kruskal(counts[both], present)[2] if present.size and present.max() else float("nan")
    return {
        "response_depth_correlation": found.estimate,
        "response_depth_p_value": found.p_value,
        "response_depth_kruskal_p_value": between,
    }, {
        "depth_note": f"{depth!r} of n = {both.sum()} patients; adjust for it with ordinal_regression where both rows differ."
    }
