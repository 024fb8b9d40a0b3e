"""Consent withdrawn: the patient's cells, samples and entries leave every array of a store, and the bytes with them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import zarr
from anndata.io import read_elem

from chemores_dask.aliases import StorePath
from chemores_dask.checks import listed
from chemores_dask.errors import InputError, MissingVariableError
from chemores_dask.provenance import canonical_json
from chemores_dask.store import ledger, revision
from chemores_dask.store.cells import check_complete, has_cells, read_columns
from chemores_dask.store.layout import (
    CELLS,
    GROUP_FILE,
    LEDGER,
    LOCK_FILE,
    PARTIAL_FILES,
    PATIENTS,
    RESULTS,
    REVISION,
    store_root,
)
from chemores_dask.store.patients import list_cohorts, open_patients
from chemores_dask.store.result_cuts import PATIENT, SAMPLE, Leaving, cut_results
from chemores_dask.store.row_removal import KeptRows, Progress, Rewritten, cut_sources, cut_table, remove_rows
from chemores_dask.store.sharded_csr import read_pointers, read_rows
from chemores_dask.store.table_files import check_tables
from chemores_dask.store.writer_lock import writing

KIND = "withdrawal"
REASON = "consent was withdrawn for patients it rests on"
KEPT_PLACES = (CELLS, LEDGER, PATIENTS, RESULTS, REVISION, GROUP_FILE, LOCK_FILE)
ROWS_AT_ONCE = 2**14
LEAST_SIMILAR = 0.5
UNKNOWN_AFTERWARDS = ("set_aside_total", "other_species_share")
"""What a report of a source says of the cells together, and nobody can tell again without the file."""


@dataclass(frozen=True)
class WithdrawalReport:
    """What a withdrawal did.

    Attributes
    ----------
    patients, samples, cells
        How many left.
    cells_left
        How many stay.
    cohorts
        Cohorts with bulk data that lost patients.
    shards_kept, shards_rewritten
        Shards of the counts that were not touched, and those written anew.
    bytes_rewritten
        Size of all files that were written.
    results_cut, results_stale, results_removed
        Results that lost entries, those marked out of date, and those that went altogether.
    places_removed
        Derived data that was removed, such as the copy of the counts by gene; it must be made again.
    annotation_removed
        Entries of ``uns`` that named those who left.
    """

    patients: int
    samples: int
    cells: int
    cells_left: int
    cohorts: Sequence[str] = ()
    shards_kept: int = 0
    shards_rewritten: int = 0
    bytes_rewritten: int = 0
    results_cut: int = 0
    results_stale: int = 0
    results_removed: int = 0
    places_removed: Sequence[str] = ()
    annotation_removed: Sequence[str] = field(default_factory=tuple)


def withdraw_patients(
    store: StorePath,
    *,
    patients: Sequence[str],
    column: str = PATIENT,
    progress: Progress | None = None,
    wait: float = 0.0,
    on_wait: Callable[[str], object] | None = None,
) -> WithdrawalReport:
    """Remove patients from a store: cells, cohorts, results, and every trace of their names.

    What stays is built beside the present store, and put in its place in a moment; then the old files are deleted. A call that was cut
    short is simply repeated. The store can be read all the while, but for that moment.

    Parameters
    ----------
    store
        Path of the store.
    patients
        Their names, as in the table of the cells or in a cohort.
    column
        Of the table of the cells that names the patient.
    progress
        Called with the number of shards written and to be written.
    wait
        Seconds to wait for another process that writes into the store; unless given, the call is refused at once.
    on_wait
        Called once with a sentence for people, if there is somebody to wait for.

    Returns
    -------
    What was removed, and what that cost.

    Raises
    ------
    InputError
        If a patient is not in the store.
    MissingVariableError
        If the cells have no such column.
    StoreNotFoundError, FormatError, SchemaVersionError, IncompleteStoreError, StoreBusyError
        If the store cannot be revised.
    ChecksumError
        If counts that must be copied are damaged.

    Notes
    -----
    Passes over the counts: the share of them that lies behind the first cell of the patients; shards before it are not touched.

    Genes stay as they are, also those that only these patients had. With the last cells the group of the cells goes altogether, and
    results made from it. Files are deleted, not overwritten: copies, backups and snapshots, and what runs wrote outside the store, are
    yours to remove.
    """
    asked = sorted({patients} if isinstance(patients, str) else {str(name) for name in patients})
    root = store_root(store)
    plan = {"kind": KIND, "patients": asked, "column": column}
    earlier = revision.pending(root)
    with writing(root, wait=wait, on_wait=on_wait):
        if earlier is not None and earlier["plan"] == plan:
            return WithdrawalReport(**earlier["report"])  # the lock has finished it
        cells = _Cells.read(root, column) if has_cells(root) else None
        _check_known(root, asked, cells, column=column)
        leaving = (
            cells.leaving(asked) if cells else Leaving(frozenset(asked), frozenset(), frozenset(), np.ones(0, bool))
        )
        revision.discard(root)
        revision.begin(root, plan)
        rewritten = Rewritten()
        dropped: tuple[str, ...] = ()
        replaced, removed = [], _derived_places(root)
        touched = cells is not None and not leaving.kept.all()
        if cells is not None and touched:
            if leaving.kept.any():
                rewritten, dropped = cells.rewrite(leaving, progress=progress)
                replaced += [CELLS, LEDGER]
            else:
                removed += [CELLS, LEDGER]
        results = cut_results(root, leaving, reason=REASON)
        gone = {
            "patients": len(asked),
            "samples": cells.samples_of(leaving) if cells else 0,
            "cells": len(leaving.cells),
        }
        replaced += [*results.change.replaced, revision.note_in_history(root, {"kind": KIND, **gone})]
        report = WithdrawalReport(
            **gone,
            cells_left=int(leaving.kept.sum()),
            cohorts=results.cohorts,
            shards_kept=rewritten.shards_kept,
            shards_rewritten=rewritten.shards_written,
            bytes_rewritten=revision.written_bytes(root),
            results_cut=results.cut,
            results_stale=results.stale,
            results_removed=results.removed,
            places_removed=tuple(place for place in removed if place not in (CELLS, LEDGER)),
            annotation_removed=dropped,
        )
        revision.commit(
            root,
            revision.Change(replaced, [*removed, *results.change.removed]),
            report=asdict(report),
            command=revision.named("withdraw", root, [f"--patient {name!r}" for name in asked]),
        )
    return report


@dataclass(frozen=True)
class _Cells:
    """The cells of a store, as far as a withdrawal must know them."""

    root: Path
    patients: pd.Series
    samples: pd.Series | None
    names: pd.Index

    @classmethod
    def read(cls, root: Path, column: str) -> _Cells:
        check_complete(root)
        check_tables(root)
        table = read_columns(root / CELLS / "obs", None)
        if column not in table:
            message = (
                f"The cells must say whose they are, so that none is overlooked. The table of cells in {str(root)!r} has no column "
                f"{column!r}; present: {listed(table.columns)}. Name the one that tells (--column)."
            )
            raise MissingVariableError(message)
        return cls(root, table[column], table.get(SAMPLE, None), table.index)

    def leaving(self, patients: Sequence[str]) -> Leaving:
        gone = (self.patients.notna() & self.patients.astype(object).astype(str).isin(patients)).to_numpy(dtype=bool)
        alone: set[str] = set()
        shared: set[str] = set()
        if self.samples is not None:
            with_them, with_others = (
                set(self.samples[rows].dropna().astype(object).astype(str)) for rows in (gone, ~gone)
            )
            alone, shared = with_them - with_others, with_them & with_others
        return Leaving(frozenset({*patients, *alone}), frozenset(shared), frozenset(self.names[gone]), ~gone)

    def samples_of(self, leaving: Leaving) -> int:
        return 0 if self.samples is None else int(self.samples[~leaving.kept].dropna().nunique())

    def rewrite(self, leaving: Leaving, *, progress: Progress | None) -> tuple[Rewritten, tuple[str, ...]]:
        """Write the cells without those who leave; tells what became of the shards, and which annotation was dropped."""
        group = zarr.open_group(self.root / CELLS, mode="r")
        obs = cut_table(pd.DataFrame(read_elem(group["obs"])), leaving.kept)
        matrix = self.root / CELLS / "X"
        rows = KeptRows(matrix, read_pointers(matrix, 0, len(leaving.kept)), leaving.kept)
        sources = ledger.read_kept_sources(self.root)
        kept = cut_sources(sources, rows, changed=lambda entry: self._cut_record(entry, rows, leaving))
        uns, dropped = cut_annotation(dict(read_elem(group["uns"])), leaving, sources=kept)
        return remove_rows(self.root, leaving.kept, obs=obs, uns=uns, sources=kept, progress=progress), dropped

    def _cut_record(self, entry: ledger.SourceEntry, rows: KeptRows, leaving: Leaving) -> dict[str, Any]:
        if ledger.REPORT not in entry.record:
            return dict(leaving.struck(entry.record))
        first, stop = entry.first_row, entry.first_row + entry.rows
        kept = rows.kept[first:stop]
        nonzeros = np.diff(rows.pointers[first : stop + 1])[kept]
        report = {name: value for name, value in entry.record[ledger.REPORT].items() if name not in UNKNOWN_AFTERWARDS}
        if self.samples is not None:
            counted = self.samples.iloc[first:stop][kept].astype(object).value_counts(sort=False)
            report["cells"] = {str(name): int(number) for name, number in counted.items()}
        report |= {"nonzeros": int(nonzeros.sum()), "empty_cells": int((nonzeros == 0).sum())}
        report["total"] = int(report["total"]) - _total(rows, first, stop)
        # No file holds exactly these cells: it can never be taken for one that was read.
        return {"fingerprint": None, ledger.REPORT: leaving.struck(report)}


def cut_annotation(
    uns: Mapping[str, Any], leaving: Leaving, *, sources: Sequence[ledger.SourceEntry]
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Unstructured annotation without what names people who leave, or runs over the cells.

    Parameters
    ----------
    uns
        As it is.
    leaving
        Who leaves.
    sources
        Those that stay; their reports take the place of the present ones.

    Returns
    -------
    New annotation, and names of the entries that were dropped.
    """
    fresh: dict[str, Any] = {}
    for name, value in uns.items():
        if name == ledger.REPORT_ENTRY and isinstance(value, str):
            reports = [entry.record[ledger.REPORT] for entry in sources if ledger.REPORT in entry.record]
            fresh[name] = canonical_json(leaving.struck({**json.loads(value), "sources": reports}))
        elif not _concerns(name, leaving) and not _concerns(value, leaving):
            fresh[name] = value
    return fresh, tuple(name for name in uns if name not in fresh)


