"""Scores of signed weights: sums of weighted expression, and the rank correlation of expression with the weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import dask.array as da
import numpy as np
import scipy.sparse as sp
import xarray as xr
from anndata import AnnData

from chemores_dask.aliases import Block, Columns, Matrix, Vector
from chemores_dask.checks import check_between, check_one_of, listed
from chemores_dask.errors import GeneMismatchError, InputError, ParameterError
from chemores_dask.gene_sets import GeneSet, GeneSets, measured
from chemores_dask.kernels.row_correlations import RankedWeights, row_rank_correlations
from chemores_dask.results_spec import Variable
from chemores_dask.scores.expression_rows import GENE, ExpressionRows, expression_rows
from chemores_dask.scores.ranked_sets import check_ranked_rows
from chemores_dask.scores.score_table import columns_of, declare_scores, make_scores
from chemores_dask.scores.set_expression import (
    genes_of,
    patients_expression,
    weighted_sums_of_cells,
    weighted_sums_of_patients,
)
from chemores_dask.stream import compute, map_rows

ALGORITHM_REVISION = 1

SUM, RANK_CORRELATION = "sum", "rank_correlation"

LEAST_RANKED = 3
"""Two genes always correlate perfectly."""

RESULT = declare_scores(
    Variable("weighted_share", ("gene_set",), "f", doc="of the sum of absolute weights that was measured"),
    Variable("weighted_least", ("gene_set",), "f", doc="score that became 0", optional=True),
    Variable("weighted_greatest", ("gene_set",), "f", doc="score that became 1", optional=True),
    unit="1",
)


def weighted_score(
    cells_or_patients: AnnData | xr.Dataset,
    gene_sets: GeneSets,
    *,
    method: str = SUM,
    mean: xr.DataArray | None = None,
    deviation: xr.DataArray | None = None,
    rescaled: bool = False,
    expression: str = "expression",
    minimum_share: float = 0.5,
) -> xr.Dataset:
    """Score cells or patients by signed weights of genes.

    With the weights ``w`` and the expression ``x`` of the genes that were measured, the score is ``sum of w x`` (a score such as LSC17
    [1]_), ``sum of w (x - mean) / deviation`` where these are given, or Spearman's correlation of ``x`` with ``w``
    (the stemness index mRNAsi [2]_).

    Parameters
    ----------
    cells_or_patients
        Log-normalized cells; or patients, with expression on a logarithmic scale. For the rank correlation any scale that keeps the order
        of genes within a row.
    gene_sets
        Sets whose ``weights`` are numbers for all their genes; the direction of a gene is the sign of its weight.
    method
        ``"sum"`` or ``"rank_correlation"``.
    mean, deviation
        For ``"sum"``: means and standard deviations over ``gene`` that are frozen, such as ``zscore_mean`` and ``zscore_deviation`` of
        ``mean_zscore`` in another cohort. Both or neither; nothing is learned from the cohort at hand.
    rescaled
        Whether to bring the scores of each set to 0 to 1 over all rows, as mRNAsi is published. Scores are then relative to the cohort,
        and cells are read once more, for the least and the greatest score.
    expression
        For patients, the variable over ``(patient, gene)``.
    minimum_share
        Share of the sum of absolute weights that must have been measured.

    Returns
    -------
    Dataset: ``cell_score`` over ``(cell, gene_set)``, lazy; or ``patient_score`` and ``patient_score_high`` over ``(patient, gene_set)``,
    ``patient_score_median`` over ``gene_set``. ``score_genes``, ``score_genes_missing`` and ``weighted_share`` over ``gene_set``; where
    rescaled, ``weighted_least`` and ``weighted_greatest``. A rank correlation is missing for cells in which all genes of the set are equal.

    Raises
    ------
    GeneMismatchError
        If too little weight was measured, a gene has no weight, mean or deviation, or all weights are equal and are to be ranked.
    InputError
        If there are no rows, names repeat, expression of a gene of a set is missing or infinite, a patient has the same expression of all
        genes that are to be ranked, or all scores are equal and are to be rescaled.
    MissingVariableError
        If the patients lack ``expression``.
    ParameterError
        If ``method`` is unknown, ``mean`` comes without ``deviation``, or they are given for ranks.

    Warns
    -----
    MissingGenesWarning
        If some genes of a set were not measured.

    Notes
    -----
    Passes over the counts: 0 computed, 1 lazy, for any number of sets; 1 computed besides where ``rescaled``.

    Weights belong to the scale they were fitted on: a sum of log2 values is not one of natural logarithms. Equal values share the mean of
    their ranks; in cells most genes are one tie of zeros, so rank correlations of cells are small and rise with the genes detected.

    References
    ----------
    .. [1] Ng SWK, et al. (2016). A 17-gene stemness score for rapid determination of risk in acute leukaemia. Nature 540:433-437.
    .. [2] Malta TM, et al. (2018). Machine learning identifies stemness features associated with oncogenic dedifferentiation. Cell
       173:338-354.

    Examples
    --------
    >>> patients = xr.Dataset(
    ...     {"expression": (("patient", "gene"), [[1.0, 5.0, 2.0], [2.0, 6.0, 9.0]])},
    ...     coords={"patient": ["p1", "p2"], "gene": ["A", "B", "C"]},
    ... )
    >>> sets = GeneSets((GeneSet.from_weights("risk", {"A": 0.5, "B": -1.0, "C": 2.0}),))
    >>> weighted_score(patients, sets)["patient_score"].values.ravel().tolist()
    [-0.5, 13.0]
    >>> weighted_score(patients, sets, method="rank_correlation")["patient_score"].values.ravel().tolist()
    [-0.5, 0.5]
    """
    check_one_of(method, (SUM, RANK_CORRELATION), parameter="method", caller="weighted_score")
    check_between(minimum_share, parameter="minimum_share", caller="weighted_score", minimum=0.0, maximum=1.0)
    _check_scale(method, mean, deviation)
    found = expression_rows(cells_or_patients, expression=expression, caller="weighted_score")
    used, shares = _measured_weights(gene_sets, found, minimum_share=minimum_share)
    patients = cells_or_patients if isinstance(cells_or_patients, xr.Dataset) else None
    genes = genes_of(used, found)
    scale: dict[str, Vector] = {}
    if method == SUM:
        if mean is not None and deviation is not None:
            scale = _scale_of(genes, mean=mean, deviation=deviation)
        scores = _weighted_sums(used, genes, found, patients, scale=scale, expression=expression)
    else:
        _check_ranked(used)
        scores = _rank_correlations(used, genes, found, patients, expression=expression)
    further: dict[str, object] = {"weighted_share": shares}
    if rescaled:
        least, greatest = _limits_of(scores, gene_sets.names)
        scores = (scores - least) / (greatest - least)
        further |= {"weighted_least": least, "weighted_greatest": greatest}
    return make_scores(
        RESULT,
        found,
        gene_sets,
        scores,
        score_genes=np.array([len(gene_set.weights) for gene_set in used]),
        analysis="weighted_score",
        parameters={
            "method": method,
            **{name: dict(zip(genes, values.tolist(), strict=True)) for name, values in scale.items()},
            "rescaled": rescaled,
            "expression": expression,
            "minimum_share": minimum_share,
        },
        further=further,
    )


def _measured_weights(
    gene_sets: GeneSets, found: ExpressionRows, *, minimum_share: float
) -> tuple[list[GeneSet], Vector]:
    """The sets without the genes that were not measured, and the share of absolute weight that is left of each."""
    if not len(gene_sets):
        message = "weighted_score needs gene sets. Got none."
        raise InputError(message)
    used, shares = [], []
    for gene_set in gene_sets:
        _check_weights(gene_set)
        missing = [gene for gene in gene_set.weights if gene not in found.places]
        known = len(gene_set.weights) - len(missing)
        total = sum(abs(weight) for weight in gene_set.weights.values())
        share = sum(abs(weight) for gene, weight in gene_set.weights.items() if gene in found.places) / total
        if share < minimum_share or share == 0:
            message = (
                f"Genes with at least {minimum_share:.0%} of the absolute weight of {gene_set.name!r} must be in the data. Found "
                f"{share:.1%}, {known} of {len(gene_set.weights)} genes; missing: {listed(missing)}. Check that both use symbols (or both "
                "Ensembl identifiers), or lower minimum_share."
            )
            raise GeneMismatchError(message)
        used.append(measured(gene_set, found.places, minimum_share=0.0))
        shares.append(share)
    return used, np.array(shares)


def _check_weights(gene_set: GeneSet) -> None:
    without = [gene for gene in gene_set.genes if gene not in gene_set.weights]
    known = set(gene_set.genes)
    strange = [gene for gene in gene_set.weights if gene not in known]
    if without or strange:
        message = (
            f"Every gene of a set needs a weight in weighted_score, and every weight a gene. In {gene_set.name!r} genes without weight: "
            f"{listed(without)}; weights without gene: {listed(strange)}. Make the set with GeneSet.from_weights."
        )
        raise GeneMismatchError(message)
    weights = np.array(list(gene_set.weights.values()), dtype=float)
    if not np.isfinite(weights).all() or not weights.any():
        message = f"Weights must be finite, and not all 0. Those of {gene_set.name!r} are not; correct them."
        raise InputError(message)


def _check_scale(method: str, mean: xr.DataArray | None, deviation: xr.DataArray | None) -> None:
    if (mean is None) != (deviation is None) or (mean is not None and method != SUM):
        message = (
            "The 'mean' and 'deviation' parameters of weighted_score belong together, and to the method 'sum'. Got "
            f"mean {'absent' if mean is None else 'given'}, deviation {'absent' if deviation is None else 'given'}, method {method!r}; "
            "give both or neither."
        )
        raise ParameterError(message)


def _scale_of(genes: tuple[str, ...], **scale: xr.DataArray) -> dict[str, Vector]:
    """Frozen means and deviations in the order of the genes."""
    found = {}
    for name, values in scale.items():
        if values.dims != (GENE,) or GENE not in values.coords:
            message = f"The {name!r} parameter of weighted_score must run over 'gene', with names. It runs over {values.dims}."
            raise InputError(message)
        (numbers,) = compute(values.data)
        by_gene = dict(
            zip((str(gene) for gene in values[GENE].to_numpy()), np.asarray(numbers, dtype=float), strict=True)
        )
        found[name] = np.array([by_gene.get(gene, np.nan) for gene in genes])
    useless = ~(np.isfinite(found["mean"]) & np.isfinite(found["deviation"]) & (found["deviation"] > 0))
    if useless.any():
        message = (
            "Every gene with a weight needs a known mean and a deviation above 0 in weighted_score. Not so for: "
            f"{listed(np.array(genes)[useless])}; leave these genes out of the weights, or learn the scale from more genes."
        )
        raise GeneMismatchError(message)
    return found


def _weighted_sums(
    used: Sequence[GeneSet],
    genes: tuple[str, ...],
    found: ExpressionRows,
    patients: xr.Dataset | None,
    *,
    scale: Mapping[str, Vector],
    expression: str,
) -> da.Array | Matrix:
    columns = columns_of(genes, found)
    weights = np.array([[gene_set.weights.get(gene, 0.0) for gene_set in used] for gene in genes], dtype=float)
    mean, deviation = scale.get("mean", np.zeros(len(genes))), scale.get("deviation", np.ones(len(genes)))
    if patients is not None:
        matrix = patients_expression(patients, found, columns, expression=expression, caller="weighted_score")
        return weighted_sums_of_patients((matrix - mean) / deviation, weights)
    scaled = weights / deviation[:, None]
    names = tuple(gene_set.name for gene_set in used)
    return weighted_sums_of_cells(found, columns, scaled, -(mean @ scaled), sets=names, caller="weighted_score")


def _check_ranked(used: Sequence[GeneSet]) -> None:
    for gene_set in used:
        different = len(set(gene_set.weights.values()))
        if different == 1 or len(gene_set.weights) < LEAST_RANKED:
            message = (
                f"A rank correlation needs {LEAST_RANKED} genes or more with different weights. Of {gene_set.name!r} "
                f"{len(gene_set.weights)} were measured, with {different} different weights; use method='sum'."
            )
            raise GeneMismatchError(message)


def _rank_correlations(
    used: Sequence[GeneSet],
    genes: tuple[str, ...],
    found: ExpressionRows,
    patients: xr.Dataset | None,
    *,
    expression: str,
) -> da.Array | Matrix:
    if patients is None:
        check_ranked_rows(found, sums=len(used), caller="weighted_score")
        kernel = _RankCorrelations(_ranked(used, found.places, width=len(found.genes)))
        return map_rows(found.rows, kernel, width=len(used), dtype=np.float64)
    columns = columns_of(genes, found)
    matrix = patients_expression(patients, found, columns, expression=expression, caller="weighted_score")
    places = {gene: place for place, gene in enumerate(genes)}
    scores = _RankCorrelations(_ranked(used, places, width=len(genes)))(sp.csr_matrix(matrix), {})
    equal = np.isnan(scores).any(axis=1)
    if equal.any():
        message = (
            "Expression of the genes of a set must differ within a patient to be ranked. All are equal in: "
            f"{listed(found.names[equal])}; leave these patients out."
        )
        raise InputError(message)
    return scores


def _ranked(used: Sequence[GeneSet], places: Mapping[str, int], *, width: int) -> RankedWeights:
    sets = [
        (np.array([places[gene] for gene in gene_set.weights]), np.array(list(gene_set.weights.values()), dtype=float))
        for gene_set in used
    ]
    return RankedWeights.from_weights(sets, width=width)


@dataclass(frozen=True)
class _RankCorrelations:
    weights: RankedWeights

    def __call__(self, rows: Block, columns: Columns) -> Matrix:
        del columns
        return row_rank_correlations(rows, self.weights)


def _limits_of(scores: da.Array | Matrix, names: Sequence[str]) -> tuple[Vector, Vector]:
    """Least and greatest score of each set, without cells whose score is missing."""
    lazy = da.asarray(scores)
    missing = da.isnan(lazy)
    least, greatest = compute(da.where(missing, np.inf, lazy).min(axis=0), da.where(missing, -np.inf, lazy).max(axis=0))
    equal = ~(greatest > least)
    if equal.any():
        message = (
            "Scores must differ between rows to be brought to 0 to 1. All are equal for: "
            f"{listed(np.array(names)[equal])}; pass more rows, or rescaled=False."
        )
        raise InputError(message)
    return least, greatest
