"""Whether the targets of a transcription factor go up or down: among genes that change, targets against the rest."""

from __future__ import annotations

import numpy as np
import xarray as xr
from scipy.stats import fisher_exact

from chemores_dask.aliases import Vector
from chemores_dask.checks import listed
from chemores_dask.cohort.enrichment.ranked_genes import gene_names, gene_truths, patients_behind
from chemores_dask.cohort.enrichment.set_members import (
    OK,
    SIZE_FLAGS,
    check_sizes,
    find_members,
    recorded_sets,
    size_status,
)
from chemores_dask.errors import InputError
from chemores_dask.gene_sets import GeneSets
from chemores_dask.kernels.multiple_testing import benjamini_hochberg
from chemores_dask.results_spec import Variable, declare, make_result

ALGORITHM_REVISION = 1

CALLER = "regulon_direction"
ADDED = 1
"""In every cell of a table."""

_SET = ("gene_set",)
RESULT = declare(
    Variable("regulon_log_odds_ratio", _SET, "f", unit="log2 odds ratio", doc="above 0 where targets go up"),
    Variable("regulon_p_value", _SET, "f", doc="Fisher's exact test, two-sided, one added to every cell"),
    Variable("regulon_q_value", _SET, "f", doc="Benjamini-Hochberg over the regulons tested"),
    Variable("regulon_status", _SET, "i", flags=SIZE_FLAGS),
    Variable("regulon_up_targets", _SET, "i", unit="genes"),
    Variable("regulon_down_targets", _SET, "i", unit="genes"),
    Variable("regulon_listed_genes", _SET, "i", unit="genes", doc="targets, changed or not"),
    Variable("regulon_up_genes", (), "i", unit="genes"),
    Variable("regulon_down_genes", (), "i", unit="genes"),
    Variable("regulon_patients", (), "i", unit="patients", doc="behind the choice of genes", optional=True),
)


def regulon_direction(
    genes: xr.Dataset,
    regulons: GeneSets,
    *,
    up: str = "selection_up",
    down: str = "selection_down",
    minimum_size: int = 1,
    maximum_size: int = 10_000,
) -> xr.Dataset:
    """Whether the targets of each transcription factor go up or down.

    Among the genes that change, a table of up and down against target and not, with one added to every cell; Fisher's exact test,
    two-sided, and log2 of ``(up targets * down others) / (down targets * up others)``. Genes that do not change are not looked at.

    Parameters
    ----------
    genes
        Result of :func:`gene_selection`, or any Dataset over ``gene``.
    regulons
        Targets of each factor, without direction.
    up, down
        Boolean variables over ``gene``.
    minimum_size, maximum_size
        Fewest and most changed targets of a factor.

    Returns
    -------
    Dataset over ``gene_set`` (the factors): ``regulon_log_odds_ratio``, ``regulon_p_value``, ``regulon_q_value``, ``regulon_status``,
    ``regulon_up_targets``, ``regulon_down_targets`` (as counted, without what is added), ``regulon_listed_genes``; the numbers
    ``regulon_up_genes``, ``regulon_down_genes``, and ``regulon_patients`` where the input states them.

    Raises
    ------
    MissingVariableError
        If a variable or the names of the genes are absent.
    InputError
        If names repeat, no gene changes, or one goes up and down.
    GeneMismatchError
        If no factor has enough changed targets.

    Notes
    -----
    Passes over the counts: 0. What is added draws odds ratios of few targets towards 1 and makes P values larger. Targets of one factor
    are regulated together, so they are not independent: P values order factors.

    References
    ----------
    Agresti A (2013). Categorical Data Analysis, 3rd edition, sections 3.5 and 16.5. Wiley.

    Examples
    --------
    >>> genes = xr.Dataset(
    ...     {"selection_up": ("gene", [True, True, False]), "selection_down": ("gene", [False, False, True])},
    ...     coords={"gene": ["CD44", "MYB", "RAG1"]},
    ... )
    >>> found = regulon_direction(genes, GeneSets.from_mapping({"LMO2": ["CD44", "MYB"]}))
    >>> float(found["regulon_log_odds_ratio"][0].round(3))
    2.585
    """
    check_sizes(minimum_size, maximum_size, caller=CALLER)
    names = gene_names(genes, caller=CALLER)
    rising, falling = gene_truths(genes, [up, down], caller=CALLER)
    _check_directions(rising, falling, names)
    members = find_members(regulons, names, usable=rising | falling, caller=CALLER)
    numbers = int(rising.sum()), int(falling.sum())
    status = size_status(
        members, regulons, genes=None, minimum_size=minimum_size, maximum_size=maximum_size, caller=CALLER
    )
    targets = [np.bincount(members.owners[side[members.genes]], minlength=status.size) for side in (rising, falling)]
    ratio, p_value = np.full(status.size, np.nan), np.full(status.size, np.nan)
    for number in np.flatnonzero(status == OK):
        table = np.array([[side[number], total - side[number]] for side, total in zip(targets, numbers, strict=True)])
        table += ADDED
        ratio[number] = np.log2(table[0, 0] * table[1, 1] / (table[0, 1] * table[1, 0]))
        p_value[number] = fisher_exact(table)[1]
    return make_result(
        RESULT,
        {
            "regulon_log_odds_ratio": ratio,
            "regulon_p_value": p_value,
            "regulon_q_value": benjamini_hochberg(p_value),
            "regulon_status": status,
            "regulon_up_targets": targets[0],
            "regulon_down_targets": targets[1],
            "regulon_listed_genes": members.listed,
            "regulon_up_genes": np.int64(numbers[0]),
            "regulon_down_genes": np.int64(numbers[1]),
            **patients_behind(genes, up, name="regulon_patients"),
        },
        analysis=CALLER,
        parameters={
            "regulons": recorded_sets(regulons),
            "up": up,
            "down": down,
            "minimum_size": minimum_size,
            "maximum_size": maximum_size,
        },
        coordinates={"gene_set": list(regulons.names)},
    )


def _check_directions(rising: Vector, falling: Vector, names: Vector) -> None:
    both = names[rising & falling]
    if both.size or not (rising.any() or falling.any()):
        message = (
            f"{CALLER} needs genes that change, each up or down. {int((rising | falling).sum())} of {names.size} change, in both "
            f"directions: {listed(both)}; choose genes with gene_selection, by milder thresholds where none change."
        )
        raise InputError(message)
