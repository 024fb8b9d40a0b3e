"""Gene set enrichment of a ranking: where in it the genes of a set gather."""

from __future__ import annotations

import numpy as np
import xarray as xr

from chemores_dask.aliases import Vector
from chemores_dask.checks import check_between, check_whole
from chemores_dask.cohort.enrichment.random_sets import P_METHODS, draw_random_sets, judge_scores, split_rare_scores
from chemores_dask.cohort.enrichment.ranked_genes import RankedGenes, as_dataset, patients_behind, rank_genes
from chemores_dask.cohort.enrichment.set_members import (
    OK,
    SIZE_FLAGS,
    SetMembers,
    check_sizes,
    find_members,
    recorded_sets,
    size_status,
)
from chemores_dask.gene_sets import GeneSets
from chemores_dask.kernels.multiple_testing import benjamini_hochberg
from chemores_dask.kernels.running_sum import set_scores
from chemores_dask.results_spec import Variable, declare, make_result

ALGORITHM_REVISION = 1

LARGEST_WEIGHT = 10.0
CALLER = "prerank_enrichment"

_SET = ("gene_set",)
RESULT = declare(
    Variable("prerank_score", _SET, "f", doc="enrichment score: the point of the running sum farthest from 0"),
    Variable(
        "prerank_normalized_score", _SET, "f", doc="over the mean score of random sets of the same size and sign (NES)"
    ),
    Variable("prerank_p_value", _SET, "f", doc="among random sets of the same size and sign; genes are permuted"),
    Variable("prerank_p_method", _SET, "i", flags=(*P_METHODS, "none")),
    Variable("prerank_p_error", _SET, "f", doc="standard error of log2 P, from the draw of random sets"),
    Variable("prerank_q_value", _SET, "f", doc="Benjamini-Hochberg over the sets tested"),
    Variable("prerank_fdr_q_value", _SET, "f", doc="false discovery rate on normalized scores, as GSEA defines it"),
    Variable("prerank_status", _SET, "i", flags=SIZE_FLAGS),
    Variable("prerank_genes", _SET, "i", unit="genes", doc="of the set that are ranked"),
    Variable("prerank_listed_genes", _SET, "i", unit="genes", doc="of the set, ranked or not"),
    Variable("prerank_leading_genes", _SET, "i", unit="genes", doc="of the leading edge"),
    Variable("prerank_offset", ("offset",), "i", doc="where the members of each set start, and the end of the last"),
    Variable("prerank_member", ("member",), "i", doc="number of the gene from 0, set after set, the highest first"),
    Variable("prerank_member_leading", ("member",), "b", doc="belongs to the leading edge"),
    Variable("prerank_value", ("gene",), "f", unit="what is ranked"),
    Variable("prerank_place", ("gene",), "i", doc="1 for the highest value, ties by name; 0 for genes without a value"),
    Variable("prerank_ranked_genes", (), "i", unit="genes"),
    Variable("prerank_tied_share", (), "f", doc="genes that share their value with another"),
    Variable(
        "prerank_patients", (), "i", unit="patients", doc="behind the ranking; they are not permuted", optional=True
    ),
)


