"""What a store holds: sizes, checksums and results."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr

from chemores_dask.aliases import StorePath
from chemores_dask.store import layout
from chemores_dask.store.cells import has_cells, open_cells
from chemores_dask.store.cohort_store import cells_by_sample
from chemores_dask.store.patients import list_cohorts, open_patients
from chemores_dask.store.results import ResultEntry, list_results
from chemores_dask.workflow.planning import EarlierResult
from chemores_dask.workflow.sample_table import sample_table
from chemores_dask.workflow.steps import CELLS, PATIENTS

PATIENT = "patient"
DIGITS = 16
VALUES_AT_ONCE = 2**22


@dataclass(frozen=True)
class Inventory:
    """What a store holds.

    Attributes
    ----------
    cells, genes, samples, patients
        Sizes; zeros where there are no cells. Patients are those of the samples.
    nonzeros
        Counts above zero.
    sample_cells
        Cells of each sample.
    cohorts
        Patients of each cohort.
    checksums
        Of ``"cells"`` and of each ``"patients/<cohort>"``.
    columns
        Columns of the table of the cells, and variables of each cohort, under the same names.
    results
        What was computed.
    sample_table
        One row per sample, with what is known of it.
    gene_names
        Genes of the cells.
    """

    cells: int
    genes: int
    samples: int
    patients: int
    nonzeros: int
    sample_cells: Mapping[str, int]
    cohorts: Mapping[str, int]
    checksums: Mapping[str, str]
    columns: Mapping[str, tuple[str, ...]]
    results: tuple[EarlierResult, ...]
    sample_table: pd.DataFrame
    gene_names: tuple[str, ...]


def take_inventory(store: StorePath) -> Inventory:
    """Find out what a store holds.

    Parameters
    ----------
    store
        Path of the store.

    Returns
    -------
    The inventory. Counts are not read.

    Raises
    ------
    StoreError
        If there is no store, or its cells are not complete.
    """
    root = layout.existing_root(store)
    checksums = {}
    columns = {}
    facts: Mapping[str, int] = {}
    samples: dict[str, int] = {}
    patients = 0
    table, genes = sample_table(pd.DataFrame()), ()
    if has_cells(root):
        cells = open_cells(root)
        facts = layout.group_attributes(root / layout.CELLS) or {}
        checksums[CELLS] = _table_checksum(cells.obs, str(cells.uns["content"]))
        columns[CELLS] = tuple(str(name) for name in cells.obs.columns)
        facts = {**facts, "genes": cells.n_vars}
        samples = cells_by_sample(cells.obs)
        table, genes = sample_table(cells.obs), tuple(str(name) for name in cells.var_names)
        patients = int(cells.obs[PATIENT].nunique()) if PATIENT in cells.obs else 0
    cohorts = {}
    for name in list_cohorts(root):
        cohort = open_patients(root, cohort=name)
        cohorts[name] = int(cohort.sizes[PATIENT])
        checksums[f"{PATIENTS}{name}"] = dataset_checksum(cohort)
        columns[f"{PATIENTS}{name}"] = tuple(str(variable) for variable in cohort.variables)
    return Inventory(
        cells=int(facts.get("cells", 0)),
        genes=int(facts.get("genes", 0)),
        samples=len(samples),
        patients=patients,
        nonzeros=int(facts.get("nonzeros", 0)),
        sample_cells=samples,
        cohorts=cohorts,
        checksums=checksums,
        columns=columns,
        results=tuple(_earlier(entry) for entry in list_results(root)),
        sample_table=table,
        gene_names=genes,
    )


def dataset_checksum(dataset: xr.Dataset) -> str:
    """Name a Dataset by its values and labels: 16 hexadecimal digits.

    Notes
    -----
    Lazy variables are read chunk by chunk.
    """
    digest = hashlib.sha256()
    for name in sorted(str(name) for name in dataset.variables):
        variable = dataset[name]
        digest.update(json.dumps([name, variable.dims, variable.shape, variable.dtype.kind]).encode())
        rows = variable.sizes[variable.dims[0]] if variable.dims else 1
        step = max(1, VALUES_AT_ONCE // max(variable.size // max(rows, 1), 1))
        for first in range(0, rows, step):
            part = variable.isel({variable.dims[0]: slice(first, first + step)}) if variable.dims else variable
            digest.update(_bytes_of(np.asarray(part.values)))
    return digest.hexdigest()[:DIGITS]


def _bytes_of(values: np.ndarray) -> bytes:
    if values.dtype.kind in "OUST":
        return json.dumps([str(value) for value in values.ravel()], ensure_ascii=False).encode()
    return np.ascontiguousarray(values).tobytes()


def _table_checksum(table: pd.DataFrame, content: str) -> str:
    digest = hashlib.sha256(content.encode())
    for name in table.columns:
        digest.update(str(name).encode())
        digest.update(pd.util.hash_pandas_object(table[name], index=False).to_numpy().tobytes())
    return digest.hexdigest()[:DIGITS]


def _earlier(entry: ResultEntry) -> EarlierResult:
    attributes = entry.attributes
    return EarlierResult(
        step=entry.step,
        fingerprint=entry.fingerprint,
        complete=entry.complete,
        analysis=str(attributes.get("analysis", "")),
        parameters=json.loads(attributes.get("step_parameters", "{}")),
        inputs=json.loads(attributes.get("step_inputs", "{}")),
        revision=int(attributes.get("revision", 0)),
        finished=str(attributes.get("finished", "")),
        warnings=tuple(json.loads(attributes.get("warnings", "[]"))),
        stale=entry.stale,
    )
