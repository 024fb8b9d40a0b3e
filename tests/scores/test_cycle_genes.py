"""The genes of the cell cycle."""

from __future__ import annotations

from chemores_dask.ingest.gmt_file import read_gmt
from chemores_dask.scores.cycle_genes import CELL_CYCLE_GENES

NEWER = {"MLF1IP": "CENPU", "HN1": "JPT1", "FAM64A": "PIMREG"}


def test_cell_cycle_genes__are_those_of_the_publication(reference_folder):
    published = read_gmt(reference_folder / "data" / "genesets" / "converted" / "seurat_cc.genes.gmt")
    for name, theirs in (("S", "s.genes"), ("G2M", "g2m.genes")):
        assert set(CELL_CYCLE_GENES[name].up) == {NEWER.get(gene, gene) for gene in published[theirs].up}


def test_cell_cycle_genes__are_43_and_54():
    assert [len(gene_set.up) for gene_set in CELL_CYCLE_GENES] == [43, 54]
    assert CELL_CYCLE_GENES.names == ("S", "G2M")
    assert all("Tirosh" in gene_set.source for gene_set in CELL_CYCLE_GENES)
