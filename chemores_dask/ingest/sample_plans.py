"""All that must be known, and all that can be refused, before the first count is written."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from chemores_dask.checks import listed
from chemores_dask.errors import InputError, MissingVariableError
from chemores_dask.ingest.feature_selection import FeatureSelection, select_features
from chemores_dask.ingest.formats import open_source
from chemores_dask.ingest.gene_dictionary import (
    GeneDictionary,
    build_gene_dictionary,
    match_gene_dictionary,
    read_aliases,
)
from chemores_dask.ingest.options import IngestOptions
from chemores_dask.ingest.sample_sheet import RESERVED, SheetEntry
from chemores_dask.ingest.source import Source, reading

EDGE = 2**16

Tables = dict[str, tuple[FeatureSelection, pd.DataFrame]]


@dataclass(frozen=True)
class SamplePlan:
    """One file, opened and checked.

    Attributes
    ----------
    entry
        The row of the sheet.
    source
        The opened file.
    selection
        Which features become genes.
    cells
        Number of cells by sample, in the order in which samples are written.
    kept_columns
        Columns of the file's own table of cells to keep, and their new names.
    fingerprint
        What the file and the wishes for it were.
    """

    entry: SheetEntry
    source: Source
    selection: FeatureSelection
    cells: dict[str, int]
    kept_columns: dict[str, str]
    fingerprint: dict[str, object]


@dataclass(frozen=True)
class IngestPlan:
    """All files and their common genes."""

    samples: tuple[SamplePlan, ...]
    dictionary: GeneDictionary

    @property
    def several_species(self) -> bool:
        """Whether a file holds more than one genome."""
        return any(len(sample.selection.genomes) > 1 for sample in self.samples)


def plan_ingest(
    entries: Sequence[SheetEntry], options: IngestOptions, *, store_genes: pd.DataFrame | None = None
) -> IngestPlan:
    """Open every file, check every header, and bring the genes together.

    Parameters
    ----------
    entries
        Rows of the sample sheet.
    options
        How samples are brought in.
    store_genes
        Genes of the store that they are appended to.

    Returns
    -------
    The plan. Tables of genes that are equal are held once.

    Raises
    ------
    StoreNotFoundError, FormatError, CountsError
        If a file cannot be used.
    InputError
        If a sample has no cells, or samples or barcodes repeat.
    MissingVariableError
        If a column to keep or to split by is absent.
    GeneMismatchError
        If a file shares no gene with the others, or has others than the store it is appended to.
    ParameterError
        If a reference of several species needs a chosen one.
    """
    aliases = read_aliases(options.aliases) if options.aliases else None
    tables: Tables = {}
    samples = [_plan_sample(entry, options, tables) for entry in entries]
    _check_samples(samples)
    _check_kept(samples, options)
    features = [sample.selection.genes for sample in samples]
    names = [f"{sample.entry.sample} ({sample.source.path})" for sample in samples]
    if store_genes is None:
        dictionary = build_gene_dictionary(features, names=names, combine=options.genes, aliases=aliases)
    else:
        dictionary = match_gene_dictionary(store_genes, features, names=names, combine=options.genes, aliases=aliases)
    return IngestPlan(tuple(samples), dictionary)


def sample_names(entry: SheetEntry, cells: pd.DataFrame, where: str) -> np.ndarray:
    """Tell the sample of each cell of a file.

    Parameters
    ----------
    entry
        The row of the sheet.
    cells
        Table of cells; holds the column ``entry.split_by``, if there is one.
    where
        For messages.

    Returns
    -------
    One name per cell.

    Raises
    ------
    InputError
        If the column has missing entries, or entries with ``:``.
    """
    if entry.split_by is None:
        return np.full(len(cells), entry.sample, dtype=object)
    values = cells[entry.split_by]
    missing = int(values.isna().sum())
    texts = values.astype(str).to_numpy(dtype=object)
    distinct = pd.unique(texts)
    wrong = [value for value in distinct if ":" in value or not value.strip()]
    if missing or wrong:
        message = (
            f"The column {entry.split_by!r} of {where} must name the sample of every cell, without ':'. Found "
            f"{missing:,} cells without one, "
            f"and these names: {listed(wrong)}; correct the file."
        )
        raise InputError(message)
    pattern = entry.sample if "{}" in entry.sample else "{}"
    names = {value: pattern.replace("{}", value) for value in distinct}
    return np.array([names[value] for value in texts], dtype=object)


def _plan_sample(entry: SheetEntry, options: IngestOptions, tables: Tables) -> SamplePlan:
    source = open_source(entry.path, format_name=entry.format_name, counts_in=entry.counts_in)
    where = str(source.path)
    if source.header.cells == 0 or source.header.nonzeros == 0:
        found = "no cells" if source.header.cells == 0 else "no counts"
        message = (
            f"Every sample must have cells and counts. {entry.sample} ({where}) has {found}; leave it out of the sheet."
        )
        raise InputError(message)
    digest = _digest(source.header.genes)
    if digest not in tables:
        tables[digest] = (
            select_features(source.header.genes, species=options.species, where=where),
            source.header.genes,
        )
    selection, features = tables[digest]
    kept = _kept_columns(source, options)
    with reading(source.path):
        cells = source.read_cells(() if entry.split_by is None else (entry.split_by,))
    names = sample_names(entry, cells, where)
    _check_barcodes(entry, cells, names)
    counted = {str(name): int(count) for name, count in pd.Series(names).value_counts(sort=False).items()}
    fingerprint = {
        "files": [_file_mark(path) for path in source.files],
        "features": digest,
        "place": source.header.place,
        "sheet": {name: None if pd.isna(value) else str(value) for name, value in entry.values.items()},
        "sample": entry.sample,
        "split_by": entry.split_by,
        "species": options.species,
        "keep_columns": kept,
    }
    # The header's table is replaced by the one already met, so that a thousand samples of one reference hold one table.
    header = replace(source.header, genes=features)
    return SamplePlan(entry, replace(source, header=header), selection, counted, kept, fingerprint)


def _kept_columns(source: Source, options: IngestOptions) -> dict[str, str]:
    kept = {}
    for name, new in options.keep_columns.items():
        try:
            with reading(source.path):
                found = name in source.read_cells((name,)).columns
        except MissingVariableError:
            found = False
        if found:
            kept[str(name)] = str(new)
    return kept


def _check_barcodes(entry: SheetEntry, cells: pd.DataFrame, names: np.ndarray) -> None:
    repeated = pd.DataFrame({"sample": names, "barcode": cells.index.to_numpy()}).duplicated()
    if repeated.any():
        twice = pd.unique(cells.index[repeated.to_numpy()])
        message = (
            f"Barcodes must be unique within a sample. In {entry.sample} ({entry.path}) more than once: "
            f"{listed(twice)}; split the file by sample, or correct it."
        )
        raise InputError(message)


def _check_samples(samples: Sequence[SamplePlan]) -> None:
    owner: dict[str, SamplePlan] = {}
    for sample in samples:
        for name in sample.cells:
            if name in owner:
                message = (
                    f"Every sample must come from one file. {name!r} is in {owner[name].source.path} and in "
                    f"{sample.source.path}; "
                    "rename it in the sheet (for a split file write a pattern such as 'second-{}' as its sample)."
                )
                raise InputError(message)
            owner[name] = sample


def _check_kept(samples: Sequence[SamplePlan], options: IngestOptions) -> None:
    found = {name for sample in samples for name in sample.kept_columns}
    missing = [name for name in options.keep_columns if name not in found]
    if missing:
        message = (
            f"keep_columns must name columns of the files' own tables of cells. No file has: {listed(missing)}; "
            "correct the names."
        )
        raise MissingVariableError(message)
    for sample in samples:
        both = [
            new for new in sample.kept_columns.values() if sample.entry.values.get(new) is not None or new == "sample"
        ]
        if both:
            message = (
                f"A column comes from the sheet or from the file. For {sample.entry.sample} both give: "
                f"{listed(both)}; empty it in the sheet or keep it under another name."
            )
            raise InputError(message)
        news = list(sample.kept_columns.values())
        wrong = sorted({new for new in news if news.count(new) > 1 or new in RESERVED})
        if wrong:
            message = (
                f"Kept columns must have names of their own, other than {listed(RESERVED)}. For {sample.entry.sample} "
                f"not so: {listed(wrong)} of {listed(sample.kept_columns)}; keep them under other names."
            )
            raise InputError(message)


def _digest(genes: pd.DataFrame) -> str:
    hashes = pd.util.hash_pandas_object(genes, index=False).to_numpy()
    return hashlib.blake2b(hashes.tobytes(), digest_size=16).hexdigest()


def _file_mark(path: Path) -> list[object]:
    """Tell a file by size, time of change, and a checksum of its two ends."""
    facts = path.stat()
    with path.open("rb") as file:
        checksum = hashlib.blake2b(file.read(EDGE), digest_size=16)
        file.seek(max(0, facts.st_size - EDGE))
        checksum.update(file.read(EDGE))
    return [path.name, facts.st_size, facts.st_mtime_ns, checksum.hexdigest()]