def _concerns(value: object, leaving: Leaving) -> bool:
    if isinstance(value, str):
        return leaving.struck(value) != value or value in leaving.cells
    if isinstance(value, Mapping):
        return any(_concerns(key, leaving) or _concerns(item, leaving) for key, item in value.items())
    if isinstance(value, (pd.DataFrame, pd.Series)):
        frame = pd.DataFrame(value).reset_index()
        return len(frame) == len(leaving.kept) or any(_concerns(frame[name].to_numpy(), leaving) for name in frame)
    if hasattr(value, "shape") and hasattr(value, "dtype"):
        if value.shape and value.shape[0] == len(leaving.kept):
            return True
        values = np.asarray(value, dtype=object) if value.dtype.kind not in "biufc" else np.empty(0, dtype=object)
        return any(_concerns(str(text), leaving) for text in values.ravel())
    return isinstance(value, (list, tuple)) and any(_concerns(item, leaving) for item in value)


def _total(rows: KeptRows, first: int, stop: int) -> int:
    """Sum of the counts of the rows that go, between two rows."""
    total = 0
    for start in range(first, stop, ROWS_AT_ONCE):
        gone = ~rows.kept[start : min(start + ROWS_AT_ONCE, stop)]
        if gone.any():
            width = np.iinfo(np.int32).max  # of no matter for a sum
            block = read_rows(rows.folder, start, start + len(gone), genes=width)
            total += int(block.data[np.repeat(gone, np.diff(block.indptr))].sum(dtype=np.int64))
    return total


