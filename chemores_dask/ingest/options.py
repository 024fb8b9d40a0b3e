"""How samples are brought into a store."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from chemores_dask.checks import check_between, check_one_of
from chemores_dask.ingest.gene_dictionary import COMBINATIONS
from chemores_dask.ingest.source import BlockLimit


@dataclass(frozen=True)
class IngestOptions:
    """How samples are brought into a store.

    Attributes
    ----------
    species
        Genome to keep where a reference holds several, for example ``"GRCh38"``; genes of the others are dropped, and
        the share of the chosen one is kept for each cell as ``species_share``.
    aliases
        Table with the columns ``alias`` and ``symbol``: old symbols become approved ones.
    genes
        ``"union"`` or ``"intersection"`` of the genes of all files.
    keep_columns
        Columns of the files' own tables of cells to keep, and what to call them: ``{"patient_id": "patient"}``.
    rows_per_block, nonzeros_per_block
        How much is read at a time; nothing but memory and speed depends on it.
    scratch
        Folder for temporary files; that of the store by default.
    """

    species: str | None = None
    aliases: Path | None = None
    genes: str = "union"
    keep_columns: Mapping[str, str] = field(default_factory=dict)
    rows_per_block: int = 4096
    nonzeros_per_block: int = 2**22
    scratch: Path | None = None

    def __post_init__(self) -> None:
        check_one_of(self.genes, COMBINATIONS, parameter="genes", caller="IngestOptions")
        check_between(self.rows_per_block, parameter="rows_per_block", caller="IngestOptions", minimum=1)
        check_between(self.nonzeros_per_block, parameter="nonzeros_per_block", caller="IngestOptions", minimum=1)

    @property
    def limit(self) -> BlockLimit:
        """How large a block may be."""
        return BlockLimit(self.rows_per_block, self.nonzeros_per_block)
