"""What an ingest did: per file, and for the genes of all files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

import pandas as pd

from chemores_dask.ingest.gene_dictionary import GeneReport


@dataclass(frozen=True)
class IngestProgress:
    """How far an ingest has come; handed to ``progress`` after every block.

    Attributes
    ----------
    sample
        The row of the sheet that is being read.
    cells_done, cells_total
        Cells written and to be written, over all files.
    nonzeros_done
        Stored counts written by this call.
    """

    sample: str
    cells_done: int
    cells_total: int
    nonzeros_done: int


@dataclass(frozen=True)
class SourceReport:
    """What became of one file.

    Attributes
    ----------
    sample
        The row of the sheet.
    path, format, place
        What was read, and where in it the counts lay.
    cells
        Number of cells of each sample in the file.
    features
        Features in the file.
    genes
        Features that became genes of the store.
    nonzeros, total
        Stored counts, and their sum.
    set_aside
        Features that are not gene expression, by type.
    set_aside_total
        Sum of their counts.
    other_species_share
        Share of the counts of gene expression that belongs to the other species; None where there is one species only.
    empty_cells
        Cells without any count.
    resumed
        Whether an earlier, interrupted call had read it.
    """

    sample: str
    path: str
    format: str
    place: str
    cells: Mapping[str, int]
    features: int
    genes: int
    nonzeros: int
    total: int
    set_aside: Mapping[str, int] = field(default_factory=dict)
    set_aside_total: int = 0
    other_species_share: float | None = None
    empty_cells: int = 0
    resumed: bool = False


@dataclass(frozen=True)
class IngestReport:
    """What an ingest did.

    Attributes
    ----------
    store
        Where the cells are.
    sources
        One report per row of the sheet, in its order.
    genes
        What became of the genes.
    """

    store: Path
    sources: tuple[SourceReport, ...]
    genes: GeneReport

    @property
    def cells(self) -> int:
        """Number of cells."""
        return sum(sum(source.cells.values()) for source in self.sources)

    @property
    def nonzeros(self) -> int:
        """Number of stored counts."""
        return sum(source.nonzeros for source in self.sources)

    def table(self) -> pd.DataFrame:
        """One row per file: format, cells, genes, stored counts, and what was set aside."""
        rows = [
            {
                "sample": source.sample,
                "format": source.format,
                "cells": sum(source.cells.values()),
                "genes": source.genes,
                "nonzeros": source.nonzeros,
                "total": source.total,
                "set_aside": sum(source.set_aside.values()),
                "other_species_share": source.other_species_share,
                "empty_cells": source.empty_cells,
                "resumed": source.resumed,
            }
            for source in self.sources
        ]
        return pd.DataFrame(rows).set_index("sample")

    def to_dict(self) -> dict[str, object]:
        """Plain values, as they are kept in the store."""
        return {"sources": [asdict(source) for source in self.sources], "genes": asdict(self.genes)}
