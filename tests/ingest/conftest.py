"""Small files of every format, and a way to read a source whole."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from chemores_dask.ingest.source import BlockLimit, Source

Read = Callable[..., tuple[sp.csr_matrix, list[str]]]


@pytest.fixture
def counts() -> sp.csr_matrix:
    """Some counts, 40 cells by 30 genes, with an empty cell and an empty gene."""
    generator = np.random.default_rng(5)
    dense = generator.poisson(0.6, size=(40, 30)).astype(np.int32)
    dense[7] = 0
    dense[39] = 0
    dense[:, 11] = 0
    dense[3, 4] = 70_000
    return sp.csr_matrix(dense)


@pytest.fixture
def barcodes() -> list[str]:
    """Names of 40 cells."""
    return [f"CELL{number:02d}-1" for number in range(40)]


@pytest.fixture
def genes() -> pd.DataFrame:
    """Names of 30 genes."""
    return pd.DataFrame(
        {
            "gene_id": [f"ENSG{number:011d}" for number in range(30)],
            "gene_symbol": [f"GENE{number}" for number in range(30)],
            "feature_type": ["Gene Expression"] * 30,
            "genome": ["GRCh38"] * 30,
        }
    )


@pytest.fixture
def read_whole(tmp_path: Path) -> Read:
    """Read a source whole, in small blocks."""

    def read(source: Source, *, rows: int = 7, nonzeros: int = 100) -> tuple[sp.csr_matrix, list[str]]:
        blocks = list(source.blocks(BlockLimit(rows, nonzeros), scratch=tmp_path))
        assert all(block.counts.dtype == np.int32 for block in blocks)
        assert all(block.counts.shape[0] <= rows for block in blocks)
        assert all(block.counts.nnz <= nonzeros or block.counts.shape[0] == 1 for block in blocks)
        matrix = sp.csr_matrix(sp.vstack([block.counts for block in blocks], format="csr"))
        return matrix, [name for block in blocks for name in block.barcodes]

    return read


@pytest.fixture
def write_h5(genes: pd.DataFrame, barcodes: list[str]) -> Callable[..., Path]:
    """Write a 10x .h5 of version 3."""

    def write(path: Path, matrix: sp.csr_matrix, *, features: pd.DataFrame | None = None, **changed: object) -> Path:
        table = genes if features is None else features
        with h5py.File(path, "w") as file:
            group = file.create_group("matrix")
            group["barcodes"] = np.array(changed.get("barcodes", barcodes), dtype="S")
            group["data"] = matrix.data
            group["indices"] = matrix.indices.astype(np.int64)
            group["indptr"] = changed.get("indptr", matrix.indptr.astype(np.int64))
            group["shape"] = np.array(changed.get("shape", matrix.shape[::-1]), dtype=np.int32)
            for name, column in (
                ("id", "gene_id"),
                ("name", "gene_symbol"),
                ("feature_type", "feature_type"),
                ("genome", "genome"),
            ):
                group[f"features/{name}"] = np.array(list(table[column]), dtype="S")
        return path

    return write


@pytest.fixture
def write_mtx(genes: pd.DataFrame, barcodes: list[str]) -> Callable[..., Path]:
    """Write a 10x folder, of version 3 unless told otherwise."""

    def write(folder: Path, matrix: sp.csr_matrix, **changed: object) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        table = genes if changed.get("features") is None else changed["features"]
        triples = sp.coo_matrix(matrix)
        order = (
            np.lexsort((triples.col, triples.row))
            if changed.get("by_cell", True)
            else np.lexsort((triples.row, triples.col))
        )
        first, second = (triples.row, triples.col) if changed.get("cells_first") else (triples.col, triples.row)
        lines = [f"{first[k] + 1} {second[k] + 1} {triples.data[k]}" for k in order]
        kind = "real" if matrix.dtype.kind == "f" else "integer"
        height, width = matrix.shape if changed.get("cells_first") else matrix.shape[::-1]
        sizes = changed.get("sizes", f"{height} {width} {matrix.nnz}")
        text = (
            "\n".join([f"%%MatrixMarket matrix coordinate {kind} general", "% made by hand", str(sizes), *lines]) + "\n"
        )
        prefix = changed.get("prefix", "")
        cells = changed.get("barcodes", barcodes)
        if changed.get("version") == 2:
            (folder / f"{prefix}matrix.mtx").write_text(text)
            (folder / f"{prefix}barcodes.tsv").write_text("\n".join(cells) + "\n")
            (folder / f"{prefix}genes.tsv").write_text(
                "".join(f"{a}\t{b}\n" for a, b in zip(table["gene_id"], table["gene_symbol"], strict=True))
            )
            return folder
        with gzip.open(folder / f"{prefix}matrix.mtx.gz", "wt") as file:
            file.write(text)
        with gzip.open(folder / f"{prefix}barcodes.tsv.gz", "wt") as file:
            file.write("\n".join(cells) + "\n")
        with gzip.open(folder / f"{prefix}features.tsv.gz", "wt") as file:
            file.writelines(
                "\t".join(row) + "\n" for row in table[["gene_id", "gene_symbol", "feature_type"]].to_numpy()
            )
        return folder

    return write
