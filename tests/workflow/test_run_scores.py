from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from chemores_dask.auditor.study_design import StudyDesign
from chemores_dask.workflow.run_scores import scored_design, spread_rows
from chemores_dask.workflow.runner import plan_run, run_pipeline

RAW = """
[[step]]
name = "bulk"
analysis = "mean_zscore"
of = "patients/trial"
[step.parameters]
gene_sets = ["signature"]
[[step]]
name = "scored"
analysis = "cox_model"
of = "patients/trial"
join = [{ from = "bulk.patient_score", as = "score", select = { gene_set = "signature" } }]
[step.parameters]
duration = "months"
event = "event"
covariates = ["score"]
"""


@pytest.fixture
def planned(read, store, pipeline_text):
    text = (pipeline_text + RAW).replace(
        'up = ["GENE010", "GENE011", "GENE012", "GENE013", "GENE014", "GENE015"]',
        'up = ["GENE008", "GENE009", "GENE010", "GENE011"]',
    )
    return plan_run(read(text), store)


def results_of(planned, **given):
    names = [f"P{n % 3}-diagnosis:CELL{n}" for n in range(60)]
    results = {each.step.name: xr.Dataset() for each in planned}
    generator = np.random.default_rng(1)
    results["quality"] = xr.Dataset({"cell_total": ("cell", np.arange(60))}, coords={"cell": names})
    results["scores"] = xr.Dataset(
        {"cell_score": (("cell", "gene_set"), np.arange(60.0)[::-1][:, None])},
        coords={"cell": names[::-1], "gene_set": ["signature"]},
    )
    results["bulk"] = xr.Dataset(
        {"patient_score": (("patient", "gene_set"), generator.normal(size=(5, 1)))},
        coords={"patient": [f"T{n}" for n in range(5)], "gene_set": ["signature"]},
    )
    return {**results, **given}


SAMPLES = pd.DataFrame({"sample": [f"P{n}-diagnosis" for n in range(3)], "patient": ["A", "B", "C"]})
COHORT = xr.Dataset(
    {"event": ("patient", np.array([True, None, False, True], dtype=object)), "months": ("patient", np.ones(4))},
    coords={"patient": ["T1", "T0", "T9", "T2"]},
)


def test_scored_design__puts_scores_beside_the_totals_of_the_same_cells(planned):
    found = scored_design(StudyDesign(SAMPLES), planned, results=results_of(planned), cohorts={})
    (depth,) = found.depths
    assert depth.name == "signature (scores)"
    np.testing.assert_array_equal(depth.score, depth.total)
    assert set(depth.patients) == {"A", "B", "C"}
    assert depth.patients[0] == "C"


def test_scored_design__without_totals_or_names_says_what_it_can(planned):
    results = results_of(planned, quality=xr.Dataset())
    assert scored_design(StudyDesign(SAMPLES), planned, results=results, cohorts={}).depths == ()
    (depth,) = scored_design(StudyDesign(SAMPLES[["sample"]]), planned, results=results_of(planned), cohorts={}).depths
    assert set(depth.patients) == {"unknown"}


def test_scored_design__puts_scores_beside_known_outcomes(planned):
    results = results_of(planned)
    found = scored_design(StudyDesign(SAMPLES), planned, results=results, cohorts={"patients/trial": COHORT})
    (outcome,) = found.outcomes
    scores = results["bulk"]["patient_score"].values[:, 0]
    assert outcome.name == "signature and event"
    assert outcome.known.tolist() == [True, False, True, True]
    np.testing.assert_array_equal(outcome.score, [scores[1], scores[0], np.nan, scores[2]])


def test_scored_design__counts_sex_genes_of_each_sample(planned):
    genes = ["CD44", "XIST", "UTY", "DDX3Y"]
    counts = np.arange(2 * 2 * 4).reshape(2, 2, 4)
    cube = xr.Dataset(
        {"cube_count_sum": (("sample", "state", "gene"), counts)},
        coords={"sample": ["P2-diagnosis", "P0-diagnosis"], "state": ["a", "b"], "gene": genes},
    )
    design = scored_design(StudyDesign(SAMPLES), planned, results=results_of(planned, cube=cube), cohorts={})
    assert design.samples["xist_counts"].tolist() == [9 + 13, 0, 1 + 5]
    assert design.samples["y_counts"].tolist() == [10 + 11 + 14 + 15, 0, 2 + 3 + 6 + 7]
    without = cube.isel(gene=[0, 2])
    design = scored_design(StudyDesign(SAMPLES), planned, results=results_of(planned, cube=without), cohorts={})
    assert "xist_counts" not in design.samples


@pytest.mark.parametrize("cells", [0, 1, 19_999, 20_000, 20_001, 1_000_000])
def test_spread_rows__are_all_or_windows_over_all(cells):
    rows = spread_rows(cells)
    assert len(np.unique(rows)) == len(rows) == min(cells, 20_000)
    if cells:
        assert (rows.min(), rows.max()) == (0, cells - 1)


def test_run_pipeline__looks_at_scores_when_they_are_there(read, store, tmp_path, pipeline_text):
    record = run_pipeline(read(pipeline_text), store, out=tmp_path / "out")
    status = {check.name: check.status for check in record.audit.checks}
    assert status["depth"] in {"clean", "found"}
    again = run_pipeline(read(pipeline_text), store, out=tmp_path / "out")
    assert again.audit == record.audit
