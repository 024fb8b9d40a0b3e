"""Small cells with known counts, and ways to write them."""

from __future__ import annotations

import hashlib

import numpy as np
import pandas as pd
import scipy.sparse as sp

from chemores_dask.store.cells import CellsWriter
from chemores_dask.store.layout import Geometry

SMALL = Geometry(8, 32)


def gene_table(genes):
    return pd.DataFrame(
        {"gene_id": [f"ENSG{number:05d}" for number in range(genes)]},
        index=[f"GENE{number}" for number in range(genes)],
    )


def make_blocks(*, samples=3, blocks=2, cells=9, genes=12, rate=0.6, seed=0):
    """Blocks of rows per sample, with their tables."""
    rng = np.random.default_rng(seed)
    return {
        f"s{sample}": [
            (
                sp.csr_matrix(rng.poisson(rate, (cells, genes)).astype(np.float32)),
                pd.DataFrame(
                    {"sample": f"s{sample}", "patient": f"p{sample // 2}", "reads": rng.integers(0, 9, cells)},
                    index=[f"s{sample}:{block}-{cell}" for cell in range(cells)],
                ),
            )
            for block in range(blocks)
        ]
        for sample in range(samples)
    }


def all_counts(blocks):
    return sp.vstack([counts for sample in blocks.values() for counts, _ in sample]).toarray()


def all_obs(blocks):
    return pd.concat([obs for sample in blocks.values() for _, obs in sample])


def write_stream(path, blocks, *, geometry=SMALL, genes=12, uns=None):
    """Write what is not finished yet, and close."""
    with CellsWriter.open(path, gene_table(genes), geometry=geometry) as writer:
        done = writer.finished_sources
        for sample, parts in blocks.items():
            if sample in done:
                continue
            for counts, obs in parts:
                writer.append(counts, obs)
            writer.finish_source(sample, {"blocks": len(parts)})
        return writer.close(uns)


def file_digests(path):
    """Every file of a folder with a digest of its bytes."""
    return {
        file.relative_to(path).as_posix(): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in sorted(path.rglob("*"))
        if file.is_file()
    }
