"""The files of the tables of cells and genes, held against checksums kept when they were written.

AnnData stores tables without checksums, and zarr takes a missing chunk for zeros: every cell would silently be of the first sample.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chemores_dask.aliases import StorePath
from chemores_dask.checks import listed
from chemores_dask.errors import ChecksumError
from chemores_dask.store.layout import CELLS, GROUP_FILE, LEDGER, existing_root, group_attributes, require_group

KEPT = "table_files"
KEPT_LISTS = "table_lists"
TABLES = ("obs", "var", "uns")
POINTERS = "X/indptr"
DESCRIPTIONS = ("X/zarr.json", "X/data/zarr.json", "X/indices/zarr.json")
"""What says how long the arrays of counts are: a flipped digit would cut cells off."""

COLUMN_ORDER = "column-order"
FACTS = ("cells", "nonzeros", "content")


@dataclass(frozen=True)
class FileDamage:
    """A file of a table that is not as it was written.

    Attributes
    ----------
    file
        Its path.
    reason
        What is wrong.
    """

    file: Path
    reason: str


def keep_checksums(root: Path) -> None:
    """Keep the checksums of the files of the tables, and of the pointers of the rows, in the ledger.

    The lists of columns are left out, so that a column added later is no damage.
    """
    cells = root / CELLS
    lists = {cells / table / GROUP_FILE for table in TABLES}
    files = sorted(file for part in (*TABLES, POINTERS) for file in (cells / part).rglob("*") if file.is_file())
    files += [cells / name for name in DESCRIPTIONS]
    kept = {file.relative_to(cells).as_posix(): _checksum(file) for file in files if file not in lists}
    described = {table: group_attributes(cells / table) for table in TABLES}
    require_group(root / LEDGER).attrs.update({KEPT: kept, KEPT_LISTS: described})


def damaged_tables(store: StorePath) -> list[FileDamage]:
    """Read the files of the tables and of the pointers again, and name those that are not as they were written.

    Parameters
    ----------
    store
        Path of the store.

    Returns
    -------
    One entry per damaged file, in order; empty if all is well.

    Raises
    ------
    StoreNotFoundError, FormatError, SchemaVersionError
        As :func:`~chemores_dask.store.cells.open_cells`.

    Notes
    -----
    Passes over the counts: 0.
    """
    return _damaged(existing_root(store), (*TABLES, POINTERS, *DESCRIPTIONS))


def check_tables(root: Path) -> None:
    """Refuse cells whose tables are not as they were written.

    Raises
    ------
    ChecksumError
        Naming the files.
    FormatError
        If a list of columns is damaged.
    """
    damaged = _damaged(root, (*TABLES, *DESCRIPTIONS))
    if damaged:
        named = listed([f"{str(damage.file)!r} {damage.reason}" for damage in damaged])
        message = (
            f"The tables of the cells must be as they were written. Found: {named}. "
            "Restore the files from a backup, or ingest again."
        )
        raise ChecksumError(message)


def _damaged(root: Path, parts: tuple[str, ...]) -> list[FileDamage]:
    ledger = group_attributes(root / LEDGER) or {}
    kept = ledger.get(KEPT, {})
    damaged = _damaged_lists(root, ledger)
    for name, expected in kept.items():
        file = root / CELLS / name
        if not name.startswith(tuple(part if part in DESCRIPTIONS else f"{part}/" for part in parts)):
            continue
        if not file.is_file():
            damaged.append(FileDamage(file, "is missing"))
        elif _checksum(file) != expected:
            damaged.append(FileDamage(file, "holds other bytes than were written"))
    return damaged


def _damaged_lists(root: Path, ledger: Mapping[str, Any]) -> list[FileDamage]:
    """The descriptions of the tables and of the cells: they may say more than when they were written, but nothing else."""
    damaged = []
    for table in TABLES:
        found = group_attributes(root / CELLS / table) or {}
        wanted = ledger.get(KEPT_LISTS, {}).get(table, {})
        columns = set(wanted.get(COLUMN_ORDER, ())) <= set(found.get(COLUMN_ORDER, ()))
        if not columns or any(found.get(name) != wanted[name] for name in wanted if name != COLUMN_ORDER):
            damaged.append(FileDamage(root / CELLS / table / GROUP_FILE, "says something else than was written"))
    facts = group_attributes(root / CELLS) or {}
    if any(facts.get(name) != ledger[name] for name in FACTS if name in ledger):
        damaged.append(FileDamage(root / CELLS / GROUP_FILE, "says something else than the ledger"))
    return damaged


def _checksum(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, lambda: hashlib.blake2b(digest_size=8)).hexdigest()