def prerank_enrichment(
    ranking: xr.Dataset | xr.DataArray,
    gene_sets: GeneSets,
    *,
    statistic: str,
    minimum_size: int = 5,
    maximum_size: int = 10_000,
    weight: float = 1.0,
    permutations: int = 1000,
    seed: int,
) -> xr.Dataset:
    """Where in a ranking of genes the genes of a set gather (preranked GSEA).

    The ranking is walked from its highest gene to its lowest: up by ``|r|**weight`` over the sum of these over the set at each of its n
    genes, down by 1 / (N - n) at each of the others. The enrichment score is the point farthest from 0 [1]_; the leading edge are the
    genes up to it, or from it on where it is negative. Equal to gseapy's ``prerank``. Normalized score, P and false discovery rate
    come from random sets of the same size, drawn once for all sets of this size [2]_.

    Parameters
    ----------
    ranking
        Genes with a statistic, over ``gene``: a difference between groups of patients, or a result of :func:`cox_scan`. A moderated t or
        signed -log10 P (:func:`ranking_of`) is better than a fold change, in which genes with few counts stand first.
    gene_sets
        Sets without direction, named as the genes are. Weights of genes are not looked at.
    statistic
        Variable over ``gene`` by which they are ranked, the highest first; ties are ordered by the names of the genes. Genes where it is
        not a number are not ranked.
    minimum_size, maximum_size
        Fewest and most ranked genes of a set that is tested. Others keep their coverage and a status.
    weight
        Exponent of the statistic; 0 counts members only.
    permutations
        Random sets of each size.
    seed
        Of the random sets. A set has the same score and P among whatever other sets.

    Returns
    -------
    Dataset over ``gene_set``: ``prerank_score``, ``prerank_normalized_score``, ``prerank_p_value``, ``prerank_p_method``,
    ``prerank_p_error``, ``prerank_q_value`` (Benjamini-Hochberg), ``prerank_fdr_q_value`` (as GSEA defines it),
    ``prerank_status``, ``prerank_genes``, ``prerank_listed_genes``, ``prerank_leading_genes``. The members lie one after the other over
    ``member`` (see :func:`leading_edge`); the ranking itself over ``gene``. Sets whose status is not ``ok`` have no numbers.

    Raises
    ------
    MissingVariableError
        If the statistic or the names of the genes are absent.
    InputError
        If names of genes repeat, or values are infinite or all the same, or a set has genes of both directions.
    GeneMismatchError
        If no set can be tested.
    ParameterError
        If a parameter is outside its limits.

    Warns
    -----
    TiedRanksWarning
        If more than a tenth of the genes share their value with others.

    Notes
    -----
    Passes over the counts: 0. Memory: different sizes x permutations x 8 bytes. P is ``(1 + k) / (1 + n)`` with ``k`` of ``n`` random
    sets of the same sign at least as far from 0; gseapy gives ``k / n``. Where ``k`` is below 10, P comes from splitting, as fgsea does
    it [2]_: down to 1e-10, which stands for all that is smaller. ``prerank_p_method`` and ``prerank_p_error`` say how, and how surely.
    The false discovery rate rests on the permutations alone, and may be 0. Where no random set has the sign of a score, its normalized
    score and rate are not numbers. A sum that goes as far up as down scores 0; where no member weighs anything, all count the same.

    **Genes are permuted, not patients.** Genes of a set rise and fall together even where nothing happens to the set, so these P values
    are too small for sets of correlated genes; they order sets. :func:`camera_enrichment` allows for that correlation. The number of
    patients stands beside the P where the ranking tells it.

    References
    ----------
    .. [1] Subramanian A et al. (2005). Gene set enrichment analysis: a knowledge-based approach for interpreting genome-wide expression
       profiles. PNAS 102:15545-15550.
    .. [2] Korotkevich G et al. (2021). Fast gene set enrichment analysis. bioRxiv 060012.

    Examples
    --------
    >>> ranking = xr.DataArray(
    ...     [3.0, 2.0, 1.0, -1.0, -2.0], dims="gene", coords={"gene": ["CD44", "MYB", "BCL2", "CD3E", "RAG1"]}, name="t"
    ... )
    >>> sets = GeneSets.from_mapping({"stemness": ["CD44", "BCL2"]})
    >>> found = prerank_enrichment(ranking, sets, statistic="t", minimum_size=2, permutations=10, seed=7)
    >>> float(found["prerank_score"][0])
    0.75
    """
    check_sizes(minimum_size, maximum_size, caller=CALLER)
    check_whole(permutations, parameter="permutations", caller=CALLER, minimum=1)
    check_between(weight, parameter="weight", caller=CALLER, minimum=0.0, maximum=LARGEST_WEIGHT)
    dataset = as_dataset(ranking, statistic)
    ranked = rank_genes(dataset, statistic=statistic, caller=CALLER)
    weights = _weights(ranked, weight)
    members = find_members(gene_sets, ranked.names, usable=ranked.places >= 0, caller=CALLER)
    status = size_status(
        members,
        gene_sets,
        genes=ranked.order.size,
        minimum_size=minimum_size,
        maximum_size=maximum_size,
        caller=CALLER,
    )
    tested = status == OK
    ordered = members.genes[np.lexsort((ranked.places[members.genes], members.owners))]
    scores, turns = _score_sets(weights, members, ranked.places[ordered], tested)
    leading = _leading(members, scores, turns)
    random_sets = draw_random_sets(weights, members.sizes[tested], permutations=permutations, seed=seed)
    own = scores[tested], members.sizes[tested]
    judged = split_rare_scores(judge_scores(*own, random_sets), *own, weights=weights, seed=seed)
    return make_result(
        RESULT,
        {
            "prerank_score": scores,
            **_judged_values(judged, tested),
            "prerank_status": status,
            "prerank_genes": members.sizes,
            "prerank_listed_genes": members.listed,
            "prerank_leading_genes": np.bincount(members.owners[leading], minlength=tested.size),
            "prerank_offset": members.offsets,
            "prerank_member": ordered,
            "prerank_member_leading": leading,
            "prerank_value": ranked.values,
            "prerank_place": ranked.places + 1,
            "prerank_ranked_genes": np.int64(ranked.order.size),
            "prerank_tied_share": ranked.tied_share,
            **patients_behind(dataset, statistic, name="prerank_patients"),
        },
        analysis=CALLER,
        parameters={
            "gene_sets": recorded_sets(gene_sets),
            "statistic": statistic,
            "minimum_size": minimum_size,
            "maximum_size": maximum_size,
            "weight": weight,
            "permutations": permutations,
            "seed": seed,
        },
        coordinates={"gene_set": list(gene_sets.names), "gene": ranked.names.astype(object)},
    )


