"""Whether the gene sets of one cohort come again in another."""

from __future__ import annotations

import numpy as np
import xarray as xr
from scipy.stats import hypergeom, spearmanr

from chemores_dask.aliases import Vector
from chemores_dask.checks import check_between, check_variables, listed
from chemores_dask.errors import GeneMismatchError, InputError
from chemores_dask.results_spec import Variable, declare, make_result

ALGORITHM_REVISION = 1

CALLER = "enrichment_replication"
SCORE, Q_VALUE, PATIENTS = "prerank_normalized_score", "prerank_q_value", "prerank_patients"
MINIMUM_SETS = 3
NEITHER, FIRST, SECOND, BOTH, OPPOSITE = range(5)

_SET, _DIRECTION = ("gene_set",), ("direction",)
RESULT = declare(
    Variable("replication_first_score", _SET, "f", doc="normalized score in the first cohort"),
    Variable("replication_second_score", _SET, "f", doc="normalized score in the second cohort"),
    Variable("replication_first_q_value", _SET, "f", doc="Benjamini-Hochberg, genes permuted, first cohort"),
    Variable("replication_second_q_value", _SET, "f", doc="Benjamini-Hochberg, genes permuted, second cohort"),
    Variable("replication_outcome", _SET, "i", flags=("neither", "first_only", "second_only", "both", "opposite")),
    Variable("replication_rank_correlation", (), "f", doc="Spearman's, of the normalized scores"),
    Variable("replication_same_sign_share", (), "f", doc="sets whose scores have the same sign"),
    Variable("replication_sets", (), "i", unit="sets", doc="tested in both cohorts"),
    Variable("replication_opposite_sets", (), "i", unit="sets", doc="significant in both with opposite signs"),
    Variable("replication_first_sets", _DIRECTION, "i", unit="sets", doc="significant in the first cohort"),
    Variable("replication_second_sets", _DIRECTION, "i", unit="sets", doc="significant in the second cohort"),
    Variable("replication_both_sets", _DIRECTION, "i", unit="sets", doc="significant in both"),
    Variable("replication_expected_sets", _DIRECTION, "f", unit="sets", doc="in both if the cohorts shared nothing"),
    Variable("replication_p_value", _DIRECTION, "f", doc="hypergeometric: as many sets in both, or more; sets overlap"),
    Variable("replication_first_patients", (), "i", unit="patients", optional=True),
    Variable("replication_second_patients", (), "i", unit="patients", optional=True),
)


