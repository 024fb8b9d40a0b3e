"""More cells for a finished store: a revision that is an unfinished store, whose first source is all that the store holds already."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import zarr
from anndata.io import read_elem

from chemores_dask.errors import StoreError
from chemores_dask.store import ledger, revision
from chemores_dask.store.cells import check_complete
from chemores_dask.store.cells_tables import CELL_KEY
from chemores_dask.store.cells_writer import CellsWriter
from chemores_dask.store.layout import (
    CELLS,
    CHECKPOINTS,
    GENE_COPY,
    LEDGER,
    erase,
    group_attributes,
    is_complete_group,
    require_group,
)
from chemores_dask.store.result_cuts import CELLS_ROOT, mark_stale
from chemores_dask.store.row_removal import check_parts, link_shards
from chemores_dask.store.sharded_csr import create_matrix, read_pointers, read_window
from chemores_dask.store.table_files import check_tables

KIND = "append"
EARLIER_KEY = "cells:before"
"""No sample is called so: their names hold no colon."""

REASON = "cells were appended"


def open_append(root: Path, plan: Mapping[str, Any]) -> CellsWriter | None:
    """Begin to append to the cells of a store, or go on with it.

    Parameters
    ----------
    root
        Of the store, whose lock is held.
    plan
        Plain values that say what is appended; one that was begun with other values is given up.

    Returns
    -------
    A writer behind the last cell; its ``finished_sources`` begin with one that stands for the cells that are there. None if an earlier
    call had closed it. The store itself is not touched before :func:`close_append`.

    Raises
    ------
    IncompleteStoreError, StoreNotFoundError
        If the store has no finished cells.
    StoreError
        If a withdrawal was cut short, or the AnnData has parts that a store does not keep.
    ChecksumError
        If tables or the last shard are damaged.
    """
    check_complete(root)
    check_tables(root)
    earlier = revision.read_plan(root) or {}
    if earlier.get("kind", KIND) != KIND:
        message = (
            f"A withdrawal comes before an append. One from {str(root)!r} was cut short; finish it first: "
            f"{revision.named('withdraw', root, [f'--patient {name!r}' for name in earlier['patients']])}"
        )
        raise StoreError(message)
    content = (group_attributes(root / CELLS) or {})["content"]
    begun = revision.begin(root, {"kind": KIND, "content": content, **plan})
    new = revision.new_folder(root)
    if begun and is_complete_group(new / CELLS):
        return None
    if not begun or not ledger.read_sources(new):
        _lay_ground(root, new)
    group = zarr.open_group(root / CELLS, mode="r")
    header = ledger.read_header(new)
    if header is None:
        message = f"A revision has a ledger. {str(new / LEDGER)!r} is damaged; remove the folder 'revision' and run the same command again."
        raise StoreError(message)
    return CellsWriter.open(new, pd.DataFrame(read_elem(group["var"])), geometry=header.geometry)


def close_append(root: Path, *, counted: Mapping[str, int], report: Mapping[str, Any], command: str) -> int:
    """Put the cells of a closed writer in the place of those of the store.

    Parameters
    ----------
    root
        Of the store.
    counted
        Number of samples and cells, for the history of the store.
    report
        Plain values, for a call that finds the work done.
    command
        For whoever must finish it.

    Returns
    -------
    How many results are out of date now. The copy of the counts by gene is removed.
    """
    erase(revision.new_folder(root) / LEDGER / ledger.SOURCES)
    stale = mark_stale(root, roots=[CELLS_ROOT], reason=REASON)
    history = revision.note_in_history(root, {"kind": KIND, **counted})
    change = revision.Change([CELLS, LEDGER, *stale, history], [GENE_COPY, CHECKPOINTS])
    revision.commit(root, change, report=report, command=command)
    return len(stale)


def _lay_ground(root: Path, new: Path) -> None:
    """Make the unfinished store; its first source is written last, and makes it count."""
    group = zarr.open_group(root / CELLS, mode="r")
    check_parts(group)
    obs = pd.DataFrame(read_elem(group["obs"])).drop(columns=CELL_KEY, errors="ignore")
    pointers = read_pointers(root / CELLS / "X", 0, len(obs))
    nonzeros = int(pointers[-1])
    present = ledger.read_header(root)
    if present is None:
        message = f"The cells of a store have a ledger. {str(root / LEDGER)!r} is damaged; restore it from a backup."
        raise StoreError(message)
    var = pd.DataFrame(read_elem(group["var"]))
    _make_store(root, new)
    ledger.start_ledger(new, ledger.Header(present.geometry, len(var), ledger.genes_checksum(var)))
    require_group(new / CELLS)
    full = nonzeros // present.geometry.shard
    create_matrix(require_group(new / CELLS / "X"), geometry=present.geometry, shards=full + 1)
    shards = link_shards(root, full)
    tail = read_window(root / CELLS / "X", full * present.geometry.shard, nonzeros)
    record = {ledger.EARLIER: [asdict(entry) for entry in ledger.read_kept_sources(root)]}
    ledger.write_source(
        new,
        ledger.SourceEntry(EARLIER_KEY, record, first_row=0, rows=len(obs), nonzeros=nonzeros),
        number=0,
        obs=obs,
        row_nonzeros=np.diff(pointers),
        shards=shards,
        tail=tail,
    )


def _make_store(root: Path, new: Path) -> None:
    """Describe the folder as the store it is a part of."""
    zarr.create_group(new, zarr_format=3, attributes=group_attributes(root), overwrite=True)
