"""Genes beyond thresholds: up, down, and all that were tested."""

from __future__ import annotations

import numpy as np
import xarray as xr

from chemores_dask.checks import check_between
from chemores_dask.cohort.enrichment.ranked_genes import gene_names, gene_values, patients_behind
from chemores_dask.results_spec import Variable, declare, make_result

ALGORITHM_REVISION = 1

CALLER = "gene_selection"

_GENE = ("gene",)
RESULT = declare(
    Variable("selection_tested", _GENE, "b", doc="effect and q are numbers"),
    Variable("selection_up", _GENE, "b", doc="effect above the threshold, q below its own"),
    Variable("selection_down", _GENE, "b", doc="effect below minus the threshold, q below its own"),
    Variable("selection_changed", _GENE, "b", doc="up or down"),
    Variable("selection_tested_genes", (), "i", unit="genes"),
    Variable("selection_up_genes", (), "i", unit="genes"),
    Variable("selection_down_genes", (), "i", unit="genes"),
    Variable("selection_patients", (), "i", unit="patients", doc="behind the effects", optional=True),
)


def gene_selection(
    differential: xr.Dataset, *, effect: str, q_value: str, below: float = 0.05, beyond: float = 0.0
) -> xr.Dataset:
    """Choose the genes that go up and those that go down, among the genes that were tested.

    Up: ``effect > beyond`` and ``q < below``; down: ``effect < -beyond`` and ``q < below``.

    Parameters
    ----------
    differential
        Effects and their q values over ``gene``.
    effect
        Variable with the effect, such as a log fold change or ``"cox_coefficient"``.
    q_value
        Variable with the adjusted P.
    below
        Threshold of q.
    beyond
        Threshold of the size of the effect, in its unit.

    Returns
    -------
    Dataset over ``gene``: ``selection_tested``, ``selection_up``, ``selection_down``, ``selection_changed``; the numbers
    ``selection_tested_genes``, ``selection_up_genes``, ``selection_down_genes``, and ``selection_patients`` where the input states them.

    Raises
    ------
    MissingVariableError
        If a variable or the names of the genes are absent.
    InputError
        If names repeat.

    Notes
    -----
    Passes over the counts: 0. A choice by thresholds loses the order of the genes; :func:`prerank_enrichment` needs none.

    References
    ----------
    Rivals I, Personnaz L, Taing L, Potier MC (2007). Enrichment or depletion of a GO category within a class of genes: which test?
    Bioinformatics 23:401-407.
    """
    check_between(below, parameter="below", caller=CALLER, minimum=0.0, maximum=1.0)
    check_between(beyond, parameter="beyond", caller=CALLER, minimum=0.0)
    names = gene_names(differential, caller=CALLER)
    size, q = gene_values(differential, [effect, q_value], caller=CALLER)
    tested = ~(np.isnan(size) | np.isnan(q))
    up, down = tested & (q < below) & (size > beyond), tested & (q < below) & (size < -beyond)
    return make_result(
        RESULT,
        {
            "selection_tested": tested,
            "selection_up": up,
            "selection_down": down,
            "selection_changed": up | down,
            "selection_tested_genes": np.int64(tested.sum()),
            "selection_up_genes": np.int64(up.sum()),
            "selection_down_genes": np.int64(down.sum()),
            **patients_behind(differential, effect, name="selection_patients"),
        },
        analysis=CALLER,
        parameters={"effect": effect, "q_value": q_value, "below": below, "beyond": beyond},
        coordinates={"gene": names.astype(object)},
    )
