"""Whether chosen genes hold more genes of a set than genes drawn from all that were tested."""

from __future__ import annotations

import numpy as np
import xarray as xr
from scipy.stats import hypergeom

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

ALGORITHM_REVISION = 2

CALLER = "over_representation"
TESTED = "selection_tested"
"""Variable of ``gene_selection`` that names the background."""

HALF = 0.5
"""Added to every cell of a table before its odds ratio is taken, after Haldane and Anscombe."""

_SET = ("gene_set",)
RESULT = declare(
    Variable("ora_p_value", _SET, "f", doc="hypergeometric: as many chosen genes in the set, or more"),
    Variable("ora_minimum_p_value", _SET, "f", doc="smallest P that the set can give: as many chosen as there can be"),
    Variable("ora_q_value", _SET, "f", doc="Benjamini-Hochberg over the sets tested"),
    Variable("ora_odds_ratio", _SET, "f", doc="one half added to every cell"),
    Variable("ora_status", _SET, "i", flags=SIZE_FLAGS),
    Variable("ora_genes", _SET, "i", unit="genes", doc="of the set that were tested"),
    Variable("ora_listed_genes", _SET, "i", unit="genes", doc="of the set, tested or not"),
    Variable("ora_overlap_genes", _SET, "i", unit="genes", doc="of the set that were chosen"),
    Variable("ora_expected_genes", _SET, "f", unit="genes", doc="of the set among genes drawn at random"),
    Variable("ora_offset", ("offset",), "i", doc="where the members of each set start, and the end of the last"),
    Variable("ora_member", ("member",), "i", doc="number of the gene from 0, set after set"),
    Variable("ora_member_chosen", ("member",), "b", doc="is one of the chosen genes"),
    Variable("ora_tested_genes", (), "i", unit="genes"),
    Variable("ora_chosen_genes", (), "i", unit="genes"),
    Variable("ora_patients", (), "i", unit="patients", doc="behind the choice of genes", optional=True),
)


