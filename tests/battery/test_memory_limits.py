"""Every streaming analysis holds what its plan promised: it completes under a hard limit set to the promise, with the same numbers."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from chemores_dask.errors import BlockTooLargeError
from chemores_dask.memory import memory_budget
from chemores_dask.metering import BLOCKS_DECODED, difference, snapshot
from chemores_dask.single_cell.cohort_cube import cohort_cube
from chemores_dask.single_cell.normalize import log_normalize
from chemores_dask.single_cell.pca import pca
from chemores_dask.single_cell.quality import quality
from chemores_dask.single_cell.variable_genes import variable_genes
from chemores_dask.store.cells import open_cells
from chemores_dask.store.cells_parallel import write_cells

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

from limited_analyses import ANALYSES, example_cells  # noqa: E402

LONGEST = 300
MOST_PROMISED = 1.6
OF_TABLES = ("markers",)
"""What is promised is mostly for tables of genes, and would do for all of these few cells at once."""

MOST_PROMISED_OF_TABLES = 2.0
"""Two tasks need not hold their tables at the same time."""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux counts memory in this way"),
]


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    place = tmp_path_factory.mktemp("limited") / "cells.zarr"
    write_cells(example_cells(), place)
    return place


@pytest.fixture(scope="module")
def outcomes(store):
    file = store.parent / "outcomes.json"
    program = HERE / "limited_analyses.py"
    subprocess.run([sys.executable, str(program), str(store), str(file)], check=True, timeout=LONGEST)
    return json.loads(file.read_text())


@pytest.mark.parametrize("name", ANALYSES)
def test_analysis__completes_within_its_promise(outcomes, name):
    free, limited = outcomes[name]["free"], outcomes[name]["limited"]
    assert "error" not in free, free["error"]
    assert "error" not in limited, limited["error"]
    assert limited["numbers"] == free["numbers"]
    assert limited["blocks"] > 10
    assert limited["peak"] <= limited["promised"] <= limited["budget"]
    most = MOST_PROMISED_OF_TABLES if name in OF_TABLES else MOST_PROMISED
    assert free["peak"] <= free["promised"] <= most * free["peak"]


@pytest.mark.parametrize("name", [name for name in ANALYSES if name not in OF_TABLES])
def test_analysis__that_ignores_the_plan_does_not_complete_under_the_same_limit(outcomes, name):
    found = outcomes[name]["careless"]
    assert "numbers" not in found
    assert "Memory" in found["error"] or "status" in found["error"]


@pytest.mark.parametrize(
    "analysis",
    [
        quality,
        lambda cells: variable_genes(cells, method="seurat_v3"),
        lambda cells: pca(log_normalize(cells)),
        lambda cells: cohort_cube(cells, sample="sample"),
    ],
)
def test_budget__that_is_too_small_is_refused_before_anything_is_read(store, analysis):
    before = snapshot()
    with memory_budget("50MB"):
        cells = open_cells(store)
        with pytest.raises(BlockTooLargeError, match=r"need \d+\.\d MB; available are 0 bytes.*a budget of at least"):
            analysis(cells)
    assert difference(before, snapshot()).get(BLOCKS_DECODED, 0) == 0


def test_budget__makes_blocks_smaller(store):
    whole = open_cells(store)
    with memory_budget("500MB"):
        small = open_cells(store)
    assert small.X.chunks[0][0] < whole.X.chunks[0][0] / 3
    assert small.uns["nonzeros_per_block"] <= 2**20
