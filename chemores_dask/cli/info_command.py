"""``chemores info``: tell what a store holds."""

from __future__ import annotations

from pathlib import Path

from chemores_dask.cli.terminal import say, show_table
from chemores_dask.metering import bytes_text
from chemores_dask.store.cohort_store import folder_bytes
from chemores_dask.store.gene_copy import gene_copy_state
from chemores_dask.workflow.inventory import take_inventory

GENE_COPIES = {
    "none": "none",
    "complete": "complete",
    "cut short": "cut short; chemores by-gene goes on with it",
    "of other cells": "made from other cells; chemores by-gene makes it anew",
}


def perform(store: Path) -> None:
    """Tell what a store holds."""
    inventory = take_inventory(store)
    if inventory.cells:
        filled = inventory.nonzeros / (inventory.cells * max(inventory.genes, 1))
        say(
            f"{inventory.cells:,} cells of {inventory.genes:,} genes in {inventory.samples:,} samples "
            f"of {inventory.patients:,} patients",
            f"{inventory.nonzeros:,} counts above zero ({filled:.1%} of the matrix, "
            f"{inventory.nonzeros / inventory.cells:,.0f} in a cell)",
        )
    else:
        say("no cells")
    say(f"{bytes_text(folder_bytes(store))} on disk")
    if inventory.cells:
        say(f"copy of the counts by gene: {GENE_COPIES[gene_copy_state(store)]}")
    if inventory.sample_cells:
        show_table(("sample", "cells"), [(name, f"{cells:,}") for name, cells in inventory.sample_cells.items()])
    for name, patients in inventory.cohorts.items():
        say(f"cohort {name}: {patients:,} patients")
    complete = sum(result.complete for result in inventory.results)
    stale = sum(bool(result.stale) for result in inventory.results)
    say(
        f"{complete} results"
        + (f" ({stale} of them out of date)" if stale else "")
        + (f", {len(inventory.results) - complete} cut short" if complete < len(inventory.results) else "")
    )
