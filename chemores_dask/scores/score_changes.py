"""How a score of cells changes from one stage to another, with patients as the replicates."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import dask.array as da
import numpy as np
import xarray as xr
from scipy.special import stdtrit

from chemores_dask.aliases import Block, Columns, Matrix, Vector
from chemores_dask.checks import check_variables, listed
from chemores_dask.errors import DroppedPatientsWarning, InputError, SmallSampleWarning
from chemores_dask.kernels.attainable_p import minimum_rank_sum_p_value
from chemores_dask.kernels.multiple_testing import benjamini_hochberg
from chemores_dask.kernels.paired_tests import (
    EXACT_SIGN_FLIPS,
    EXACT_SIGNED_RANKS,
    minimum_p_value,
    paired_t_test,
    sign_flip_test,
    signed_rank_test,
)
from chemores_dask.kernels.rank_tests import EXACT_GROUP, rank_sum_test, shift_between
from chemores_dask.kernels.reduction import Reduction
from chemores_dask.results_spec import Variable, declare, make_result
from chemores_dask.scores.score_bins import GROUP, ROWS_PER_BLOCK, cell_labels, refuse_broken
from chemores_dask.stream import compute, reduce_rows

ALGORITHM_REVISION = 1

CALLER = "score_changes"
LEVEL = 0.95
SIGNIFICANT = 0.05

SAME = 1e-9
"""Differences closer than this share of the largest mean score are tied: blocks of other sizes add up to other last digits."""

SCORE = "unit of the score"
_BOTH = ("patient", "gene_set")
_SET = ("gene_set",)
RESULT = declare(
    Variable("score_change_before", _BOTH, "f", unit=SCORE, doc="mean of the cells; missing where there are none"),
    Variable("score_change_after", _BOTH, "f", unit=SCORE, doc="mean of the cells; missing where there are none"),
    Variable("score_change_difference", _BOTH, "f", unit=SCORE, doc="after minus before"),
    Variable("score_change_cells_before", ("patient",), "i", unit="cells"),
    Variable("score_change_cells_after", ("patient",), "i", unit="cells"),
    Variable("score_change_patients", _SET, "i", unit="patients", doc="compared: with both stages, or else with one"),
    Variable("score_change_patients_before", _SET, "i", unit="patients", doc="with cells before"),
    Variable("score_change_patients_after", _SET, "i", unit="patients", doc="with cells after"),
    Variable("score_change_pairs", _SET, "i", unit="patients", doc="with cells at both stages"),
    Variable("score_change_patients_rising", _SET, "i", unit="patients", doc="of those with both, whose mean rises"),
    Variable("score_change_mean_difference", _SET, "f", unit=SCORE, doc="within patients"),
    Variable("score_change_mean_difference_lower", _SET, "f", unit=SCORE, doc="lower 95 % limit (t)"),
    Variable("score_change_mean_difference_upper", _SET, "f", unit=SCORE, doc="upper 95 % limit (t)"),
    Variable("score_change_t_statistic", _SET, "f", doc="paired"),
    Variable("score_change_t_p_value", _SET, "f", doc="two-sided, paired"),
    Variable("score_change_t_q_value", _SET, "f", doc="Benjamini-Hochberg over gene sets"),
    Variable("score_change_sign_flip_p_value", _SET, "f", doc="two-sided, paired"),
    Variable("score_change_signed_rank_p_value", _SET, "f", doc="two-sided, paired"),
    Variable("score_change_minimum_p_value", (), "f", doc="smallest P of a test of signs with so many pairs"),
    Variable("score_change_shift", _SET, "f", unit=SCORE, doc="unpaired: median of all differences of patients"),
    Variable("score_change_shift_lower", _SET, "f", unit=SCORE, doc="lower 95 % limit (rank sum)"),
    Variable("score_change_shift_upper", _SET, "f", unit=SCORE, doc="upper 95 % limit (rank sum)"),
    Variable("score_change_rank_sum_p_value", _SET, "f", doc="two-sided, unpaired"),
    Variable("score_change_rank_sum_q_value", _SET, "f", doc="Benjamini-Hochberg over gene sets"),
    Variable("score_change_rank_sum_minimum_p_value", _SET, "f", doc="smallest P of so many patients on both sides"),
)

PAIRED = (
    "mean_difference",
    "mean_difference_lower",
    "mean_difference_upper",
    "t_statistic",
    "t_p_value",
    "sign_flip_p_value",
    "signed_rank_p_value",
)
UNPAIRED = ("shift", "shift_lower", "shift_upper", "rank_sum_p_value", "rank_sum_minimum_p_value")


def score_changes(
    scores: xr.Dataset, *, patient: str = "patient", stage: str = "stage", before: str, after: str
) -> xr.Dataset:
    """Test whether a score of cells changes from one stage, or arm, to another, over patients.

    Per patient, stage and gene set the score is the mean over the patient's cells at that stage. Where patients have cells at both
    stages, their differences ``d = after - before`` are tested by Student's t, by flipping signs (exact up to 40 patients, normal
    beyond) and by Wilcoxon's signed ranks (exact up to 200); patients with one stage are left out. Only where nobody has both, the
    means of the patients before and after are compared by Wilcoxon's rank sum (exact, ties included, with both sides below 50).

    Parameters
    ----------
    scores
        Result of a score of cells: ``cell_score`` over (cell, gene_set), with ``patient`` and ``stage`` as variables over ``cell``
        (``scores.assign(stage=("cell", cells.obs["stage"]))``); may be lazy.
    patient, stage
        Variables over ``cell``. A cell at a stage that is not compared has no part.
    before, after
        The two stages.

    Returns
    -------
    Dataset over ``patient`` (with cells at either stage, sorted) and ``gene_set``: ``score_change_before``, ``_after`` and ``_difference``;
    over ``patient``: ``score_change_cells_before``, ``_after``. Over ``gene_set``: ``score_change_pairs``, ``_patients`` (those compared),
    ``_patients_before``, ``_after`` and ``_rising``; of pairs ``score_change_mean_difference`` with limits (t, 95 %), statistic, P values,
    and q values of the t test; without pairs ``score_change_shift`` (Hodges and Lehmann, with limits), ``_rank_sum_p_value``,
    ``_rank_sum_q_value`` and ``_rank_sum_minimum_p_value``. ``score_change_minimum_p_value = 2 / 2^n`` is the smallest P of a test of
    signs. Values of the design that does not hold are not numbers. Attributes: ``design`` (paired, unpaired), ``patients_dropped``, tests.

    Raises
    ------
    MissingVariableError
        If ``scores`` lacks a variable.
    InputError
        If a stage is not there, both are the same, the patient or stage of a cell is not known, or scores that are compared are missing
        or infinite.

    Warns
    -----
    DroppedPatientsWarning
        If some patients have both stages, and others are left out because they have one.
    SmallSampleWarning
        If so few patients are compared that the exact tests cannot reach 0.05.

    Notes
    -----
    Passes over the counts: 1 computed if the scores are lazy and come from counts, otherwise 0. Memory does not grow with cells beyond two
    numbers for each: sums are kept per patient, stage and gene set. Every patient counts the same, however many cells there are: the mean
    of few cells is less sure, and ``score_change_cells_before`` says how many. Means that differ by less than a billionth of the
    largest are tied. Where all differences are equal, t and its P are not numbers.

    References
    ----------
    Fisher RA (1935). The Design of Experiments, section 21. Oliver and Boyd.
    Wilcoxon F (1945). Individual comparisons by ranking methods. Biometrics Bulletin 1:80-83.
    Hodges JL, Lehmann EL (1963). Estimates of location based on rank tests. Ann Math Stat 34:598-611.
    Squair JW, et al. (2021). Confronting false discoveries in single-cell differential expression. Nature Communications 12:5692.

    Examples
    --------
    >>> scores = xr.Dataset(
    ...     {"cell_score": (("cell", "gene_set"), [[0.0], [0.2], [0.5], [0.3], [0.4]])},
    ...     coords={
    ...         "gene_set": ["stemness"],
    ...         "patient": ("cell", ["P1", "P1", "P1", "P2", "P2"]),
    ...         "stage": ("cell", ["diagnosis", "diagnosis", "relapse", "diagnosis", "relapse"]),
    ...     },
    ... )
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore")
    ...     result = score_changes(scores, before="diagnosis", after="relapse")
    >>> result["score_change_difference"].values.round(6).ravel()
    array([0.4, 0.1])
    >>> float(result["score_change_minimum_p_value"])
    0.5
    """
    check_variables(scores, ["cell_score"], dims=("cell", "gene_set"), what="scores", caller=CALLER)
    codes, patients = _groups(scores, columns=(patient, stage), stages=(before, after))
    cells, means = _means(scores, codes, patients=len(patients))
    there = cells > 0
    paired = np.asarray(there.all(axis=1))
    dropped = [] if not paired.any() else [str(name) for name in patients[~paired]]
    values = _paired_tests(means, paired) if paired.any() else _unpaired_tests(means, there)
    smallest = minimum_p_value(int(paired.sum())) if paired.any() else minimum_rank_sum_p_value(*there.sum(axis=0))
    _warn(dropped, smallest, there=there, paired=paired)
    sets = means.shape[2]
    return make_result(
        RESULT,
        {
            "score_change_before": means[:, 0],
            "score_change_after": means[:, 1],
            "score_change_difference": means[:, 1] - means[:, 0],
            "score_change_cells_before": cells[:, 0],
            "score_change_cells_after": cells[:, 1],
            "score_change_patients": np.full(sets, paired.sum() or len(patients)),
            "score_change_patients_before": np.full(sets, there[:, 0].sum()),
            "score_change_patients_after": np.full(sets, there[:, 1].sum()),
            "score_change_pairs": np.full(sets, paired.sum()),
            "score_change_minimum_p_value": smallest if paired.any() else np.nan,
            **values,
        },
        analysis=CALLER,
        parameters={"patient": patient, "stage": stage, "before": before, "after": after},
        coordinates={"patient": patients, "gene_set": scores["gene_set"].to_numpy()},
        attributes={
            "design": "paired" if paired.any() else "unpaired",
            "tests": _test_names(there, paired),
            "patients_dropped": dropped,
        },
    )


def _test_names(there: Matrix, paired: Vector) -> list[str]:
    def named(test: str, *, exact: bool) -> str:
        return f"{test} ({'exact' if exact else 'normal approximation'})"

    pairs = paired.sum()
    if not pairs:
        return [named("Wilcoxon rank sum", exact=there.sum(axis=0).max() < EXACT_GROUP)]
    flips = named("sign flips", exact=pairs <= EXACT_SIGN_FLIPS)
    return ["paired t", flips, named("Wilcoxon signed rank", exact=pairs <= EXACT_SIGNED_RANKS)]


def _groups(scores: xr.Dataset, *, columns: tuple[str, str], stages: tuple[str, str]) -> tuple[Vector, Vector]:
    """Twice the place of each cell's patient, and one more after; -1 at other stages. The patients, sorted."""
    owners, names = cell_labels(scores, columns[0], what="patient", caller=CALLER)
    places, labels = cell_labels(scores, columns[1], what="stage", caller=CALLER)
    present = [str(label) for label in labels]
    if stages[0] == stages[1] or any(stage not in present for stage in stages):
        message = (
            f"The stages 'before' and 'after' of {CALLER} must be two values of {columns[1]!r}. Got {stages[0]!r} and {stages[1]!r}; "
            f"present: {listed(present)}."
        )
        raise InputError(message)
    side = np.full(len(present), -1, dtype=np.int64)
    side[[present.index(stage) for stage in stages]] = 0, 1
    sides = side[places]
    met, numbers = np.unique(owners[sides >= 0], return_inverse=True)
    codes = np.full(len(owners), -1, dtype=np.int64)
    codes[sides >= 0] = 2 * numbers + sides[sides >= 0]
    return codes, names[met]


