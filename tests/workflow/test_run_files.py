from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from chemores_dask.errors import InputError
from chemores_dask.workflow.record import Bill, ClaimOutcome, RunRecord, StepRecord
from chemores_dask.workflow.run_files import prepare_folder, write_record, write_tables


def record():
    step = StepRecord(
        "pca",
        "pca",
        "abc",
        reused=False,
        parameters={"genes": None, "labels": ("a", "b")},
        bill=Bill(2.0, 8, 3, 1.5, 99),
    )
    claim = ClaimOutcome("Größe", "paper", 1.0, 0.5, 2.0, 1.5, "pca", "v")
    return RunRecord(
        pipeline="p", title="t", description="d", store="cohort.zarr", seed=1, started="a", finished="b", host="h", cells=1, genes=2,
        samples=3, patients=4, inputs={"cells": "c"}, versions={"python": "3"}, steps=(step,), claims=(claim,), sections=(), bill=Bill(),
    )  # fmt: skip


def test_write_record__is_json_with_the_outcome_of_claims(tmp_path):
    read = json.loads(write_record(record(), tmp_path / "new").read_text(encoding="utf-8"))
    assert read["steps"][0]["bill"]["peak_memory_bytes"] == 99
    assert read["steps"][0]["parameters"] == {"genes": None, "labels": ["a", "b"]}
    assert read["claims"][0]["holds"] is True
    assert read["claims"][0]["name"] == "Größe"


def test_write_tables__writes_one_table_per_dimension(tmp_path):
    result = xr.Dataset(
        {
            "gene_mean": ("gene", [1.0, 2.0]),
            "gene_kept": ("gene", [True, False]),
            "threshold": ((), 0.5, {"units": "log"}),
            "log_cpm": (("sample", "gene"), np.arange(6.0).reshape(3, 2)),
            "cell_total": ("cell", np.arange(9)),
            "cube": (("sample", "gene", "state"), np.zeros((3, 2, 1))),
            "edge_weight": ("edge", np.ones(30)),
            "edge_offset": ("offset", np.arange(10)),
            "bare": ("break", [7]),
        },
        coords={"gene": ["A", "B"], "sample": ["x", "y", "z"]},
    )
    written = {path.name for path in write_tables({"step": result}, tmp_path)}
    assert written == {"step.tsv", "step.gene.tsv", "step.break.tsv", "step.log_cpm.tsv"}
    genes = pd.read_csv(tmp_path / "tables" / "step.gene.tsv", sep="\t", index_col="gene")
    assert genes.loc["B"].tolist() == [2.0, False]
    matrix = pd.read_csv(tmp_path / "tables" / "step.log_cpm.tsv", sep="\t", index_col="gene")
    assert matrix.loc["B"].tolist() == [1.0, 3.0, 5.0]
    plain = pd.read_csv(tmp_path / "tables" / "step.tsv", sep="\t", index_col="variable")
    assert plain.loc["threshold"].tolist() == [0.5, "log"]


def test_prepare_folder__makes_it_and_refuses_what_cannot_be_written(tmp_path):
    assert prepare_folder(tmp_path / "a" / "b").is_dir()
    assert list((tmp_path / "a" / "b").iterdir()) == []
    (tmp_path / "file").write_text("")
    for place in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(InputError, match="choose another one"):
            prepare_folder(place)
