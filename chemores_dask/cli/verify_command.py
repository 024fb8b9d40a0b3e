"""``chemores verify``: hold what is on disk against its checksums."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from chemores_dask.cli.terminal import complain, say, show_table
from chemores_dask.store.cells import check_complete
from chemores_dask.store.layout import GENE_COPY, existing_root
from chemores_dask.store.store_check import damaged_datasets
from chemores_dask.store.table_files import damaged_tables
from chemores_dask.store.verification import damaged_gene_files, verify_cells

RESTORE = "Restore them from a backup, or ingest again into another store."


def perform(store: Path) -> None:
    """Read tables and shards again; exit code 1 if one is not as it was written."""
    check_complete(existing_root(store))
    tables = damaged_tables(store)
    if tables:
        # They say which cells and samples lie in a shard; without them damage of shards cannot be named.
        _refuse(store, [(damage.file, damage.reason, "") for damage in tables], what="files of tables")
    shards = verify_cells(store)
    if shards:
        rows = [(damage.file, damage.reason, ", ".join(damage.samples)) for damage in shards]
        _refuse(store, rows, what="shards")
    copied = damaged_gene_files(store)
    if copied:
        rows = [(damage.file, damage.reason, ", ".join(damage.samples)) for damage in copied]
        mend = f"Remove {store / GENE_COPY} and run: chemores by-gene {store}"
        _refuse(store, rows, what="files of the copy by gene", mend=mend)
    datasets = damaged_datasets(store)
    if datasets:
        _refuse(
            store,
            [(damage.file, damage.reason, "") for damage in datasets],
            what="cohorts or results",
            mend="Run the pipeline again, it makes damaged results anew; take in damaged cohorts again.",
        )
    say("All shards and tables are as they were written.")


def _refuse(store: Path, rows: Sequence[tuple[Path, str, str]], *, what: str, mend: str = RESTORE) -> None:
    # Below the store, so that a long path to it does not break names of files over several lines.
    root = store.absolute()
    named = [
        (file.absolute().relative_to(root) if file.absolute().is_relative_to(root) else file, *more)
        for file, *more in rows
    ]
    show_table(("file", "what is wrong", "samples"), named)
    complain(f"Error: What is on disk must be as it was written. Damaged {what}: {len(rows)}. {mend}")
    raise SystemExit(1)
