"""Tests of the reader of tables of genes by cells."""

from __future__ import annotations

import gzip
from pathlib import Path

import pandas as pd
import pytest

from chemores_dask.errors import CountsError, FormatError
from chemores_dask.ingest import plate_tables
from chemores_dask.ingest.plate_tables import read_plate_table, split_row_names


@pytest.fixture
def table(counts, barcodes, genes) -> pd.DataFrame:
    names = [
        f"{row.gene_id}.{number}-{row.gene_symbol}-protein_coding" for number, row in enumerate(genes.itertuples())
    ]
    names[29] = "ERCC-00002"
    return pd.DataFrame(counts.T.toarray(), index=names, columns=barcodes)


@pytest.mark.parametrize(("name", "separator"), [("a.tsv", "\t"), ("a.csv.gz", ","), ("a.txt", ";")])
@pytest.mark.parametrize("corner", [True, False])
def test_read_plate_table__reads_every_dialect(
    table, counts, barcodes, tmp_path: Path, read_whole, monkeypatch, name, separator, corner
) -> None:
    monkeypatch.setattr(plate_tables, "CHUNK_VALUES", 40 * 7)
    table.to_csv(tmp_path / name, sep=separator, index_label="gene" if corner else False)
    source = read_plate_table(tmp_path / name)
    matrix, names = read_whole(source, nonzeros=10**6)
    assert (matrix != counts).nnz == 0
    assert names == barcodes
    assert source.header.genes["gene_symbol"].tolist()[:2] == ["GENE0", "GENE1"]
    assert source.header.genes["gene_symbol"].tolist()[29] == "ERCC-00002"


def test_read_plate_table__reads_quoted_tables_of_r(table, counts, tmp_path: Path, read_whole) -> None:
    table.to_csv(tmp_path / "a.csv", quoting=2, index_label=False)
    assert (read_whole(read_plate_table(tmp_path / "a.csv"), nonzeros=10**6)[0] != counts).nnz == 0


def test_read_plate_table__refuses_what_is_not_a_count(reference_folder: Path, table, tmp_path: Path) -> None:
    path = (
        reference_folder
        / "data"
        / "singlecell"
        / "broadinstitute+infercnv"
        / "oligodendroglioma_expression_downsampled.counts.matrix.gz"
    )
    with pytest.raises(CountsError, match=r"242\.49.*gene A2M"):
        read_plate_table(path)
    for value, reason in ((-2, "negative"), ("NA", "not a number"), ("many", "must be a number")):
        changed = table.astype(object)
        changed.iloc[3, 5] = value
        changed.to_csv(tmp_path / "a.tsv", sep="\t", index_label="gene")
        with pytest.raises(CountsError, match=reason):
            read_plate_table(tmp_path / "a.tsv")


def test_read_plate_table__refuses_cells_by_genes(table, tmp_path: Path) -> None:
    table.T.to_csv(tmp_path / "a.csv", index_label="cell")
    with pytest.raises(FormatError, match="transpose"):
        read_plate_table(tmp_path / "a.csv")


def test_read_plate_table__refuses_truncated_gzip(table, tmp_path: Path) -> None:
    packed = gzip.compress(table.to_csv(sep="\t", index_label="gene").encode())
    (tmp_path / "a.tsv.gz").write_bytes(packed[:-100])
    with pytest.raises(FormatError, match="cut short or damaged"):
        read_plate_table(tmp_path / "a.tsv.gz")


def test_read_plate_table__refuses_ragged_rows(table, tmp_path: Path) -> None:
    text = table.to_csv(sep="\t", index_label="gene")
    (tmp_path / "a.tsv").write_text(text + "EXTRA" + "\t1" * 41 + "\n")
    with pytest.raises(FormatError):
        read_plate_table(tmp_path / "a.tsv")
    (tmp_path / "b.tsv").write_text(text + "SHORT\t1\t2\n")
    with pytest.raises((FormatError, CountsError)):
        read_plate_table(tmp_path / "b.tsv")
    (tmp_path / "c.tsv").write_text("gene\tA\tB\n")
    with pytest.raises(FormatError, match="one line only"):
        read_plate_table(tmp_path / "c.tsv")


def test_split_row_names__keeps_hyphens_of_symbols() -> None:
    names = [
        "ENSG00000206503.13-HLA-A-protein_coding",
        "ENSG00000000003-TSPAN6-protein_coding",
        "ENSG00000182378.14_PAR_Y-PLCXD1-lncRNA",
        "__no_feature",
    ]
    table = split_row_names(names)
    assert table["gene_symbol"].tolist() == ["HLA-A", "TSPAN6", "PLCXD1", "__no_feature"]
    assert table["gene_id"].tolist() == ["ENSG00000206503.13", "ENSG00000000003", "ENSG00000182378.14_PAR_Y", ""]
    assert table["feature_type"].tolist() == ["Gene Expression"] * 3 + ["Counting statistics"]


def test_split_row_names__reads_names_without_biotype() -> None:
    table = split_row_names(["ENSG00000000003_TSPAN6", "ENSG00000206503_HLA-A", "ENSG00000000005_TNMD"])
    assert table["gene_symbol"].tolist() == ["TSPAN6", "HLA-A", "TNMD"]


def test_split_row_names__leaves_plain_names() -> None:
    assert split_row_names(["CD44", "HLA-A"])["gene_symbol"].tolist() == ["CD44", "HLA-A"]
    assert split_row_names(["ENSG00000000003.1", "ENSG00000000005"])["gene_id"].tolist() == [
        "ENSG00000000003.1",
        "ENSG00000000005",
    ]
