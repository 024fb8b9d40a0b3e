"""The same bits for any workers, threads or processes and any order of completion; the stated tolerance for any blocks."""

from __future__ import annotations

import random
import time

import dask
import numpy as np
import pytest
from distributed import Client, LocalCluster

from chemores_dask.cohort.survival.cox_scan import cox_scan
from chemores_dask.gene_sets import GeneSets
from chemores_dask.scores.control_genes import ControlGenes
from chemores_dask.scores.mean_zscore import mean_zscore
from chemores_dask.scores.module_score import module_score
from chemores_dask.scores.score_states import score_states
from chemores_dask.single_cell.cohort_cube import cohort_cube
from chemores_dask.single_cell.gene_products import gene_products
from chemores_dask.single_cell.markers.analysis import markers
from chemores_dask.single_cell.normalize import log_normalize
from chemores_dask.single_cell.pca import pca
from chemores_dask.single_cell.quality import quality
from chemores_dask.single_cell.variable_genes import variable_genes
from chemores_dask.store.cells import open_cells
from chemores_dask.store.cells_parallel import write_cells
from chemores_dask.store.layout import Geometry
from chemores_dask.stream.shared_pass import share_passes
from chemores_dask.testing.examples import EXAMPLES, tiny_projection
from chemores_dask.testing.nouns import GENE_NAMES, SIGNATURE, tiny_cells, tiny_patients
from chemores_dask.testing.response_nouns import tiny_response_scan

ROWS = 5
SIZES = (1, 7, 31)
LATEST = 0.004
BULK = GeneSets.from_mapping({"signature": ["GENE001", "GENE002", "GENE003"]})
OUTCOME = {"duration": "months", "event": "event"}
CHOSEN = GENE_NAMES[3:40]


def scored(cells, method="seurat"):
    return module_score(log_normalize(cells), SIGNATURE, method=method, seed=3, controls=ControlGenes(4, 8))


def in_one_pass(cells):
    found = share_passes(
        {
            "quality": lambda: quality(cells),
            "genes": lambda: variable_genes(cells, method="seurat_v3", genes=20),
            "cube": lambda: cohort_cube(cells, sample="sample", state="state"),
        }
    )
    return found["quality"].merge(found["genes"]).merge(found["cube"])


# Every analysis that streams, each way that it can take through the counts, and the largest relative difference between
# blocks that its docstring states (0: none at all).
STREAMING = {
    **{example.name: (example.call, example.tolerance) for example in EXAMPLES if example.noun == "cells"},
    "quality": (quality, 0.0),
    "variable_genes seurat_v3": (lambda cells: variable_genes(cells, method="seurat_v3", genes=20), 0.0),
    "variable_genes seurat_v3 by patient": (
        lambda cells: variable_genes(cells, method="seurat_v3", genes=20, batch="patient"),
        0.0,
    ),
    "variable_genes seurat": (lambda cells: variable_genes(log_normalize(cells), method="seurat", genes=20), 1e-10),
    "variable_genes seurat by batch": (
        lambda cells: variable_genes(log_normalize(cells), method="seurat", genes=20, batch="batch"),
        1e-10,
    ),
    "pca": (lambda cells: pca(log_normalize(cells), components=5, genes=CHOSEN), 1e-8),
    "pca scaled, without a covariate": (
        lambda cells: pca(log_normalize(cells), components=5, genes=CHOSEN, regress=["cycle_score"], scale=True),
        1e-8,
    ),
    "gene_products": (lambda cells: gene_products(log_normalize(cells), genes=CHOSEN, fold="patient"), 1e-10),
    "project_cells": (tiny_projection, 1e-10),
    "module_score scanpy": (lambda cells: scored(cells, "scanpy"), 1e-10),
    "score_states": (lambda cells: score_states(scored(cells), gene_set="signature"), 1e-10),
    "cohort_cube": (lambda cells: cohort_cube(cells, sample="sample", state="state"), 1e-12),
    "cohort_cube without states": (lambda cells: cohort_cube(cells, sample="sample"), 1e-12),
    "markers": (lambda cells: markers(cells, group="state", method="histogram"), 1e-12),
    "markers of logarithms": (
        lambda cells: markers(log_normalize(cells), group="state", method="histogram", bins=16),
        1e-12,
    ),
    "in one pass": (in_one_pass, 1e-12),
}
ON_GENES = {
    "mean_zscore": lambda patients: mean_zscore(patients, BULK),
    "cox_scan": lambda patients: cox_scan(patients, **OUTCOME),
    "cox_scan with a covariate": lambda patients: cox_scan(patients, **OUTCOME, covariates=["age"]),
    "response_scan": tiny_response_scan,
}
by_name = pytest.mark.parametrize("name", STREAMING)
by_gene = pytest.mark.parametrize("name", ON_GENES)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return write_cells(tiny_cells(), tmp_path_factory.mktemp("stored") / "cohort.zarr", geometry=Geometry(2**8, 2**10))


