"""``chemores verify``: hold the counts on disk against their checksums."""

from __future__ import annotations

from pathlib import Path

from chemores_dask.cli.terminal import complain, say, show_table
from chemores_dask.store.verification import verify_cells


def perform(store: Path) -> None:
    """Read every shard again; exit code 1 if one is not as it was written."""
    damaged = verify_cells(store)
    if damaged:
        rows = [(damage.file, damage.reason, ", ".join(damage.samples)) for damage in damaged]
        show_table(("shard", "what is wrong", "samples"), rows)
        complain(
            f"Error: {len(damaged)} shards are not as they were written. Restore them from a backup, or ingest again."
        )
        raise SystemExit(1)
    say("All shards are as they were written.")
