"""``chemores by-gene``: write the counts once more, gene by gene."""

from __future__ import annotations

from pathlib import Path

from chemores_dask.cli.terminal import complain, say
from chemores_dask.memory import memory_budget
from chemores_dask.metering import bytes_text
from chemores_dask.store.cohort_store import folder_bytes
from chemores_dask.store.gene_copy import gene_copy_state, write_gene_copy
from chemores_dask.store.layout import GENE_COPY, existing_root
from chemores_dask.store.writer_lock import WITHOUT_LIMIT, writing


def perform(store: Path, *, memory: str | None = None, wait: bool = False) -> None:
    """Write the copy, or the tiles that it lacks."""
    existing_root(store)
    seconds = WITHOUT_LIMIT if wait else 0.0
    with writing(store, wait=seconds, on_wait=complain) as root, memory_budget(memory):
        before = gene_copy_state(root)
        folder = write_gene_copy(root) / GENE_COPY
    done = {"complete": "was there already", "cut short": "was finished"}.get(before, "was written")
    say(
        f"The copy of the counts by gene {done}: {bytes_text(folder_bytes(folder))}. Reading a gene takes it from there."
    )
