"""Everything in a store read again: tables, shards, the copy by gene, cohorts and results."""

from __future__ import annotations

from pathlib import Path

from chemores_dask.aliases import StorePath
from chemores_dask.store.datasets import damage_of
from chemores_dask.store.layout import GROUP_FILE, PATIENTS, RESULTS, existing_root, is_complete_group
from chemores_dask.store.table_files import FileDamage, damaged_tables
from chemores_dask.store.verification import ShardDamage, damaged_gene_files, verify_cells


def verify_store(store: StorePath) -> list[FileDamage | ShardDamage]:
    """Read everything in a store again, and name what is not as it was written.

    Parameters
    ----------
    store
        Path of the store.

    Returns
    -------
    One entry per damaged file or group; empty if all is well. Where tables are damaged, only they are named: without them nothing can be
    said of the shards.

    Raises
    ------
    StoreNotFoundError, FormatError, SchemaVersionError, IncompleteStoreError
        As :func:`~chemores_dask.store.cells.open_cells`.

    Notes
    -----
    Passes over the counts: 1.
    """
    tables = damaged_tables(store)
    if tables:
        return [*tables]
    return [*verify_cells(store), *damaged_gene_files(store), *damaged_datasets(store)]


def damaged_datasets(store: StorePath) -> list[FileDamage]:
    """Read the cohorts of patients and the results of a store again, and name those that are not as they were written.

    Parameters
    ----------
    store
        Path of the store.

    Returns
    -------
    One entry per damaged group; empty if all is well.

    Raises
    ------
    StoreNotFoundError, FormatError, SchemaVersionError
        As :func:`~chemores_dask.store.cells.open_cells`.

    Notes
    -----
    Passes over the counts: 0.
    """
    root = existing_root(store)
    groups = sorted(
        [*_folders(root / PATIENTS), *(each for step in _folders(root / RESULTS) for each in _folders(step))]
    )
    reasons = {each: damage_of(each) for each in groups if is_complete_group(each)}
    return [FileDamage(each / GROUP_FILE, reason) for each, reason in reasons.items() if reason]


def _folders(folder: Path) -> list[Path]:
    return [each for each in folder.iterdir() if each.is_dir()] if folder.is_dir() else []