@dataclass(frozen=True)
class _Sums:
    """Cells of each group, the sums of their scores (groups by gene sets), and how many cells have scores that are no numbers."""

    cells: Vector
    scores: Matrix
    broken: int


@dataclass(frozen=True)
class _SumBlock:
    """Adds up the scores of one block by group."""

    groups: int

    def __call__(self, rows: Block, columns: Columns) -> _Sums:
        compared = columns[GROUP] >= 0
        codes, values = columns[GROUP][compared], rows.toarray()[compared].astype(float)
        finite = np.isfinite(values).all(axis=1)
        codes, values = codes[finite], values[finite]
        sums = [np.bincount(codes, weights=column, minlength=self.groups) for column in values.T]
        return _Sums(np.bincount(codes, minlength=self.groups), np.stack(sums, axis=1), int((~finite).sum()))


def _merge(first: _Sums, second: _Sums) -> _Sums:
    return _Sums(first.cells + second.cells, first.scores + second.scores, first.broken + second.broken)


def _means(scores: xr.Dataset, codes: Vector, *, patients: int) -> tuple[Matrix, Matrix]:
    """Cells, patients by (before, after), and mean scores, the same by gene sets."""
    data = scores["cell_score"].data
    if not data.shape[1]:
        message = f"{CALLER} needs the score of a gene set. Found none over 'gene_set'."
        raise InputError(message)
    rows = data.rechunk({1: -1}) if isinstance(data, da.Array) else da.from_array(data, chunks=(ROWS_PER_BLOCK, -1))
    reduction = Reduction(block=_SumBlock(2 * patients), merge=_merge)
    (sums,) = compute(reduce_rows(rows, reduction, columns={GROUP: codes}))
    refuse_broken(sums.broken, int((codes >= 0).sum()))
    counts = sums.cells.astype(float)[:, None]
    means = np.divide(sums.scores, counts, out=np.full(sums.scores.shape, np.nan), where=counts > 0)
    return sums.cells.reshape(patients, 2), means.reshape(patients, 2, -1)


