"""The files of the tables of cells and genes, held against checksums kept when they were written.

AnnData stores tables without checksums, and zarr takes a missing chunk for zeros: every cell would silently be of the first sample.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from chemores_dask.aliases import StorePath
from chemores_dask.checks import listed
from chemores_dask.errors import ChecksumError
from chemores_dask.store.layout import CELLS, GROUP_FILE, LEDGER, existing_root, group_attributes, require_group

KEPT = "table_files"
TABLES = ("obs", "var", "uns")
POINTERS = "X/indptr"


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
    kept = {file.relative_to(cells).as_posix(): _checksum(file) for file in files if file not in lists}
    require_group(root / LEDGER).attrs[KEPT] = kept


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
    return _damaged(existing_root(store), (*TABLES, POINTERS))


def check_tables(root: Path) -> None:
    """Refuse cells whose tables are not as they were written.

    Raises
    ------
    ChecksumError
        Naming the files.
    FormatError
        If a list of columns is damaged.
    """
    damaged = _damaged(root, TABLES)
    if damaged:
        named = listed([f"{str(damage.file)!r} {damage.reason}" for damage in damaged])
        message = (
            f"The tables of the cells must be as they were written. Found: {named}. "
            "Restore the files from a backup, or ingest again."
        )
        raise ChecksumError(message)


def _damaged(root: Path, parts: tuple[str, ...]) -> list[FileDamage]:
    kept = (group_attributes(root / LEDGER) or {}).get(KEPT, {})
    for table in TABLES:
        group_attributes(root / CELLS / table)
    damaged = []
    for name, expected in kept.items():
        file = root / CELLS / name
        if not name.startswith(tuple(f"{part}/" for part in parts)):
            continue
        if not file.is_file():
            damaged.append(FileDamage(file, "is missing"))
        elif _checksum(file) != expected:
            damaged.append(FileDamage(file, "holds other bytes than were written"))
    return damaged


def _checksum(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, lambda: hashlib.blake2b(digest_size=8)).hexdigest()
