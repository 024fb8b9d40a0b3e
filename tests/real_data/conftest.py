"""Real files, brought into stores once for all tests of this folder."""

from __future__ import annotations

from types import SimpleNamespace

import anndata
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from chemores_dask.cli.main import main
from chemores_dask.ingest.convert import ingest
from chemores_dask.ingest.options import IngestOptions

PROTOCOLS = ("celseq2", "dropseq", "celseq2_5cl_p1", "celseq2_5cl_p2")


def _assert_same_counts(cells, sample, source, *, genes):
    # Cell by cell: names and order are those of the file.
    own = cells[(cells.obs["sample"] == sample).to_numpy()]
    assert own.obs_names.tolist() == [f"{sample}:{barcode}" for barcode in source.obs_names]
    # Gene by gene: every gene of the file lies where its name says, and no other gene has a count.
    places = pd.Index(cells.var[genes]).get_indexer(source.var_names)
    assert (places >= 0).all()
    stored, expected = sp.csr_matrix(own.X), sp.csr_matrix(source.X)
    difference = stored[:, places].astype(np.float64) - expected.astype(np.float64)
    assert abs(difference).sum() == 0
    assert stored.sum(dtype=np.int64) == expected.sum(dtype=np.float64)
    assert stored.nnz == np.count_nonzero(expected.data)


@pytest.fixture(scope="session")
def assert_same_counts():
    """Compare the cells of one sample with the file it came from, exactly."""
    return _assert_same_counts


@pytest.fixture(scope="session")
def chemores():
    """Run ``chemores`` with some arguments; gives the exit code."""

    def call(*arguments):
        with pytest.raises(SystemExit) as stopped:
            main([str(argument) for argument in arguments])
        return stopped.value.code or 0

    return call


@pytest.fixture(scope="session")
def singlecell(reference_folder):
    """The folder with single-cell files."""
    return reference_folder / "data" / "singlecell"


@pytest.fixture(scope="session")
def cohorts(reference_folder):
    """The folder with clinical and bulk tables."""
    return reference_folder / "data" / "cohorts" / "converted"


@pytest.fixture(scope="session")
def mixology(singlecell, tmp_path_factory):
    """Lung-cancer lines by two protocols and four plates: sources, ingest report and store."""
    files = {name: singlecell / "converted" / f"sc_mixology_sc_{name}.h5ad" for name in PROTOCOLS}
    folder = tmp_path_factory.mktemp("mixology")
    rows = [f"{name},{path},{name.split('_')[0]}" for name, path in files.items()]
    (folder / "samples.csv").write_text("\n".join(["sample,path,protocol", *rows]) + "\n")
    kept = {"cell_line_demuxlet": "cell_line", "demuxlet_cls": "droplet", "cell_line": "cell_line_of_three"}
    report = ingest(folder / "samples.csv", folder / "cohort.zarr", options=IngestOptions(keep_columns=kept))
    sources = {name: anndata.read_h5ad(path) for name, path in files.items()}
    return SimpleNamespace(sources=sources, report=report, store=folder / "cohort.zarr", sheet=folder / "samples.csv")


@pytest.fixture(scope="session")
def glioblastoma(singlecell, tmp_path_factory):
    """Five patients, vehicle and panobinostat, from one file split by its own column: source, report and store."""
    path = singlecell / "converted" / "lemur_gbm_panobinostat.h5ad"
    folder = tmp_path_factory.mktemp("glioblastoma")
    (folder / "samples.csv").write_text(f"sample,path,split_by\n{{}},{path},sample_id\n")
    kept = {"patient_id": "patient", "condition": "stage", "gender": "gender", "age": "age"}
    report = ingest(folder / "samples.csv", folder / "cohort.zarr", options=IngestOptions(keep_columns=kept))
    source = anndata.read_h5ad(path)
    return SimpleNamespace(source=source, report=report, store=folder / "cohort.zarr", sheet=folder / "samples.csv")