def _settled(values: Vector, *, scale: float) -> Vector:
    """Values, of which those that follow each other closely are the same."""
    order = np.argsort(values, kind="stable")
    ranked = values[order]
    starts = np.concatenate([[True], np.diff(ranked) > SAME * scale])
    same = np.empty(len(values))
    same[order] = ranked[starts][np.cumsum(starts) - 1]
    return same


def _paired_tests(means: Matrix, paired: Vector) -> dict[str, object]:
    found: dict[str, list[float]] = {name: [] for name in (*PAIRED, "patients_rising")}
    for pairs in np.moveaxis(means[paired], 2, 0):
        scale = float(np.abs(pairs).max())
        raw = pairs[:, 1] - pairs[:, 0]
        sizes = _settled(np.where(np.abs(raw) > SAME * scale, np.abs(raw), 0.0), scale=scale)
        differences, n = np.sign(raw) * sizes, len(raw)
        mean = float(raw.mean())
        reach = float(stdtrit(n - 1, 0.5 + LEVEL / 2) * differences.std(ddof=1) / np.sqrt(n)) if n > 1 else np.nan
        tests = (*paired_t_test(differences), sign_flip_test(differences)[0], signed_rank_test(differences)[0])
        for name, value in zip(PAIRED, (mean, mean - reach, mean + reach, *tests), strict=True):
            found[name].append(value)
        found["patients_rising"].append(int((differences > 0).sum()))
    return _named(found, missing=UNPAIRED)


