"""Marker genes: each group of cells against the rest, by ranks."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Literal

import numpy as np
import xarray as xr
from anndata import AnnData

from chemores_dask.checks import check_one_of, check_whole
from chemores_dask.errors import InputError, ParameterError
from chemores_dask.kernels.rank_histograms import LEVELS
from chemores_dask.results_spec import Variable, declare, make_result
from chemores_dask.single_cell.cell_rows import check_cells, labels_of
from chemores_dask.single_cell.markers.exact import exact_ranks
from chemores_dask.single_cell.markers.histogram import histogram_ranks
from chemores_dask.single_cell.markers.labeled_cells import CALLER, RankedValues, cell_totals, label_cells
from chemores_dask.single_cell.markers.rank_statistics import marker_values, patient_values
from chemores_dask.single_cell.normalize import check_target_sum

ALGORITHM_REVISION = 1

OVER = ("group", "gene")

CEILING = 10.0
"""Of logarithms whose total is not known: histograms do not tell larger ones apart."""

RESULT = declare(
    Variable("marker_cells", ("group",), "i", unit="cells", doc="cells of the group; they are not replicates"),
    Variable("marker_patients", ("group",), "i", unit="patients", doc="with cells in the group", optional=True),
    Variable(
        "marker_patients_compared",
        ("group",),
        "i",
        unit="patients",
        doc="with cells in the group and in the rest",
        optional=True,
    ),
    Variable(
        "marker_patients_above",
        OVER,
        "i",
        unit="patients",
        doc="of those compared: whose mean in the group is above their mean in the rest",
        optional=True,
    ),
    Variable("marker_unlabeled", (), "i", unit="cells", doc="without a group, left out"),
    Variable(
        "marker_auroc", OVER, "f", doc="chance that a cell of the group has more than one of the rest, ties halved"
    ),
    Variable("marker_auroc_error", OVER, "f", doc="largest error of the AUROC that bins can make; 0 where it is exact"),
    Variable("marker_statistic", OVER, "f", doc="rank-sum z with tie correction; above 0 where the group has more"),
    Variable("marker_p_value", OVER, "f", doc="two-sided, with cells as n: descriptive"),
    Variable("marker_q_value", OVER, "f", doc="Benjamini-Hochberg over the genes of the group: descriptive"),
    Variable(
        "marker_log_fold_change",
        OVER,
        "f",
        unit="log2 ratio",
        doc="of the means, taken back from logarithms as scanpy does",
    ),
    Variable("marker_mean", OVER, "f", unit="what is ranked", doc="in the group"),
    Variable("marker_mean_rest", OVER, "f", unit="what is ranked", doc="in the rest"),
    Variable("marker_share", OVER, "f", doc="cells of the group with a value above zero"),
    Variable("marker_share_rest", OVER, "f", doc="the same in the rest"),
    Variable("marker_rank", OVER, "i", doc="1 for the largest statistic of the group; the first gene of equals"),
)

DESCRIPTIVE = (
    "Cells of one patient are not independent, so these P values order genes and test nothing about patients: "
    "see in how many patients the gene is higher, and test samples (pseudobulk) before claiming a difference."
)


def markers(
    cells: AnnData,
    *,
    group: str,
    method: Literal["exact", "histogram"] = "exact",
    values: Literal["normalized", "counts"] = "normalized",
    target_sum: float = 1e4,
    total: str | None = None,
    patient: str | None = "patient",
    bins: int = 512,
) -> xr.Dataset:
    """Which genes tell each group of cells from the rest: Wilcoxon rank sums with tie correction, and AUROC.

    With R the sum of the ranks of the n cells of a group among all N, ties at their mean rank: U = R - n (n + 1) / 2,
    AUROC = U / (n (N - n)), and z = (U - n (N - n) / 2) / s with s**2 = n (N - n) / 12 * (N + 1 - sum(t**3 - t) / (N (N - 1))) over
    ties of t cells [1]_, without a correction for continuity. Equal to scanpy's ``rank_genes_groups(method="wilcoxon",
    tie_correct=True)`` and to scipy's ``mannwhitneyu(method="asymptotic", use_continuity=False)``.

    **Descriptive.** Cells of one patient are not independent. P values order genes; the number of cells and of patients stands beside
    them, and for every gene in how many patients it is higher in the group. Test samples (:func:`pseudobulk`) before claiming a
    difference between patients.

    Parameters
    ----------
    cells
        Raw counts over all genes, or log-normalized cells (``uns`` has ``"log1p"``), which are ranked as they are. For the exact method
        in blocks of whole genes (``open_genes``) or in memory; for histograms in blocks of cells (``open_cells``) or in memory.
    group
        Column of ``obs`` with the group of each cell: text, categories, or numbers such as ``cell_cluster``. Cells without one are left
        out.
    method
        ``"exact"`` sorts the values of every gene. ``"histogram"`` streams cells and knows ranks up to the order of values within a bin;
        how far off that can be is ``marker_auroc_error``.
    values
        What is ranked of raw counts: ``"normalized"``, the float32 values that :func:`log_normalize` gives, or ``"counts"``.
    target_sum
        Total to which every cell is scaled.
    total
        Column of ``obs`` with the total of each cell over all genes (``cell_total`` of :func:`quality`, by a join). Unless given, totals
        are summed: by the exact method in a further pass over the genes, with histograms on the way.
    patient
        Column of ``obs`` with the patient of each cell; None where patients are not known.
    bins
        For histograms: a bin holds at most one cell in ``bins``, unless all of its values fall into one of 1,024 levels.

    Returns
    -------
    Dataset over ``group`` and ``gene``: ``marker_auroc``, ``marker_auroc_error``, ``marker_statistic`` (z), ``marker_p_value``
    (two-sided), ``marker_q_value``, ``marker_log_fold_change`` (scanpy's: log2 of the ratio of expm1 of the means, 1e-9 added to
    both; of the means themselves for counts), ``marker_mean`` and ``marker_mean_rest`` (of what is ranked), ``marker_share``,
    ``marker_share_rest``, ``marker_rank``, and where patients are known ``marker_patients_above`` in patients. Over ``group``:
    ``marker_cells``, ``marker_patients``, ``marker_patients_compared``. ``marker_unlabeled`` in cells. A gene with one value in all
    cells has AUROC 0.5, z 0 and P 1. P values below 1e-308 are 0; the statistic still orders them.

    Raises
    ------
    MissingVariableError
        If ``obs`` lacks a column.
    InputError
        If fewer than two groups have cells, a labeled cell has no patient, a value is below zero or not finite, totals are wrong, or the
        exact method is given blocks of cells.
    CountsError
        If raw counts are not counts, or pass the total of their cell.
    ParameterError
        If a parameter is out of range.
    BlockTooLargeError
        If a block and its tables do not fit into memory.

    Notes
    -----
    Passes over the counts: 2 with histograms (more, each for some genes, where the tables do not fit into memory; the numbers are the
    same). The exact method reads the copy by gene once, or twice without totals. Zeros are one tie and are never stored. The exact
    method gives the same bits for any blocks; histograms the same ranks, and means up to the rounding of sums. Let p be the share of
    cells of a group with the gene, n the cells of the rest: the error of the AUROC is at most p N / (2 bins n) where levels are narrow
    enough. Ties within bins change z by less than one part in bins**2.

    References
    ----------
    .. [1] Lehmann EL (1975). Nonparametrics: Statistical Methods Based on Ranks. Holden-Day, San Francisco.

    Examples
    --------
    >>> import anndata, numpy as np, pandas as pd
    >>> obs = pd.DataFrame({"state": ["a", "a", "b", "b"]}, index=["c1", "c2", "c3", "c4"])
    >>> counts = anndata.AnnData(np.array([[5, 1], [6, 1], [0, 2], [1, 2]]), obs=obs)
    >>> markers(counts, group="state", values="counts", patient=None)["marker_auroc"].values
    array([[1., 0.],
           [0., 1.]])
    """
    check_cells(cells, caller=CALLER)
    check_one_of(method, ("exact", "histogram"), parameter="method", caller=CALLER)
    check_one_of(values, ("normalized", "counts"), parameter="values", caller=CALLER)
    check_target_sum(target_sum, caller=CALLER)
    check_whole(bins, parameter="bins", caller=CALLER, minimum=2, maximum=2**20)
    if not cells.n_vars:
        message = f"{CALLER} needs at least one gene. Got none; open the cells anew."
        raise InputError(message)
    labeled = label_cells(cells, group=group, patient=patient)
    totals = cell_totals(cells, total)
    ranked = _ranked_values(cells, values, float(target_sum))
    if method == "exact":
        ranks = exact_ranks(cells, labeled, values=ranked, totals=totals)
        pair_error = np.zeros(ranks.doubled.shape)
    else:
        ranks, pair_error = histogram_ranks(cells, labeled, values=ranked, totals=totals, bins=bins)
    found = marker_values(
        ranks, labeled, pair_error=pair_error, logarithms=not ranked.whole, base_logarithm=ranked.base_logarithm
    )
    if patient is not None:
        found |= patient_values(ranks, labeled)
    return make_result(
        RESULT,
        found | {"marker_unlabeled": np.int64(labeled.unlabeled)},
        analysis="markers",
        parameters={
            "group": group,
            "method": method,
            "values": values,
            "target_sum": target_sum,
            "total": total,
            "patient": patient,
            "bins": bins,
        },
        coordinates={"group": labeled.labels, "gene": labels_of(cells.var_names)},
        attributes={"descriptive": DESCRIPTIVE},
    )


def _ranked_values(cells: AnnData, values: str, target_sum: float) -> RankedValues:
    if values == "counts":
        if "log1p" in cells.uns:
            message = f"{CALLER} ranks log-normalized cells as they are. Got values='counts'; pass raw counts, or leave 'values' out."
            raise ParameterError(message)
        # One level for each count.
        return RankedValues(None, float(LEVELS), whole=True)
    if "log1p" not in cells.uns:
        return RankedValues(target_sum, float(np.log1p(target_sum)), whole=False)
    known = cells.uns["log1p"] if isinstance(cells.uns["log1p"], Mapping) else {}
    scaled_to, base = known.get("target_sum"), known.get("base")
    if base is not None and not base > 1:
        message = f"The base of logarithms must be above 1. uns['log1p'] says {base!r}; normalize the cells anew."
        raise InputError(message)
    unit = 1.0 if base is None else math.log(base)
    ceiling = CEILING if scaled_to is None else float(np.log1p(scaled_to))
    return RankedValues(None, ceiling / unit, whole=False, base_logarithm=unit)
