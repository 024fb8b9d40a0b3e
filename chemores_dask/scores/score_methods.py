"""Ways to score rows of expression for gene sets: one record for each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import xarray as xr

from chemores_dask.scores.aucell import aucell
from chemores_dask.scores.mean_zscore import mean_zscore
from chemores_dask.scores.module_score import module_score
from chemores_dask.scores.singscore import singscore
from chemores_dask.scores.ssgsea import ssgsea
from chemores_dask.scores.ucell import ucell
from chemores_dask.scores.weighted_score import weighted_score

NO_OPTIONS: Mapping[str, object] = MappingProxyType({})


@dataclass(frozen=True)
class ScoreMethod:
    """How a score is made.

    Attributes
    ----------
    name
        Of the function.
    function
        ``function(cells_or_patients, gene_sets, *, ...)``: Dataset out, with ``cell_score`` or ``patient_score``.
    formula
        The score in one line.
    limits
        What it cannot do.
    reference
        Where it comes from.
    expects
        What the rows must hold.
    needs_cohort
        Whether the score of a row depends on the other rows.
    least, most
        Bounds of the score.
    options
        Parameters without a default, and their values in examples.
    needs_weights
        Whether every gene of a set must have a weight.
    """

    name: str
    function: Callable[..., xr.Dataset]
    formula: str
    limits: str
    reference: str
    expects: str
    needs_cohort: bool
    least: float = float("-inf")
    most: float = float("inf")
    options: Mapping[str, object] = field(default_factory=lambda: NO_OPTIONS)
    needs_weights: bool = False


_RECORDS = (
    ScoreMethod(
        name="module_score",
        function=module_score,
        formula="mean of the set - mean of control genes of like mean expression",
        limits="Bins and controls come from all rows at hand: the same cell among others has another score.",
        reference="Tirosh I, et al. (2016). Science 352:189-196.",
        expects="log-normalized expression",
        needs_cohort=True,
        options=MappingProxyType({"method": "seurat", "seed": 1}),
    ),
    ScoreMethod(
        name="ucell",
        function=ucell,
        formula="1 - (sum of min(rank, m) - n (n + 1) / 2) / (m n - n (n + 1) / 2); ranks from the highest value, ties averaged",
        limits="Says nothing about genes below rank m. Cells that show few genes have more ties, and so less extreme scores.",
        reference="Andreatta M, Carmona SJ (2021). Comput Struct Biotechnol J 19:3796-3798.",
        expects="counts, or anything that orders the genes of a row likewise",
        needs_cohort=False,
        least=0.0,
        most=1.0,
    ),
    ScoreMethod(
        name="aucell",
        function=aucell,
        formula="sum of (T - rank) over genes of rank below T / its largest value; T the first 5 % of ranks, ties in random order",
        limits="Sees only the first 5 % of the genes. Where a cell shows fewer genes than that, chance decides the rest.",
        reference="Aibar S, et al. (2017). Nature Methods 14:1083-1086.",
        expects="counts, or anything that orders the genes of a row likewise",
        needs_cohort=False,
        least=0.0,
        most=1.0,
        options=MappingProxyType({"seed": 1}),
    ),
    ScoreMethod(
        name="mean_zscore",
        function=mean_zscore,
        formula="mean over the set of (x - mean of the gene) / standard deviation of the gene",
        limits="Relative to the cohort: the same patient among others has another score. Needs two rows or more.",
        reference="Lee E, et al. (2008). PLoS Comput Biol 4:e1000217.",
        expects="expression on a logarithmic scale",
        needs_cohort=True,
    ),
    ScoreMethod(
        name="ssgsea",
        function=ssgsea,
        formula="mean rank of the set, weighted by rank ** 0.25, less mean rank of all other genes",
        limits="Ranks all genes of a row: scores of other panels of genes do not compare. Normalized ones belong to their cohort.",
        reference="Barbie DA, et al. (2009). Nature 462:108-112.",
        expects="expression on any scale that keeps the order of genes within a row",
        needs_cohort=False,
    ),
    ScoreMethod(
        name="singscore",
        function=singscore,
        formula="(mean rank of the set - least possible) / (greatest possible - least possible) - 1/2, up plus down",
        limits="Ranks all genes of a row. Genes that are not detected share the lowest rank: scores of cells rise with detected genes.",
        reference="Foroutan M, et al. (2018). BMC Bioinformatics 19:404.",
        expects="expression on any scale that keeps the order of genes within a row",
        needs_cohort=False,
    ),
    ScoreMethod(
        name="weighted_score",
        function=weighted_score,
        formula="sum over the set of weight * x; or Spearman correlation of x with the weights",
        limits="Weights belong to the scale of expression on which they were fitted.",
        reference="Ng SWK, et al. (2016). Nature 540:433-437; Malta TM, et al. (2018). Cell 173:338-354.",
        expects="expression on a logarithmic scale; for the correlation any scale that keeps the order of genes within a row",
        needs_cohort=False,
        needs_weights=True,
    ),
)

SCORE_METHODS: Mapping[str, ScoreMethod] = MappingProxyType({record.name: record for record in _RECORDS})
"""Scores by the name of their function."""