def _unpaired_tests(means: Matrix, there: Vector) -> dict[str, object]:
    found: dict[str, list[float]] = {name: [] for name in UNPAIRED}
    for table in np.moveaxis(means, 2, 0):
        pooled = np.concatenate([table[there[:, side], side] for side in (0, 1)])
        pooled = _settled(pooled, scale=float(np.abs(pooled).max()))
        first, second = np.split(pooled, [int(there[:, 0].sum())])
        test, shift = rank_sum_test(first, second), shift_between(first, second, level=LEVEL)
        values = (shift.estimate, shift.lower, shift.upper, test.p_value, test.minimum_p_value)
        for name, value in zip(UNPAIRED, values, strict=True):
            found[name].append(value)
    return _named({**found, "patients_rising": [0] * means.shape[2]}, missing=PAIRED)


def _named(found: dict[str, list[float]], *, missing: tuple[str, ...]) -> dict[str, object]:
    """Values by the name of their variable, those of the other design missing; with q values."""
    sets = len(found["patients_rising"])
    values = {name: np.array(numbers) for name, numbers in found.items()}
    values |= {name: np.full(sets, np.nan) for name in missing}
    values |= {f"{test}_q_value": benjamini_hochberg(values[f"{test}_p_value"]) for test in ("t", "rank_sum")}
    return {f"score_change_{name}": value for name, value in values.items()}


def _warn(dropped: list[str], smallest: float, *, there: Matrix, paired: Vector) -> None:
    if dropped:
        message = (
            f"{len(dropped)} of {len(paired)} patients have no cells at one of the stages and are left out of the tests: "
            f"{listed(dropped)}."
        )
        warnings.warn(message, DroppedPatientsWarning, stacklevel=3)
    if smallest > SIGNIFICANT:
        sides = there.sum(axis=0)
        who = (
            f"{paired.sum()} patients no test of signs"
            if paired.any()
            else f"{sides[0]} against {sides[1]} patients no rank-sum test"
        )
        message = (
            f"With {who} can give a P value below {smallest:g}, whatever the scores say; add patients, and read the means "
            "as a description."
        )
        warnings.warn(message, SmallSampleWarning, stacklevel=3)