def enrichment_replication(first: xr.Dataset, second: xr.Dataset, *, level: float = 0.05) -> xr.Dataset:
    """Whether the gene sets of one cohort come again in another.

    Over the sets tested in both: Spearman's correlation of normalized scores; and of the sets that are significant in the first and
    have a score of one sign, how many are so in the second, with the hypergeometric chance of as many or more.

    Parameters
    ----------
    first
        Result of :func:`prerank_enrichment` in one cohort.
    second
        The same of another cohort, with the same sets.
    level
        Sets with q below it are significant.

    Returns
    -------
    Dataset over ``gene_set`` (those tested in both): ``replication_first_score``, ``replication_second_score``,
    ``replication_first_q_value``, ``replication_second_q_value``, ``replication_outcome``; over ``direction`` (up and down):
    ``replication_first_sets``, ``replication_second_sets``, ``replication_both_sets``, ``replication_expected_sets``,
    ``replication_p_value``; ``replication_rank_correlation``, ``replication_same_sign_share``, ``replication_sets``,
    ``replication_opposite_sets``; ``replication_first_patients`` and ``replication_second_patients`` where the cohorts state them.

    Raises
    ------
    MissingVariableError
        If a result is another one.
    InputError
        If names of sets repeat.
    GeneMismatchError
        If fewer than three sets were tested in both.

    Notes
    -----
    Passes over the counts: 0. Sets share genes, so they are not independent, and the hypergeometric P is too small: read it beside the
    expected number. The correlation has no P for the same reason.

    References
    ----------
    Cahan P, Rovegno F, Mooney D, Newman JC, St Laurent G, McCaffrey TA (2007). Meta-analysis of microarray results: challenges,
    opportunities, and recommendations for standardization. Gene 401:12-18.
    """
    check_between(level, parameter="level", caller=CALLER, minimum=0.0, maximum=1.0)
    own = _columns(first, "first")
    other = _columns(second, "second")
    names = [name for name in own if name in other]
    table = np.array([(*own[name], *other[name]) for name in names], dtype=np.float64).reshape(-1, 4)
    tested = np.asarray(~np.isnan(table).any(axis=1))
    if tested.sum() < MINIMUM_SETS:
        message = (
            f"{CALLER} needs at least {MINIMUM_SETS} sets that were tested in both cohorts. Found {tested.sum()} of {len(own)} and "
            f"{len(other)}; sets of the first: {listed(own)}; of the second: {listed(other)}. Test both with the same sets."
        )
        raise GeneMismatchError(message)
    table = table[tested]
    scores, significant = table[:, [0, 2]], table[:, [1, 3]] < level
    outcome = _outcomes(scores, significant)
    return make_result(
        RESULT,
        {
            "replication_first_score": table[:, 0],
            "replication_second_score": table[:, 2],
            "replication_first_q_value": table[:, 1],
            "replication_second_q_value": table[:, 3],
            "replication_outcome": outcome,
            "replication_rank_correlation": _rank_correlation(scores),
            "replication_same_sign_share": float((np.sign(scores[:, 0]) == np.sign(scores[:, 1])).mean()),
            "replication_sets": np.int64(len(table)),
            "replication_opposite_sets": np.int64((outcome == OPPOSITE).sum()),
            **_overlaps(scores, significant),
            **_patients(first, "replication_first_patients"),
            **_patients(second, "replication_second_patients"),
        },
        analysis=CALLER,
        parameters={"level": level},
        coordinates={
            "gene_set": [name for name, both in zip(names, tested, strict=True) if both],
            "direction": ["up", "down"],
        },
    )


def _columns(enrichment: xr.Dataset, called: str) -> dict[str, tuple[float, float]]:
    check_variables(enrichment, [SCORE, Q_VALUE], dims=_SET, what=f"the {called} result", caller=CALLER)
    names = [str(name) for name in enrichment["gene_set"].values]
    if len(set(names)) != len(names):
        message = f"Names of sets must be unique. Those of the {called} result are not: {listed(names)}; rename them."
        raise InputError(message)
    values = zip(enrichment[SCORE].values.tolist(), enrichment[Q_VALUE].values.tolist(), strict=True)
    return dict(zip(names, values, strict=True))


def _outcomes(scores: np.ndarray, significant: np.ndarray) -> Vector:
    same = np.sign(scores[:, 0]) == np.sign(scores[:, 1])
    one, two = significant.T
    return np.select([one & two & same, one & two, one, two], [BOTH, OPPOSITE, FIRST, SECOND], NEITHER).astype(np.int64)


def _rank_correlation(scores: np.ndarray) -> float:
    if (np.ptp(scores, axis=0) == 0).any():
        return float("nan")
    return float(spearmanr(scores[:, 0], scores[:, 1]).statistic)


def _overlaps(scores: np.ndarray, significant: np.ndarray) -> dict[str, Vector]:
    sided = np.stack([significant & (scores > 0), significant & (scores < 0)])
    one, two = sided[:, :, 0].sum(axis=1), sided[:, :, 1].sum(axis=1)
    both = sided.all(axis=2).sum(axis=1)
    sets = len(scores)
    return {
        "replication_first_sets": one,
        "replication_second_sets": two,
        "replication_both_sets": both,
        "replication_expected_sets": one * two / sets,
        "replication_p_value": hypergeom.sf(both - 1, sets, one, two),
    }


def _patients(enrichment: xr.Dataset, name: str) -> dict[str, object]:
    if PATIENTS not in enrichment:
        return {}
    return {name: np.int64(enrichment[PATIENTS].values)}
