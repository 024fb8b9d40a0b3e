"""From a sample sheet to the cells of a store."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp

from chemores_dask.aliases import Block, StorePath
from chemores_dask.checks import listed
from chemores_dask.errors import ChemoresError, InputError, StoreError
from chemores_dask.ingest.counts_check import whole_counts
from chemores_dask.ingest.feature_selection import FeatureSelection
from chemores_dask.ingest.ingest_report import IngestProgress, IngestReport, SourceReport
from chemores_dask.ingest.options import IngestOptions
from chemores_dask.ingest.read_ahead import read_ahead
from chemores_dask.ingest.row_buckets import reordered_rows
from chemores_dask.ingest.sample_plans import IngestPlan, SamplePlan, plan_ingest, sample_names
from chemores_dask.ingest.sample_sheet import read_sample_sheet
from chemores_dask.ingest.source import reading
from chemores_dask.provenance import canonical_json
from chemores_dask.store.cells_writer import CellsWriter
from chemores_dask.store.layout import CELLS, LEDGER, LOCK_FILE, erase, existing_root, is_complete_group
from chemores_dask.store.ledger import REPORT_ENTRY, SOURCES, read_kept_sources
from chemores_dask.store.result_progress import remove_partial_files
from chemores_dask.store.writer_lock import writing

DEFAULT_OPTIONS = IngestOptions()

UNFINISHED = "The store {store} is unfinished: mend the file and run the same call again, or remove the store."

Progress = Callable[[IngestProgress], None]


def ingest(
    samples: str | os.PathLike[str] | pd.DataFrame,
    store: StorePath,
    *,
    options: IngestOptions = DEFAULT_OPTIONS,
    progress: Progress | None = None,
    wait: float = 0.0,
    on_wait: Callable[[str], object] | None = None,
) -> IngestReport:
    """Bring samples of any format into the cells of a store.

    Every header is read and checked, and the genes of all samples are brought to one dictionary, before anything is
    written. Then the files are streamed one after the other. A call that was cut short is simply repeated: files it
    had finished are not read again. A call on a finished store made from the same, unchanged files returns its
    report.

    Parameters
    ----------
    samples
        The sample sheet: CSV or TSV with the columns ``sample``, ``path``, and any others (see
        :func:`read_sample_sheet`).
    store
        Where the store is, or will be.
    options, progress
        Species, aliases, genes, columns to keep; what to call after every block.
    wait
        Seconds to wait while another process writes into the store; the call is refused at once unless given.
    on_wait
        Called with a sentence for people if there is somebody to wait for.

    Returns
    -------
    What was read, matched, renamed and dropped. It is kept in the store as ``uns["ingest_report"]`` (JSON).

    Raises
    ------
    StoreNotFoundError
        If a file is not there.
    FormatError, CountsError
        If a file is not what its name or header says, is cut short, or is not made of raw counts.
    InputError, MissingVariableError, ParameterError, GeneMismatchError
        If the sheet, the samples or their genes cannot be used.
    StoreError
        If the store holds other cells, or a file changed since an interrupted call read it.
    StoreBusyError
        If another process writes into the store.

    Notes
    -----
    Cells are in the order of the sheet, each sample together; samples of one split file in the order in which they
    first appear in it. A cell is called ``sample:barcode``. Memory holds one block, and the names of the cells.
    Passes over the counts: 1.
    """
    root = Path(store)
    begun = root.exists() and (not root.is_dir() or any(each.name != LOCK_FILE for each in root.iterdir()))
    if begun:
        existing_root(root)
    plan = plan_ingest(read_sample_sheet(samples), options)
    if begun and is_complete_group(root / CELLS) and not (root / LEDGER / SOURCES).exists():
        return _finished_before(root, plan)
    with writing(root, wait=wait, on_wait=on_wait):
        if is_complete_group(root / CELLS):  # whoever it waited for has done it, or it was killed in its last moment
            erase(root / LEDGER / SOURCES)
            return _finished_before(root, plan)
        return _ingest(root, plan, options, progress)


def _ingest(root: Path, plan: IngestPlan, options: IngestOptions, progress: Progress | None) -> IngestReport:
    remove_partial_files(root)
    with CellsWriter.open(root, plan.dictionary.genes) as writer:
        _check_finished(plan, writer.finished_sources)
        reports = write_sources(SourceStream(plan, options, root, writer=writer, progress=progress), advice=UNFINISHED)
        result = IngestReport(root, reports, plan.dictionary.report)
        # What is kept says the same whether or not the ingest was interrupted: stores of the same files have the same bytes.
        kept = replace(result, sources=tuple(replace(report, resumed=False) for report in reports))
        writer.close(uns={REPORT_ENTRY: canonical_json(kept.to_dict())})
    return result


def write_sources(stream: SourceStream, *, advice: str) -> tuple[SourceReport, ...]:
    """Write the files that an earlier call had not finished.

    Parameters
    ----------
    stream
        The files and where they go.
    advice
        For whoever meets an error.

    Returns
    -------
    What became of every file.
    """
    plan, writer = stream.plan, stream.writer
    finished = writer.finished_sources
    reports = []
    for sample, position in zip(plan.samples, plan.dictionary.positions, strict=True):
        key = sample.entry.sample
        if key in finished:
            reports.append(replace(SourceReport(**finished[key]["report"]), resumed=True))
            continue
        try:
            report = stream.write(sample, position)
        except ChemoresError as error:
            error.add_note(f"While reading sample {key}. {advice.format(store=stream.root)}")
            raise
        writer.finish_source(key, {"fingerprint": sample.fingerprint, "report": asdict(report)})
        reports.append(report)
    return tuple(reports)


@dataclass
class _Tally:
    """Sums over the blocks of one file."""

    nonzeros: int = 0
    total: int = 0
    set_aside: int = 0
    other: int = 0
    empty: int = 0


class SourceStream:
    """Carries what all files share while they are written."""

    def __init__(
        self, plan: IngestPlan, options: IngestOptions, root: Path, *, writer: CellsWriter, progress: Progress | None
    ) -> None:
        self.plan = plan
        self.options = options
        self.root = root
        self.scratch = Path(options.scratch) if options.scratch else root.parent
        self.writer = writer
        self.progress = progress
        self.width = len(plan.dictionary.genes)
        self.cells = sum(sum(sample.cells.values()) for sample in plan.samples)
        done = [sample for sample in plan.samples if sample.entry.sample in writer.finished_sources]
        self.cells_before = writer.cells - sum(sum(sample.cells.values()) for sample in done)
        self.nonzeros = 0

    def write(self, sample: SamplePlan, position: np.ndarray) -> SourceReport:
        """Stream one file into the writer."""
        selection = sample.selection
        places = np.full(len(selection.kept), -1, dtype=np.int32)
        places[selection.genes["feature"].to_numpy()] = position
        table, order = _cell_table(sample)
        tally = _Tally()
        first = 0
        for block in read_ahead(self._blocks(sample, order)):
            obs = table.iloc[first : first + block.shape[0]]
            first += block.shape[0]
            counts = remapped(block, places, width=self.width)
            shares = _tally(tally, block, counts, selection)
            if self.plan.several_species:
                obs = obs.assign(species_share=shares)
            self.writer.append(counts, obs)
            self.nonzeros += counts.nnz
            if self.progress is not None:
                self.progress(
                    IngestProgress(
                        sample.entry.sample, self.writer.cells - self.cells_before, self.cells, self.nonzeros
                    )
                )
        if tally.total == 0:
            message = (
                f"Every sample must have counts of genes. {sample.entry.sample} ({sample.source.path}) has none; "
                "leave it out of the sheet."
            )
            raise InputError(message)
        return _source_report(sample, position, tally)

    def _blocks(self, sample: SamplePlan, order: np.ndarray) -> Iterator[Block]:
        blocks = (block.counts for block in sample.source.blocks(self.options.limit, scratch=self.scratch))
        if (np.diff(order) > 0).all():
            return blocks
        destination = np.empty(len(order), dtype=np.int64)
        destination[order] = np.arange(len(order))
        return reordered_rows(
            blocks,
            destination,
            columns=len(sample.selection.kept),
            nonzeros=sample.source.header.nonzeros,
            limit=self.options.limit,
            scratch=self.scratch,
        )


def remapped(block: Block, places: np.ndarray, *, width: int) -> Block:
    """Bring the columns of a block to the dictionary of genes.

    Parameters
    ----------
    block
        Cells by features of the file.
    places
        For each feature its gene in the dictionary, or -1; features of one gene are added.
    width
        Number of genes in the dictionary.

    Returns
    -------
    Cells by genes, columns sorted, int32.
    """
    every_feature = bool((places >= 0).all())
    as_in_file = every_feature and np.array_equal(places, np.arange(len(places)))
    columns = block.indices if as_in_file else places.take(block.indices)
    kept = np.True_ if every_feature else columns >= 0
    if kept.all():
        data, offsets = block.data, block.indptr
    else:
        before = np.concatenate([[0], np.cumsum(kept)])
        data, columns, offsets = block.data[kept], columns[kept], before[block.indptr]
    counts = sp.csr_matrix((data, columns, offsets), shape=(block.shape[0], width), copy=False)
    # Sorting happens in place, and these may be the arrays of the block. One look tells sorted columns without repeats.
    if counts.has_canonical_format:
        return counts
    if columns is block.indices or data is block.data:
        counts = counts.copy()
    counts.sort_indices()
    if counts.has_canonical_format:
        return counts
    summed = sp.csr_matrix((counts.data.astype(np.int64), counts.indices, counts.indptr), shape=counts.shape)
    summed.sum_duplicates()
    return sp.csr_matrix(
        (whole_counts(summed.data, where="the sum over features of one gene"), summed.indices, summed.indptr),
        shape=counts.shape,
    )


def row_sums(counts: Block) -> np.ndarray:
    """Sum the counts of every row.

    Parameters
    ----------
    counts
        CSR matrix of int32, nothing negative.

    Returns
    -------
    int64, one per row.

    Notes
    -----
    Added in 32 bits where no row can exceed them, which is several times faster.
    """
    lengths = np.diff(counts.indptr)
    filled = np.flatnonzero(lengths)
    sums = np.zeros(len(lengths), dtype=np.int64)
    if len(filled):
        short = int(counts.data.max()) * int(lengths.max()) <= np.iinfo(np.int32).max
        sums[filled] = np.add.reduceat(counts.data, counts.indptr[filled], dtype=np.int32 if short else np.int64)
    return sums


def _cell_table(sample: SamplePlan) -> tuple[pd.DataFrame, np.ndarray]:
    """Make the table of a file's cells in the order of writing, and tell that order."""
    entry = sample.entry
    wanted = tuple(dict.fromkeys([*([entry.split_by] if entry.split_by else []), *sample.kept_columns]))
    with reading(sample.source.path):
        cells = sample.source.read_cells(wanted)
    names = sample_names(entry, cells, str(sample.source.path))
    order = np.argsort(pd.factorize(names)[0], kind="stable")
    index = pd.Index([f"{name}:{barcode}" for name, barcode in zip(names, cells.index, strict=True)], dtype=object)
    columns: dict[str, object] = {"sample": names}
    for name, value in entry.values.items():
        if name not in sample.kept_columns.values():
            columns[name] = pd.Series([value] * len(cells), index=index, dtype=object if value is None else None)
    for name, new in sample.kept_columns.items():
        columns[new] = cells[name].to_numpy()
    return pd.DataFrame(columns, index=index).iloc[order], order


