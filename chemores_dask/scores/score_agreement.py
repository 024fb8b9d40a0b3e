"""How far several ways to score agree: does a claim hang on the method?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import xarray as xr

from chemores_dask.aliases import Matrix, Seed, Vector
from chemores_dask.checks import check_whole, listed
from chemores_dask.errors import InputError
from chemores_dask.randomness import drawn_cells
from chemores_dask.results_spec import Variable, declare, make_result
from chemores_dask.stream import compute

ALGORITHM_REVISION = 1

LEAST_ROWS = 3
"""Two rows always agree or disagree perfectly."""

LEAST_METHODS = 2

PAIRS = ("gene_set", "score", "score_other")

RESULT = declare(
    Variable(
        "agreement_correlation", PAIRS, "f", doc="Spearman correlation of the scores; missing where one is constant"
    ),
    Variable(
        "agreement_same_side", PAIRS, "f", doc="share of rows that both methods put above their median, or both not"
    ),
    Variable("agreement_rows", PAIRS, "i", unit="cells or patients", doc="rows with a score by both methods"),
)


def score_agreement(
    scores: Mapping[str, xr.Dataset] | Sequence[xr.Dataset], *, seed: Seed, cells: int = 20_000
) -> xr.Dataset:
    """Compare scores of the same cells, or of the same patients, by several methods.

    Parameters
    ----------
    scores
        Results of scores by a name for each, or a list of results that are named after their analysis. All of cells or all of patients,
        with some gene sets in common.
    seed
        Decides which cells are compared, where there are more than ``cells``.
    cells
        Most cells that are compared. Patients are all compared.

    Returns
    -------
    Dataset over ``gene_set`` (those that all results have), ``score`` and ``score_other``: ``agreement_correlation`` (Spearman),
    ``agreement_same_side`` and ``agreement_rows``, the number of cells or patients behind both. Attribute ``rows`` says which.

    Raises
    ------
    InputError
        If there are fewer than two results, names repeat, some are of cells and some of patients, or too few rows or no gene sets are
        shared.

    Notes
    -----
    Passes over the counts: 1 computed where scores are lazy, shared by all methods. Rows are matched by name; scores that are missing are
    left out pair by pair. Correlations over cells describe: cells of a patient are no replicates.

    References
    ----------
    Noureen N, et al. (2022). Signature-scoring methods developed for bulk samples are not adequate for cancer single-cell RNA sequencing
    data. eLife 11:e71994.

    Examples
    --------
    >>> def scored(values):
    ...     return xr.Dataset(
    ...         {"patient_score": (("patient", "gene_set"), np.array(values)[:, None])},
    ...         coords={"patient": ["p1", "p2", "p3", "p4"], "gene_set": ["stemness"]},
    ...     )
    >>> found = score_agreement({"first": scored([1.0, 2, 3, 4]), "second": scored([1.0, 2, 9, 3])}, seed=1)
    >>> found["agreement_correlation"].sel(score="first", score_other="second").values
    array([0.8])
    """
    check_whole(cells, parameter="cells", caller="score_agreement", minimum=LEAST_ROWS)
    named = _named(scores)
    dimension = _dimension(named)
    rows = _shared_rows(named, dimension, cells=cells, seed=seed)
    gene_sets = _shared_sets(named)
    lazy = []
    for result in named.values():
        places = pd.Index(result[dimension].to_numpy().astype(str)).get_indexer(rows)
        lazy.append(_chosen(result[f"{dimension}_score"].sel(gene_set=gene_sets), places, dimension=dimension))
    columns = np.stack([np.asarray(values, dtype=float) for values in compute(*lazy)])
    return make_result(
        RESULT,
        _compared(columns),
        analysis="score_agreement",
        parameters={"methods": list(named), "seed": seed, "cells": cells},
        coordinates={
            "gene_set": np.array(gene_sets, dtype=object),
            "score": np.array(list(named), dtype=object),
            "score_other": np.array(list(named), dtype=object),
        },
        attributes={"rows": f"{dimension}s", "compared": len(rows)},
    )


def _named(scores: Mapping[str, xr.Dataset] | Sequence[xr.Dataset]) -> dict[str, xr.Dataset]:
    if isinstance(scores, Mapping):
        named = {str(name): result for name, result in scores.items()}
    else:
        names = [str(result.attrs.get("analysis", "without name")) for result in scores]
        if len(set(names)) < len(names):
            message = f"Results need names of their own in score_agreement. Found {listed(names)}; pass them by name, as a dictionary."
            raise InputError(message)
        named = dict(zip(names, scores, strict=True))
    if len(named) < LEAST_METHODS:
        message = f"score_agreement compares {LEAST_METHODS} results or more. Found {len(named)}."
        raise InputError(message)
    return named


def _dimension(named: Mapping[str, xr.Dataset]) -> str:
    for dimension in ("patient", "cell"):
        if all(f"{dimension}_score" in result for result in named.values()):
            return dimension
    found = [
        f"{name} ({'cells' if 'cell_score' in result else 'patients' if 'patient_score' in result else 'no score'})"
        for name, result in named.items()
    ]
    message = f"score_agreement compares results that all score cells, or all patients. Found {listed(found)}."
    raise InputError(message)


def _shared_rows(named: Mapping[str, xr.Dataset], dimension: str, *, cells: int, seed: Seed) -> pd.Index:
    indices = [pd.Index(result[dimension].to_numpy().astype(str)) for result in named.values()]
    shared = indices[0]
    for other in indices[1:]:
        if not shared.equals(other):
            shared = shared[shared.isin(other)]
    if len(shared) < LEAST_ROWS:
        message = (
            f"Results must share {LEAST_ROWS} {dimension}s or more to be compared. Found {len(shared)} that are in all of: "
            f"{listed(named)}; score the same {dimension}s."
        )
        raise InputError(message)
    if dimension == "patient" or len(shared) <= cells:
        return shared
    return shared[np.sort(drawn_cells(len(shared), cells, seed=seed))]


def _shared_sets(named: Mapping[str, xr.Dataset]) -> list[str]:
    sets = [[str(name) for name in result["gene_set"].to_numpy()] for result in named.values()]
    shared = [name for name in sets[0] if all(name in other for other in sets[1:])]
    if not shared:
        found = [f"{method}: {listed(names)}" for method, names in zip(named, sets, strict=True)]
        message = f"Results must share a gene set to be compared. Found {'; '.join(found)}."
        raise InputError(message)
    return shared


def _chosen(values: xr.DataArray, places: Vector, *, dimension: str) -> object:
    """Some rows of the scores, taken in the order of their blocks and then put into the order asked for."""
    order = np.argsort(places, kind="stable")
    return values.transpose(dimension, "gene_set")[places[order]].data[np.argsort(order)]


def _compared(columns: Matrix) -> dict[str, Matrix]:
    """Compare methods by rows by sets, pair by pair."""
    methods, _, sets = columns.shape
    correlation, same_side = np.full((sets, methods, methods), np.nan), np.full((sets, methods, methods), np.nan)
    rows = np.zeros((sets, methods, methods), dtype=np.int64)
    for gene_set in range(sets):
        table = columns[:, :, gene_set]
        known = ~np.isnan(table)
        correlation[gene_set] = pd.DataFrame(table.T).corr(method="spearman", min_periods=LEAST_ROWS).to_numpy()
        for first in range(methods):
            for second in range(methods):
                both = known[first] & known[second]
                rows[gene_set, first, second] = both.sum()
                if both.sum() >= LEAST_ROWS:
                    sides = [table[method, both] > np.median(table[method, both]) for method in (first, second)]
                    same_side[gene_set, first, second] = np.mean(sides[0] == sides[1])
    return {"agreement_correlation": correlation, "agreement_same_side": same_side, "agreement_rows": rows}
