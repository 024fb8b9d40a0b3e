"""A small store and a small pipeline on it."""

from __future__ import annotations

import pytest

from chemores_dask.store.cells_parallel import write_cells
from chemores_dask.store.patients import write_patients
from chemores_dask.testing.nouns import tiny_cells, tiny_patients
from chemores_dask.workflow.pipeline_file import read_pipeline
from tests.pipeline_texts import SCORED_STATES, VIEWS

PIPELINE = f"""
[pipeline]
name = "small"
title = "A small study"
seed = 3
[[gene_set]]
name = "signature"
up = ["GENE010", "GENE011", "GENE012", "GENE013", "GENE014", "GENE015"]
{VIEWS}[[step]]
name = "quality"
analysis = "quality"
of = "cells"
[step.parameters.limits]
minimum_total = 60
[[step]]
name = "components"
analysis = "pca"
of = "normalized"
[step.parameters]
components = 3
genes = "@chosen.gene_variable"
[[step]]
name = "chosen"
analysis = "variable_genes"
of = "normalized"
[step.parameters]
method = "seurat"
genes = 30
{SCORED_STATES}"""


@pytest.fixture
def store(tmp_path):
    """96 cells and 40 patients."""
    path = tmp_path / "cohort.zarr"
    write_cells(tiny_cells(), path)
    write_patients(tiny_patients(), path, cohort="trial")
    return path


@pytest.fixture
def pipeline_text():
    """The TOML of a pipeline on that store."""
    return PIPELINE


@pytest.fixture
def read(tmp_path):
    """Read a pipeline from its text."""

    def read_text(text=PIPELINE):
        path = tmp_path / "pipeline.toml"
        path.write_text(text)
        return read_pipeline(path)

    return read_text