def _tally(tally: _Tally, block: Block, counts: Block, selection: FeatureSelection) -> np.ndarray:
    """Add up one block; returns the share of the chosen species for each of its cells."""
    total = row_sums(counts)
    tally.nonzeros += counts.nnz
    tally.total += int(total.sum())
    tally.empty += int((total == 0).sum())
    if selection.set_aside:
        expression = selection.kept | selection.other_species
        tally.set_aside += int((block @ (~expression).astype(np.int64)).sum())
    if not selection.other_species.any():
        return np.ones(block.shape[0])
    own = block @ selection.kept.astype(np.int64)
    other = block @ selection.other_species.astype(np.int64)
    tally.other += int(other.sum())
    both = own + other
    return np.divide(own, both, out=np.full(block.shape[0], np.nan), where=both > 0)


def _source_report(sample: SamplePlan, position: np.ndarray, tally: _Tally) -> SourceReport:
    several = len(sample.selection.genomes) > 1
    return SourceReport(
        sample=sample.entry.sample,
        path=str(sample.source.path),
        format=sample.source.format,
        place=sample.source.header.place,
        cells=sample.cells,
        features=len(sample.selection.kept),
        genes=len(np.unique(position[position >= 0])),
        nonzeros=tally.nonzeros,
        total=tally.total,
        set_aside=sample.selection.set_aside,
        set_aside_total=tally.set_aside,
        other_species_share=tally.other / (tally.other + tally.total) if several else None,
        empty_cells=tally.empty,
    )


