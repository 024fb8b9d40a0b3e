"""From a clinical table and bulk expression to a cohort of patients in a store."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from chemores_dask.aliases import StorePath
from chemores_dask.checks import listed
from chemores_dask.errors import InputError
from chemores_dask.ingest.bulk_tables import BulkTable, read_bulk_table
from chemores_dask.ingest.clinical_tables import ClinicalColumns, read_clinical_table
from chemores_dask.store.patients import write_patients

DEFAULT_COLUMNS = ClinicalColumns()


def ingest_patients(
    store: StorePath,
    *,
    cohort: str,
    clinical: str | Path,
    expression: str | Path | None = None,
    columns: ClinicalColumns = DEFAULT_COLUMNS,
) -> Path:
    """Bring a cohort of patients into a store.

    Parameters
    ----------
    store
        Where the store is, or will be.
    cohort
        Name of the cohort.
    clinical
        Clinical table, one row per patient.
    expression
        Bulk expression, genes by patients or patients by genes; patients without it are left out, and listed in the
        attributes.
    columns
        What the columns of the clinical table mean; patients who lack one that is required are left out, and listed in
        the attributes. Columns that look as if they told who the patients are must be allowed there.

    Returns
    -------
    Path of the store.

    Raises
    ------
    StoreNotFoundError, FormatError
        If a file is absent, cut short or not a table.
    PrivacyError
        If columns look as if they told who the patients are, and are not allowed by name.
    InputError, MissingVariableError
        If columns, patients or entries cannot be used.
    """
    table = read_clinical_table(clinical, columns=columns)
    bulk = None if expression is None else read_bulk_table(expression, patients=list(table.index))
    return Path(write_patients(patients_dataset(table, bulk), store, cohort=cohort))


def patients_dataset(clinical: pd.DataFrame, bulk: BulkTable | None) -> xr.Dataset:
    """Join a clinical table and bulk expression.

    Parameters
    ----------
    clinical
        As read by :func:`read_clinical_table`.
    bulk
        As read by :func:`read_bulk_table`, or None.

    Returns
    -------
    Dataset over ``patient`` and ``gene``: ``expression`` (patient, gene) and the clinical columns (patient,). The
    attributes ``patients_without_required`` and ``patients_without_expression`` list those left out.

    Raises
    ------
    InputError
        If no patient has expression.
    """
    without_required = list(clinical.attrs.get("patients_left_out", []))
    without_expression: list[str] = []
    if bulk is not None:
        kept = [patient for patient in clinical.index if patient in bulk.expression.index]
        without_expression = [patient for patient in clinical.index if patient not in bulk.expression.index]
        if not kept:
            message = (
                "Patients must be in the clinical table and in the expression table. None is; the clinical table "
                f"has {listed(clinical.index[:4])}."
            )
            raise InputError(message)
        clinical = clinical.loc[kept]
    patients = np.array(clinical.index, dtype=str)
    variables = {name: ("patient", _storable(clinical[name])) for name in clinical.columns}
    coordinates: dict[str, object] = {"patient": patients}
    if bulk is not None:
        variables["expression"] = (("patient", "gene"), bulk.expression.loc[clinical.index].to_numpy())
        coordinates["gene"] = np.array(bulk.expression.columns, dtype=str)
        if (bulk.gene_id != "").any():
            coordinates["gene_id"] = ("gene", bulk.gene_id.astype(str))
    left_out = {
        "patients_without_required": without_required,
        "patients_without_expression": without_expression,
    }
    return xr.Dataset(variables, coords=coordinates, attrs=left_out)


def _storable(values: pd.Series) -> np.ndarray:
    return values.to_numpy(dtype=str) if values.dtype == object else values.to_numpy()
