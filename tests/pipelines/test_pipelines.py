from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from chemores_dask.cli.run_command import adapted_pipeline
from chemores_dask.cohort.composition.paired_shares import paired_composition
from chemores_dask.errors import SmallSampleWarning
from chemores_dask.ingest.clinical_tables import ClinicalColumns
from chemores_dask.ingest.convert import ingest
from chemores_dask.ingest.patient_cohort import ingest_patients
from chemores_dask.simulation.design import SimulationDesign
from chemores_dask.simulation.write import simulate
from chemores_dask.workflow.claims import check_claims, compare_claims, read_claims
from chemores_dask.workflow.planning import plan_pipeline
from chemores_dask.workflow.runner import open_run_results, run_pipeline
from tests.published_counts import EXPANSION

ROOT = Path(__file__).resolve().parents[2] / "pipelines"
NAMES = sorted(path.name for path in ROOT.iterdir() if path.is_dir())
CHECKSUMS = {"cells": "c", "patients/bulk": "p"}


def cube_of(counts, *, state, stages):
    rows = [
        {"patient": patient, "stage": stage, state: found, "other": total - found}
        for patient, numbers in counts.items()
        for stage, (found, total) in zip(stages, (numbers[:2], numbers[2:]), strict=True)
    ]
    table = pd.DataFrame(rows)
    return xr.Dataset(
        {"cube_cells": (("sample", "state"), table[[state, "other"]].to_numpy())},
        coords={
            "sample": [f"{row['patient']}-{row['stage']}" for row in rows],
            "state": [state, "other"],
            "patient": ("sample", table["patient"].astype(object)),
            "stage": ("sample", table["stage"].astype(object)),
        },
    )


@pytest.mark.parametrize("name", NAMES)
def test_pipeline__can_be_planned_drawn_and_claimed(name):
    pipeline = adapted_pipeline(ROOT / name, gene_sets=None, seed=None)
    assert pipeline.name == name
    planned = plan_pipeline(pipeline, checksums=CHECKSUMS)
    assert len(planned) == len(pipeline.steps)
    check_claims(read_claims(ROOT / name / "claims.toml"), pipeline)


@pytest.mark.parametrize("name", NAMES)
def test_pipeline__shows_variables_that_its_steps_give(name):
    pipeline = adapted_pipeline(ROOT / name, gene_sets=None, seed=None)
    gives = {planned.step.name: planned.entry.variables for planned in plan_pipeline(pipeline, checksums=CHECKSUMS)}
    for section in pipeline.sections:
        for table in section.tables:
            assert set(table["variables"]) <= set(gives[table["step"]])


@pytest.mark.parametrize("name", NAMES)
def test_pipeline__tells_what_it_needs(name):
    assert "## What it needs" in (ROOT / name / "README.md").read_text()


def test_tall_relapse__claims_hold_for_the_published_counts():
    cube = cube_of(EXPANSION, state="stem_like", stages=("diagnosis", "relapse"))
    result = paired_composition(cube, state="stem_like", before="diagnosis", after="relapse")
    claims = read_claims(ROOT / "tall_relapse" / "claims.toml")
    outcomes = compare_claims(claims, results={"expansion": result})
    assert len(outcomes) == 6
    assert [outcome.name for outcome in outcomes if not outcome.holds] == []


def test_osteosarcoma__three_pairs_cannot_be_significant():
    cube = cube_of(
        {"A": (5, 900, 90, 800), "B": (9, 900, 99, 700), "C": (2, 900, 80, 900)},
        state="resistant",
        stages=("pre", "post"),
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SmallSampleWarning)
        result = paired_composition(cube, state="resistant", before="pre", after="post")
    claims = [
        c for c in read_claims(ROOT / "osteosarcoma_chemotherapy" / "claims.toml") if c.reference.step == "expansion"
    ]
    outcomes = compare_claims(claims, results={"expansion": result})
    assert [outcome.holds for outcome in outcomes] == [True, True]


@pytest.mark.slow
def test_osteosarcoma__recovers_the_planted_outcome(tmp_path):
    design = SimulationDesign(
        **{
            **{f: getattr(SimulationDesign.chemotherapy(), f) for f in SimulationDesign.__dataclass_fields__},
            "patients": 3, "cells_per_sample": 120, "genes": 800, "depth_median": 2000.0, "gene_spread": 1.5, "bulk_patients": 150,
            "bulk_genes": 400,
        }
    )  # fmt: skip
    files = simulate(tmp_path / "files", design=design, seed=4)
    store = tmp_path / "cohort.zarr"
    ingest(files / "samples.csv", store)
    columns = ClinicalColumns(patient="patient", durations=("time",), events=("event",))
    ingest_patients(
        store,
        cohort="bulk",
        clinical=files / "clinical.tsv",
        expression=files / "bulk_expression.tsv.gz",
        columns=columns,
    )
    pipeline = adapted_pipeline(ROOT / "osteosarcoma_chemotherapy", gene_sets=None, seed=None)
    results = open_run_results(run_pipeline(pipeline, store, out=tmp_path / "out"), store)
    model = results["survival_model"].sel(term="score")
    error = float(model["cox_model_standard_error"])
    assert abs(float(model["cox_model_coefficient"]) - design.resistance_hazard) < 3 * error
    assert float(results["survival_groups"]["cox_model_hazard_ratio"][0]) > 1
    assert float(results["survival_test"]["log_rank_p_value"]) < 0.05
    assert_clusters_are_kinds(results, files)


def assert_clusters_are_kinds(results, files):
    """Most cells of every cluster are of one planted state, over all libraries; of so few cells rare states share a cluster."""
    truth = pd.read_csv(files / "truth" / "cells.tsv.gz", sep="\t")
    planted = pd.Series(truth["state"].to_numpy(), index=truth["sample"] + ":" + truth["barcode"])
    cluster = results["clusters"]["cell_cluster"].to_series()
    counts = pd.crosstab(cluster.to_numpy(), planted.reindex(cluster.index).to_numpy())
    assert counts.max(axis=1).sum() > 0.8 * len(cluster)
    assert float(results["neighbors"]["neighbor_recall"]) >= 0.95
    mixing = [float(results["integrated"][f"harmony_mixing_{moment}"][0]) for moment in ("before", "after")]
    assert mixing[1] > mixing[0]
    assert int(results["cluster_cube"]["cube_cells"].sum()) == len(cluster)
    assert results["markers"].sizes["group"] == counts.shape[0]
    assert np.isfinite(results["map"]["umap_coordinates"].values).all()