def _check_known(root: Path, asked: Sequence[str], cells: _Cells | None, *, column: str) -> None:
    if not asked or not all(name.strip() for name in asked):
        message = "withdraw_patients needs the names of the patients. Got none, or an empty one; name them."
        raise InputError(message)
    known: set[str] = set()
    if cells is not None:
        known |= set(cells.patients.dropna().astype(object).astype(str))
    for cohort in list_cohorts(root):
        dataset = open_patients(root, cohort=cohort)
        known |= {str(name) for name in dataset[PATIENT].values} if PATIENT in dataset.coords else set()
    unknown = [name for name in asked if name not in known]
    if unknown:
        close = [
            match for name in unknown for match in get_close_matches(name, sorted(known), n=3, cutoff=LEAST_SIMILAR)
        ]
        history = [entry for entry in revision.read_history(root) if entry["kind"] == KIND]
        last = f" The last withdrawal was on {history[-1]['date']}." if history else ""
        unfinished = " An unfinished append is there too; finish it first." if revision.read_plan(root) else ""
        similar = f" Similar names: {listed(close)}." if close else ""
        message = (
            f"Patients to withdraw must be in the store. Not in the column {column!r} of its cells nor in a cohort: {listed(unknown)}."
            f"{similar}{last}{unfinished} Check the names."
        )
        raise InputError(message)


def _derived_places(root: Path) -> list[str]:
    """Everything in a store that is not cells, ledger, cohorts or results can be made again, and may hold anything of the cells."""
    folders = [each.name for each in sorted(root.iterdir()) if each.is_dir() and each.name not in KEPT_PLACES]
    torn = [
        file.relative_to(root).as_posix()
        for file in root.rglob(PARTIAL_FILES)
        if file.relative_to(root).parts[0] not in folders
    ]
    return [*folders, *(place for place in torn if not place.startswith(f"{REVISION}/"))]