def _weights(ranked: RankedGenes, weight: float) -> Vector:
    """Weight of every ranked gene, between 0 and 1: only their proportions count, and none overflows."""
    size = np.abs(ranked.values[ranked.order])
    return (size / size.max()) ** weight


def _score_sets(weights: Vector, members: SetMembers, places: Vector, tested: Vector) -> tuple[Vector, Vector]:
    """Score of each set tested, and the member where it is reached."""
    scores, turns = np.full(tested.size, np.nan), np.full(tested.size, -1, dtype=np.int64)
    chosen = np.flatnonzero(tested)
    found, where = np.empty(chosen.size), np.empty(chosen.size, dtype=np.int64)
    offsets = np.concatenate([[0], np.cumsum(members.sizes[chosen])])
    set_scores(weights, offsets, places[tested[members.owners]], found, where)
    scores[chosen], turns[chosen] = found, where
    return scores, turns


def _leading(members: SetMembers, scores: Vector, turns: Vector) -> Vector:
    """Which members belong to the leading edge."""
    owners = members.owners
    number = np.arange(owners.size) - members.offsets[owners]
    turn, score = turns[owners], scores[owners]
    return (turn >= 0) & np.where(score > 0, number <= turn, number >= turn)


def _judged_values(judged: dict[str, Vector], tested: Vector) -> dict[str, Vector]:
    names = {
        "prerank_normalized_score": "normalized",
        "prerank_p_value": "p_value",
        "prerank_p_error": "p_error",
        "prerank_fdr_q_value": "fdr",
    }
    values = {}
    for name, quantity in names.items():
        values[name] = np.full(tested.size, np.nan)
        values[name][tested] = judged[quantity]
    method = np.full(tested.size, len(P_METHODS), dtype=np.int64)
    method[tested] = judged["p_method"]
    q_value = benjamini_hochberg(values["prerank_p_value"])
    return {**values, "prerank_p_method": method, "prerank_q_value": q_value}
