"""More samples for the cells of a store that is finished."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd
import zarr
from anndata.io import read_elem

from chemores_dask.aliases import StorePath
from chemores_dask.checks import listed
from chemores_dask.errors import InputError
from chemores_dask.ingest.convert import DEFAULT_OPTIONS, Progress, SourceStream, is_same, write_sources
from chemores_dask.ingest.ingest_report import IngestReport, SourceReport
from chemores_dask.ingest.options import IngestOptions
from chemores_dask.ingest.sample_plans import IngestPlan, plan_ingest
from chemores_dask.ingest.sample_sheet import read_sample_sheet
from chemores_dask.provenance import canonical_json
from chemores_dask.store import ledger, revision
from chemores_dask.store.appending import close_append, open_append
from chemores_dask.store.cells import check_complete, read_columns
from chemores_dask.store.cells_writer import CellsWriter
from chemores_dask.store.layout import CELLS, group_attributes, store_root
from chemores_dask.store.writer_lock import writing

SAMPLE = "sample"
ADVICE = "The store {store} is as it was. Mend the file and run the same call again; files that were read are not read again."


@dataclass(frozen=True)
class AppendReport:
    """What an append did.

    Attributes
    ----------
    samples
        What was read, per file, and what became of the genes.
    cells_before
        Cells that the store held.
    shards_kept
        Shards of the counts that were not touched.
    bytes_written
        Size of all files that were written.
    results_stale
        Results that are out of date now.
    """

    samples: IngestReport
    cells_before: int
    shards_kept: int = 0
    bytes_written: int = 0
    results_stale: int = 0


def append_samples(
    samples: str | os.PathLike[str] | pd.DataFrame,
    store: StorePath,
    *,
    options: IngestOptions = DEFAULT_OPTIONS,
    progress: Progress | None = None,
    wait: float = 0.0,
    on_wait: Callable[[str], object] | None = None,
) -> AppendReport:
    """Bring more samples into a store whose cells are finished; what is there is not written again.

    The store then holds what one ingest of all samples in this order would have made. Until the end it stays as it was, and can be read.
    A call that was cut short is simply repeated: files it had finished are not read again. A call for samples that are there already,
    from the same, unchanged files, returns their report.

    Parameters
    ----------
    samples
        The sample sheet of the new samples, as for :func:`~chemores_dask.ingest.convert.ingest`.
    store
        Where the cells are.
    options, progress
        As for ``ingest``. The genes are those of the store: ``genes="union"`` refuses samples with others, ``"intersection"`` leaves
        these out; genes that a sample lacks have no counts.
    wait
        Seconds to wait for another process that writes into the store; unless given, the call is refused at once.
    on_wait
        Called once with a sentence for people, if there is somebody to wait for.

    Returns
    -------
    What was read, and what that cost. Results made from the cells are marked out of date; the copy of the counts by gene is removed.

    Raises
    ------
    StoreNotFoundError, IncompleteStoreError
        If a file is not there, or there are no finished cells in the store.
    InputError, MissingVariableError, ParameterError, GeneMismatchError
        If the sheet, the samples or their genes cannot be used, or a sample is in the store already.
    FormatError, CountsError
        If a file is not what its name or header says, is cut short, or is not made of raw counts.
    StoreError
        If a withdrawal was cut short, or another process writes into the store.

    Notes
    -----
    Passes over the counts: 1 over the new ones, none over those of the store. The shard at the border, the tables of the cells and
    the pointers of the rows are written anew.
    """
    root = store_root(store)
    with writing(root, wait=wait, on_wait=on_wait):
        check_complete(root)
        cells = zarr.open_group(root / CELLS, mode="r")
        plan = plan_ingest(read_sample_sheet(samples), options, store_genes=pd.DataFrame(read_elem(cells["var"])))
        before = _appended_before(root, plan)
        if before is not None:
            return before
        _check_new(root, plan)
        writer = open_append(root, {"digest": _digest(plan, options)})
        if writer is not None:
            with writer:
                _write(writer, plan, options, root=root, progress=progress)
        return _finish(root, plan)


def _write(
    writer: CellsWriter, plan: IngestPlan, options: IngestOptions, *, root: Path, progress: Progress | None
) -> None:
    stream = SourceStream(plan, options, root, writer=writer, progress=progress)
    reports = write_sources(stream, advice=ADVICE)
    uns = dict(read_elem(zarr.open_group(root / CELLS, mode="r")["uns"]))
    fresh = IngestReport(root, reports, plan.dictionary.report).to_dict()
    said = json.loads(uns[ledger.REPORT_ENTRY]) if ledger.REPORT_ENTRY in uns else {**fresh, "sources": []}
    # Whether this call or an earlier one read a file is of no matter for who reads the store.
    kept = [asdict(replace(report, resumed=False)) for report in reports]
    uns[ledger.REPORT_ENTRY] = canonical_json({**said, "sources": [*said["sources"], *kept]})
    writer.close(uns=uns)


def _finish(root: Path, plan: IngestPlan) -> AppendReport:
    """Put the new cells in place; also where an earlier call wrote them, but came no further."""
    before = group_attributes(root / CELLS) or {}
    header = ledger.read_header(root)
    counted = {"samples": len(_names(plan)), "cells": sum(sum(sample.cells.values()) for sample in plan.samples)}
    report = AppendReport(
        IngestReport(root, _reports(revision.new_folder(root), plan), plan.dictionary.report),
        cells_before=int(before["cells"]),
        shards_kept=int(before["nonzeros"]) // header.geometry.shard if header else 0,
        bytes_written=revision.written_bytes(root),
    )
    command = revision.named("append", root, ["with the same sample sheet"])
    return replace(report, results_stale=close_append(root, counted=counted, report=counted, command=command))


def _appended_before(root: Path, plan: IngestPlan) -> AppendReport | None:
    records = {entry.key: entry.record for entry in ledger.read_kept_sources(root)}
    if not all(is_same(records.get(sample.entry.sample, {}), sample) for sample in plan.samples):
        return None
    reports = tuple(replace(report, resumed=True) for report in _reports(root, plan))
    cells = int((group_attributes(root / CELLS) or {})["cells"])
    new = sum(sum(report.cells.values()) for report in reports)
    return AppendReport(IngestReport(root, reports, plan.dictionary.report), cells_before=cells - new)


def _reports(root: Path, plan: IngestPlan) -> tuple[SourceReport, ...]:
    records: Mapping[str, Any] = {entry.key: entry.record for entry in ledger.read_kept_sources(root)}
    return tuple(SourceReport(**records[sample.entry.sample][ledger.REPORT]) for sample in plan.samples)


def _names(plan: IngestPlan) -> list[str]:
    return [name for sample in plan.samples for name in sample.cells]


def _check_new(root: Path, plan: IngestPlan) -> None:
    present = {entry.key for entry in ledger.read_kept_sources(root)}
    if SAMPLE in (group_attributes(root / CELLS / "obs") or {})["column-order"]:
        present |= set(read_columns(root / CELLS / "obs", [SAMPLE])[SAMPLE].astype(object).dropna().astype(str))
    both = [name for name in [*_names(plan), *(sample.entry.sample for sample in plan.samples)] if name in present]
    if both:
        message = (
            f"Samples that are appended must be new. The store {str(root)!r} holds cells of {listed(dict.fromkeys(both))} already, "
            "from another file, row of a sheet or options; rename or leave out these samples."
        )
        raise InputError(message)


def _digest(plan: IngestPlan, options: IngestOptions) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for sample, position in zip(plan.samples, plan.dictionary.positions, strict=True):
        digest.update(canonical_json([sample.entry.sample, sample.fingerprint]).encode())
        digest.update(position.tobytes())
    digest.update(canonical_json([options.species, plan.several_species]).encode())
    return digest.hexdigest()