@pytest.fixture(scope="module")
def cluster():
    """Two processes of one thread each, started once."""
    quiet = {"distributed.worker.memory.terminate": False, "distributed.admin.large-graph-warning-threshold": "1GB"}
    with (
        dask.config.set(quiet),
        LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None) as started,
    ):
        yield started


@pytest.fixture(scope="module")
def wanted(store):
    """What each analysis of small blocks gives with one worker."""
    known = {}

    def one_worker(name):
        if name not in known:
            analysis = STREAMING[name][0] if name in STREAMING else ON_GENES[name]
            noun = open_cells(store, rows_per_block=ROWS) if name in STREAMING else tiny_patients(genes_per_chunk=ROWS)
            with dask.config.set(scheduler="threads", num_workers=1):
                known[name] = analysis(noun).compute()
        return known[name]

    return one_worker


def late(block):
    """The same block, at a moment that nobody foresees."""
    time.sleep(random.uniform(0.0, LATEST))
    return block


def assert_same_bits(found, wanted):
    assert set(found.variables) == set(wanted.variables)
    for name in wanted.variables:
        left, right = found[name].values, wanted[name].values
        assert left.dtype == right.dtype, name
        assert left.shape == right.shape, name
        if left.dtype.kind == "O":
            assert left.tolist() == right.tolist(), name
        else:
            assert left.tobytes() == right.tobytes(), name


def test_streaming__covers_the_catalogue():
    streams = {example.name for example in EXAMPLES if example.noun == "cells"}
    assert streams <= {name.split()[0] for name in STREAMING}


@pytest.mark.parametrize("workers", [2, 4])
@by_name
def test_analysis__has_the_same_bits_on_threads(store, wanted, name, workers):
    with dask.config.set(scheduler="threads", num_workers=workers):
        found = STREAMING[name][0](open_cells(store, rows_per_block=ROWS)).compute()
    assert_same_bits(found, wanted(name))


@by_name
def test_analysis__has_the_same_bits_for_any_order_of_completion(store, wanted, name):
    cells = open_cells(store, rows_per_block=ROWS)
    cells.X = cells.X.map_blocks(late, dtype=cells.X.dtype, meta=cells.X._meta)
    with dask.config.set(scheduler="threads", num_workers=4):
        assert_same_bits(STREAMING[name][0](cells).compute(), wanted(name))


@pytest.mark.parametrize("workers", [2, 4])
@by_gene
def test_analysis_of_genes__has_the_same_bits_on_threads(wanted, name, workers):
    with dask.config.set(scheduler="threads", num_workers=workers):
        assert_same_bits(ON_GENES[name](tiny_patients(genes_per_chunk=ROWS)).compute(), wanted(name))


@by_name
def test_analysis__keeps_its_stated_tolerance_for_any_blocks(store, name):
    analysis, tolerance = STREAMING[name]
    whole = analysis(open_cells(store, rows_per_block=10**6)).compute()
    for size in SIZES:
        found = analysis(open_cells(store, rows_per_block=size)).compute()
        if tolerance == 0.0:
            assert_same_bits(found, whole)
            continue
        for variable in whole.data_vars:
            left, right = found[variable].values, whole[variable].values
            if right.dtype.kind != "f":
                assert left.tolist() == right.tolist(), (variable, size)
                continue
            scale = np.nanmax(np.abs(right), initial=1e-300)
            np.testing.assert_allclose(
                left, right, rtol=tolerance, atol=tolerance * scale, err_msg=f"{variable} {size}"
            )


@by_gene
def test_analysis_of_genes__has_the_same_bits_for_any_blocks(name):
    whole = ON_GENES[name](tiny_patients()).compute()
    for size in (1, 5, 12):
        assert_same_bits(ON_GENES[name](tiny_patients(genes_per_chunk=size)).compute(), whole)


@pytest.mark.slow
@pytest.mark.cluster
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", [*STREAMING, *ON_GENES])
def test_analysis__has_the_same_bits_on_processes(store, wanted, cluster, name):
    expected = wanted(name)
    with Client(cluster):
        if name in STREAMING:
            found = STREAMING[name][0](open_cells(store, rows_per_block=ROWS)).compute()
        else:
            found = ON_GENES[name](tiny_patients(genes_per_chunk=ROWS)).compute()
    assert_same_bits(found, expected)