def over_representation(
    genes: xr.Dataset,
    gene_sets: GeneSets,
    *,
    chosen: str,
    background: str | None = None,
    minimum_size: int = 5,
    maximum_size: int = 10_000,
) -> xr.Dataset:
    """Whether chosen genes hold more genes of a set than as many genes drawn from all that were tested.

    Of N tested genes, m belong to the set and k were chosen; P is the hypergeometric chance that x or more of these belong to the
    set, as by Fisher's exact test, one-sided. Equal to ``scipy.stats.hypergeom.sf(x - 1, N, m, k)`` and to gseapy's ``enrich``.

    Parameters
    ----------
    genes
        One row for each gene that was tested, or the result of :func:`gene_selection`.
    gene_sets
        Sets without direction, named as the genes are.
    chosen
        Boolean variable over ``gene``.
    background
        Boolean variable over ``gene``: which genes were tested; unless given ``selection_tested`` where the input is a result of
        :func:`gene_selection`, else all genes of the input. Genes that could not have been chosen do not belong there: a background of
        the whole genome makes every set of expressed genes significant.
    minimum_size, maximum_size
        Fewest and most tested genes of a set.

    Returns
    -------
    Dataset over ``gene_set``: ``ora_p_value``, ``ora_minimum_p_value``, ``ora_q_value``, ``ora_odds_ratio``, ``ora_status``,
    ``ora_genes``, ``ora_listed_genes``, ``ora_overlap_genes``, ``ora_expected_genes``; ``ora_tested_genes``, ``ora_chosen_genes``, and
    ``ora_patients`` where the input states them. The members lie one after the other over ``member``.

    Raises
    ------
    MissingVariableError
        If a variable or the names of the genes are absent.
    InputError
        If names repeat, a variable is not boolean, no gene was chosen, or one that was not tested.
    GeneMismatchError
        If no set can be tested.

    Notes
    -----
    Passes over the counts: 0. The test takes genes for independent, which genes of a set are not: P values order sets. gseapy corrects
    over the sets with at least one chosen gene, which depends on what was found; here all sets tested are corrected for.

    References
    ----------
    Rivals I, Personnaz L, Taing L, Potier MC (2007). Enrichment or depletion of a GO category within a class of genes: which test?
    Bioinformatics 23:401-407.

    Examples
    --------
    >>> genes = xr.Dataset(
    ...     {"up": ("gene", [True, True, False, False, False])},
    ...     coords={"gene": ["CD44", "MYB", "BCL2", "CD3E", "RAG1"]},
    ... )
    >>> sets = GeneSets.from_mapping({"stemness": ["CD44", "MYB"]})
    >>> float(over_representation(genes, sets, chosen="up", minimum_size=2)["ora_p_value"][0].round(3))
    0.1
    """
    check_sizes(minimum_size, maximum_size, caller=CALLER)
    names = gene_names(genes, caller=CALLER)
    if background is None and TESTED in genes:
        background = TESTED
    named = [chosen] if background is None else [chosen, background]
    truths = gene_truths(genes, named, caller=CALLER)
    picked, tested = truths[0], truths[-1] if background is not None else np.ones(names.size, dtype=bool)
    _check_choice(picked, tested, names, chosen, background)
    members = find_members(gene_sets, names, usable=tested, caller=CALLER)
    number, drawn = int(tested.sum()), int(picked.sum())
    status = size_status(
        members, gene_sets, genes=number, minimum_size=minimum_size, maximum_size=maximum_size, caller=CALLER
    )
    found = np.bincount(members.owners[picked[members.genes]], minlength=status.size)
    p_value = _where_ok(status, hypergeom.sf(found - 1, number, members.sizes, drawn))
    most = np.minimum(members.sizes, drawn)
    return make_result(
        RESULT,
        {
            "ora_p_value": p_value,
            "ora_minimum_p_value": _where_ok(status, hypergeom.sf(most - 1, number, members.sizes, drawn)),
            "ora_q_value": benjamini_hochberg(p_value),
            "ora_odds_ratio": _where_ok(status, _odds_ratio(found, members.sizes, drawn, number)),
            "ora_status": status,
            "ora_genes": members.sizes,
            "ora_listed_genes": members.listed,
            "ora_overlap_genes": found,
            "ora_expected_genes": members.sizes * (drawn / number),
            "ora_offset": members.offsets,
            "ora_member": members.genes,
            "ora_member_chosen": picked[members.genes],
            "ora_tested_genes": np.int64(number),
            "ora_chosen_genes": np.int64(drawn),
            **patients_behind(genes, chosen, name="ora_patients"),
        },
        analysis=CALLER,
        parameters={
            "gene_sets": recorded_sets(gene_sets),
            "chosen": chosen,
            "background": background,
            "minimum_size": minimum_size,
            "maximum_size": maximum_size,
        },
        coordinates={"gene_set": list(gene_sets.names), "gene": names.astype(object)},
    )


def _check_choice(picked: Vector, tested: Vector, names: Vector, chosen: str, background: str | None) -> None:
    if not picked.any():
        message = (
            f"{CALLER} needs chosen genes. {chosen!r} is true for none of {names.size}; choose with a milder threshold, or say that "
            "nothing was found."
        )
        raise InputError(message)
    strange = names[picked & ~tested]
    if strange.size:
        message = (
            f"Chosen genes must be tested genes. {strange.size} genes with {chosen!r} lack {background!r}: {listed(strange)}; "
            "correct one of them."
        )
        raise InputError(message)


def _where_ok(status: Vector, values: Vector) -> Vector:
    return np.where(status == OK, values, np.nan)


def _odds_ratio(found: Vector, sizes: Vector, drawn: int, number: int) -> Vector:
    inside = (found + HALF) * (number - sizes - drawn + found + HALF)
    return inside / ((sizes - found + HALF) * (drawn - found + HALF))
