"""``chemores export``: write the cells of a store as one AnnData file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from chemores_dask.cli.terminal import say
from chemores_dask.store.cohort_store import folder_bytes
from chemores_dask.store.export import export_cells


def perform(
    store: Path,
    path: Path,
    *,
    samples: Sequence[str] | None,
    results: Sequence[str] | None,
    compression: str,
    overwrite: bool,
) -> None:
    """Export, and say what was written."""
    written = export_cells(
        store, path, samples=samples or None, results=results or (), compression=compression, replace=overwrite
    )
    size = written.stat().st_size if written.is_file() else folder_bytes(written)
    say(f"Written: {written} ({size / 1e6:,.1f} MB)")
