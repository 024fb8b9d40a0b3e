"""Cells or patients as rows of expression: what every score is made from."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import dask.array as da
import numpy as np
import pandas as pd
import xarray as xr
from anndata import AnnData

from chemores_dask.aliases import Rows, Vector
from chemores_dask.checks import check_variables, listed
from chemores_dask.cohort.outcome import check_expression, patient_names
from chemores_dask.errors import InputError
from chemores_dask.randomness import cell_keys
from chemores_dask.single_cell.cell_rows import check_cells, labels_of, planned_rows
from chemores_dask.stream.plan import KERNEL_BYTES, Plan

CELL = "cell"
PATIENT = "patient"
GENE = "gene"
KEY = "cell_key"

BYTES_PER_BLOCK = 2**27
"""Decoded size of a block of patients, whose expression is dense."""


@dataclass(frozen=True)
class ExpressionRows:
    """Rows of expression, each of a cell or of a patient.

    Attributes
    ----------
    rows
        Lazy blocks of whole rows.
    genes
        Names of the columns, unique, as text.
    names
        Names of the rows.
    dimension
        ``"cell"`` or ``"patient"``.
    plan
        Of one pass over the rows.
    known_keys
        Keys of the cells, where their table has them.
    """

    rows: Rows
    genes: Vector
    names: Vector
    dimension: str
    plan: Plan
    known_keys: Vector | None = None

    @property
    def of_cells(self) -> bool:
        """Whether the rows are cells."""
        return self.dimension == CELL

    @cached_property
    def keys(self) -> Vector:
        """Keys for draws that belong to a row, by its name, whatever its place and block."""
        return cell_keys(str(name) for name in self.names) if self.known_keys is None else self.known_keys

    @cached_property
    def places(self) -> dict[str, int]:
        """Column of each gene."""
        return {str(gene): place for place, gene in enumerate(self.genes)}


def expression_rows(
    cells_or_patients: AnnData | xr.Dataset,
    *,
    expression: str = "expression",
    caller: str,
    kernel_bytes: int = KERNEL_BYTES,
) -> ExpressionRows:
    """Look at cells or patients as rows of expression. Nothing is computed.

    Parameters
    ----------
    cells_or_patients
        AnnData, of which ``X`` is taken; or Dataset over ``patient`` and ``gene``.
    expression
        For patients, the variable over ``(patient, gene)``, in either order; in memory or lazy.
    caller
        The score, for messages.
    kernel_bytes
        What its kernel holds for each stored value, besides the block it is given.

    Returns
    -------
    The rows. What they hold is not looked at: the kernel refuses expression that is missing or infinite.

    Raises
    ------
    InputError
        If there is neither, there are no rows, or names of genes or of patients repeat.
    MissingVariableError
        If the patients lack ``expression``.
    BlockTooLargeError
        If a pass would not fit into memory.
    """
    if isinstance(cells_or_patients, xr.Dataset):
        dimension, cells = PATIENT, _patients_as_cells(cells_or_patients, expression=expression, caller=caller)
    else:
        dimension, cells = CELL, cells_or_patients
        check_cells(cells, caller=caller)
    if not cells.n_obs:
        message = f"{caller} needs cells. Got none; check the filters."
        raise InputError(message)
    _check_unique(cells.var_names, caller=caller)
    rows, plan = planned_rows(cells, caller=caller, kernel_bytes=kernel_bytes)
    return ExpressionRows(
        rows=rows,
        genes=cells.var_names.to_numpy().astype(str),
        names=labels_of(cells.obs_names),
        dimension=dimension,
        plan=plan,
        known_keys=cells.obs[KEY].to_numpy().astype(np.uint64) if KEY in cells.obs else None,
    )


def _patients_as_cells(patients: xr.Dataset, *, expression: str, caller: str) -> AnnData:
    names = patient_names(patients, caller=caller)
    found = patients.get(expression)
    turned = found is not None and tuple(found.dims) == (GENE, PATIENT)
    check_variables(
        patients, [expression], dims=(GENE, PATIENT) if turned else (PATIENT, GENE), what="patients", caller=caller
    )
    check_expression(patients[expression], caller=caller)
    matrix = patients[expression].transpose(PATIENT, GENE).data
    if isinstance(matrix, da.Array):
        rows = max(int(BYTES_PER_BLOCK / max(matrix.dtype.itemsize * matrix.shape[1], 1)), 1)
        matrix = matrix.rechunk({0: rows, 1: -1})
    genes = pd.Index([str(gene) for gene in patients[GENE].to_numpy()])
    _check_unique(genes, caller=caller)
    return AnnData(X=matrix, obs=pd.DataFrame(index=names), var=pd.DataFrame(index=genes))


def _check_unique(genes: pd.Index, *, caller: str) -> None:
    if not genes.is_unique:
        message = (
            f"Names of genes must be unique in {caller}. Found more than once: {listed(genes[genes.duplicated()].unique())}; call "
            "var_names_make_unique() on cells, merge or rename the genes of patients."
        )
        raise InputError(message)
