"""A store as one object: a path and its doors, without state of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anndata
import pandas as pd
import xarray as xr

from chemores_dask.aliases import StorePath
from chemores_dask.store.cells import open_cells, read_columns
from chemores_dask.store.layout import CELLS, existing_root, group_attributes, is_complete_group
from chemores_dask.store.patients import list_cohorts, open_patients
from chemores_dask.store.results import NO_ATTRIBUTES, ResultEntry, list_results, open_result, write_result


@dataclass(frozen=True)
class StoreFacts:
    """What a store holds, without reading counts.

    Attributes
    ----------
    cells, genes, nonzeros
        Size of the counts; zeros where there are no finished cells.
    samples
        Number of cells by sample, in order; empty if the table of cells has no column ``sample``.
    size_bytes
        Of all files.
    content
        Name for what the cells hold; None where there are none.
    cohorts
        Names of the cohorts of patients.
    results
        Results, torn ones included.
    """

    cells: int
    genes: int
    nonzeros: int
    samples: dict[str, int]
    size_bytes: int
    content: str | None
    cohorts: tuple[str, ...]
    results: tuple[ResultEntry, ...]

    @property
    def density(self) -> float:
        """Share of counts that are not zero."""
        return self.nonzeros / (self.cells * self.genes) if self.cells and self.genes else 0.0


@dataclass(frozen=True)
class CohortStore:
    """A path and its doors.

    Attributes
    ----------
    path
        Of the store.
    """

    path: StorePath

    def cells(self, *, columns: Sequence[str] | None = None, rows_per_block: int | None = None) -> anndata.AnnData:
        """Open the cells, as :func:`~chemores_dask.store.cells.open_cells`."""
        return open_cells(self.path, columns=columns, rows_per_block=rows_per_block)

    def patients(self, cohort: str) -> xr.Dataset:
        """Open a cohort of patients, as :func:`~chemores_dask.store.patients.open_patients`."""
        return open_patients(self.path, cohort=cohort)

    def result(self, *, step: str, fingerprint: str) -> xr.Dataset:
        """Open a result, as :func:`~chemores_dask.store.results.open_result`."""
        return open_result(self.path, step=step, fingerprint=fingerprint)

    def keep(
        self, result: xr.Dataset, *, step: str, fingerprint: str, attributes: Mapping[str, Any] = NO_ATTRIBUTES
    ) -> Path:
        """Write a result, as :func:`~chemores_dask.store.results.write_result`."""
        return write_result(result, self.path, step=step, fingerprint=fingerprint, attributes=attributes)

    def facts(self) -> StoreFacts:
        """What the store holds, as :func:`store_facts`."""
        return store_facts(self.path)


def store_facts(store: StorePath) -> StoreFacts:
    """Say what a store holds; counts are not read.

    Parameters
    ----------
    store
        Path of the store.

    Returns
    -------
    Sizes, samples, cohorts and results.

    Raises
    ------
    StoreNotFoundError, FormatError, SchemaVersionError
        As :func:`~chemores_dask.store.cells.open_cells`.
    """
    root = existing_root(store)
    attributes = group_attributes(root / CELLS) if is_complete_group(root / CELLS) else None
    shape, samples = (0, 0), {}
    if attributes is not None:
        described = group_attributes(root / CELLS / "X") or {}
        shape = tuple(described["shape"])
        if "sample" in (group_attributes(root / CELLS / "obs") or {})["column-order"]:
            samples = cells_by_sample(read_columns(root / CELLS / "obs", ["sample"]))
    return StoreFacts(
        cells=int(shape[0]),
        genes=int(shape[1]),
        nonzeros=int(attributes["nonzeros"]) if attributes else 0,
        samples=samples,
        size_bytes=folder_bytes(root),
        content=str(attributes["content"]) if attributes else None,
        cohorts=tuple(list_cohorts(root)),
        results=tuple(list_results(root)),
    )


def cells_by_sample(obs: pd.DataFrame) -> dict[str, int]:
    """Number of cells of each sample, in order; empty where there is no column ``sample``."""
    if "sample" not in obs:
        return {}
    counted = obs["sample"].value_counts(sort=False)
    return {str(name): int(number) for name, number in counted.items() if number}


def folder_bytes(folder: StorePath) -> int:
    """Size of all files below a folder."""
    return sum(path.stat().st_size for path in Path(folder).rglob("*") if path.is_file())
