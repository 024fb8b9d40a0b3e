"""What the processes of the tests of revisions do; see killing."""

from __future__ import annotations

import pandas as pd

from chemores_dask.errors import IncompleteStoreError
from chemores_dask.ingest.append_samples import append_samples
from chemores_dask.ingest.options import IngestOptions
from chemores_dask.store.cells import open_cells
from chemores_dask.store.results import list_results
from chemores_dask.store.withdrawal import withdraw_patients


def withdraw(store):
    """Withdraw one patient; how many cells are left."""
    return withdraw_patients(store, patients=["p1"]).cells_left


def append(store, sheet):
    """Append the samples of a sheet; how many cells there are."""
    report = append_samples(pd.read_csv(sheet), store, options=IngestOptions(rows_per_block=9, nonzeros_per_block=80))
    return report.cells_before + report.samples.cells


def read(store):
    """What a reader finds: the content, and the sum of the counts; or what it is told to do."""
    try:
        cells = open_cells(store, rows_per_block=20)
        entries = [(entry.step, entry.complete, bool(entry.stale)) for entry in list_results(store)]
        return cells.uns["content"], int(cells.X.compute().sum()), entries
    except IncompleteStoreError as error:
        return str(error)