def _check_finished(plan: IngestPlan, finished: Mapping[str, Mapping[str, Any]]) -> None:
    expected = [sample.entry.sample for sample in plan.samples][: len(finished)]
    if list(finished) != expected:
        message = (
            f"An unfinished store goes on with the same sheet. Finished there: {listed(finished)}; first in the "
            f"sheet: {listed(expected)}. "
            "Restore the order of the sheet, or remove the store and start again."
        )
        raise StoreError(message)
    for sample in plan.samples[: len(finished)]:
        if not is_same(finished[sample.entry.sample], sample):
            message = (
                f"A file must not change while its store is unfinished. {sample.entry.sample} "
                f"({sample.source.path}), its row of the sheet or "
                "the options differ from what an earlier call read; restore them, or remove the store and start again."
            )
            raise StoreError(message)


def is_same(record: Mapping[str, Any], sample: SamplePlan) -> bool:
    """Whether a file is the one of which a store kept the record."""
    # The record went through JSON: tuples and lists are the same there.
    return canonical_json(record.get("fingerprint")) == canonical_json(sample.fingerprint)


def _finished_before(root: Path, plan: IngestPlan) -> IngestReport:
    records = {entry.key: entry.record for entry in read_kept_sources(root)}
    same = list(records) == [sample.entry.sample for sample in plan.samples] and all(
        is_same(records[sample.entry.sample], sample) for sample in plan.samples
    )
    if not same:
        message = (
            f"A store takes its cells once. {root} holds finished cells of other samples, files or options; choose "
            "another path, or remove the store."
        )
        raise StoreError(message)
    reports = tuple(replace(SourceReport(**record["report"]), resumed=True) for record in records.values())
    return IngestReport(root, reports, plan.dictionary.report)
