"""Counts made comparable between cells, lazily."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Real

import numpy as np
from anndata import AnnData

from chemores_dask.aliases import Block, Columns, Vector
from chemores_dask.errors import ParameterError
from chemores_dask.kernels.chosen_columns import ChosenLogScale
from chemores_dask.kernels.cross_products import WeightedSumsBlock
from chemores_dask.kernels.row_totals import LogScaledSums, LogScaledWeightedSums, log_scaled_rows
from chemores_dask.kernels.weight_lanes import LogScaledLaneSums, lane_weights
from chemores_dask.single_cell.cell_rows import check_cells, planned_rows
from chemores_dask.stream.rows import map_rows

ALGORITHM_REVISION = 1


def log_normalize(cells: AnnData, *, target_sum: float = 1e4) -> AnnData:
    """Scale every cell to the same total and take the logarithm: log(1 + count / total * target_sum).

    Each cell is divided by its own total, so the values do not depend on other cells or on blocks. Equal to scanpy's
    ``normalize_total(target_sum=...)`` followed by ``log1p``, and to Seurat's ``LogNormalize``. Cells without counts stay zero.

    Parameters
    ----------
    cells
        Raw counts over all genes: a subset of genes would change the totals.
    target_sum
        Total to which every cell is scaled; 10,000 as in Seurat.

    Returns
    -------
    New AnnData with lazy ``X`` (cells by genes, float32, natural logarithm) and copies of ``obs``, ``var``, ``obsm``, ``varm`` and
    ``uns``; ``uns["log1p"]`` says that the values are logarithms, as scanpy expects.

    Raises
    ------
    ParameterError
        If ``target_sum`` is not positive and finite.
    CountsError
        When computed, if a value is negative, fractional or not a number.

    Notes
    -----
    Passes over the counts: 0; what is computed from ``X`` reads the counts as often as it needs ``X``.

    References
    ----------
    Satija R et al. (2015). Spatial reconstruction of single-cell gene expression data. Nature Biotechnology 33:495-502.

    Examples
    --------
    >>> import numpy as np
    >>> from anndata import AnnData
    >>> normalized = log_normalize(AnnData(np.array([[3, 1], [0, 0]])), target_sum=4)
    >>> normalized.X.compute().toarray().round(4)
    array([[1.3863, 0.6931],
           [0.    , 0.    ]], dtype=float32)
    """
    check_cells(cells, caller="log_normalize")
    check_target_sum(target_sum, caller="log_normalize")
    rows, _ = planned_rows(cells, caller="log_normalize")
    return AnnData(
        X=map_rows(rows, _LogScale(float(target_sum)), dtype=np.float32),
        obs=cells.obs.copy(),
        var=cells.var.copy(),
        obsm={name: value.copy() for name, value in cells.obsm.items()},
        varm={name: value.copy() for name, value in cells.varm.items()},
        uns={**cells.uns, "log1p": {"target_sum": float(target_sum)}},
    )


def check_target_sum(target_sum: float, *, caller: str) -> None:
    """Refuse a total that cells cannot be scaled to.

    Raises
    ------
    ParameterError
        If it is not positive and finite.
    """
    if not (isinstance(target_sum, Real) and np.isfinite(target_sum) and target_sum > 0):
        message = f"The 'target_sum' parameter of {caller} must be positive and finite. Got {target_sum!r}."
        raise ParameterError(message)


@dataclass(frozen=True)
class _LogScale:
    target_sum: float

    def __call__(self, rows: Block, columns: Columns) -> Block:
        return log_scaled_rows(rows, self.target_sum)

    def select(self, positions: Vector) -> ChosenLogScale:
        return ChosenLogScale(self.target_sum, positions)

    def column_sums(self) -> LogScaledSums:
        return LogScaledSums(self.target_sum)

    def weighted_sums(self, weighted: WeightedSumsBlock) -> LogScaledWeightedSums | LogScaledLaneSums:
        lanes = lane_weights(weighted.weights)
        if lanes is None:
            return LogScaledWeightedSums(self.target_sum, weighted.weights, weighted.width)
        return LogScaledLaneSums(self.target_sum, lanes, weighted.width)
