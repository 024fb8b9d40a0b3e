from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from chemores_dask.store.patients import write_patients
from chemores_dask.store.results import list_results
from chemores_dask.testing.nouns import tiny_patients
from chemores_dask.workflow.inventory import take_inventory
from chemores_dask.workflow.run_audit import audit_record, audit_run, design_of_run, store_tables
from chemores_dask.workflow.runner import plan_on, run_pipeline
from chemores_dask.workflow.steps import PATIENTS

STEPS = """
[[step]]
name = "expansion"
analysis = "paired_composition"
of = "cube"
[step.parameters]
state = "high"
before = "diagnosis"
after = "relapse"
[[step]]
name = "markers"
analysis = "markers"
of = "kept"
join = [{ from = "states.cell_state", as = "called" }]
[step.parameters]
group = "called"
method = "histogram"
[[step]]
name = "scan"
analysis = "cox_scan"
of = "patients/trial"
[step.parameters]
duration = "months"
event = "event"
[[step]]
name = "arms"
analysis = "log_rank"
of = "patients/trial"
[step.parameters]
duration = "months"
event = "event"
group = "arm"
"""


@pytest.fixture
def design(read, store, pipeline_text):
    def make(text=pipeline_text + STEPS):
        pipeline = read(text)
        inventory = take_inventory(store)
        planned = plan_on(inventory, pipeline)
        return design_of_run(pipeline, store_tables(store, inventory=inventory, planned=planned), planned=planned)

    return make


def audited(pipeline, store):
    inventory = take_inventory(store)
    return audit_run(pipeline, store, inventory=inventory, planned=plan_on(inventory, pipeline))


def codes(found):
    return {str(code) for code in found["finding_code"].values}


def test_design_of_run__reads_tests_off_the_steps(design):
    tests = {test.name: test for test in design().tests}
    assert set(tests) == {"model", "expansion", "markers", "scan", "arms"}
    assert tests["expansion"].contrast.paired
    assert (tests["expansion"].contrast.first, tests["expansion"].contrast.second) == ("diagnosis", "relapse")
    assert (tests["markers"].unit, tests["markers"].descriptive, tests["markers"].tests) == ("cell", True, 60)
    assert (tests["scan"].tests, tests["scan"].correction) == (12, "benjamini_hochberg")
    assert tests["arms"].sizes == (20, 20)


def test_design_of_run__counts_patients_events_and_terms(design, store):
    models = {model.name: model for model in design().models}
    assert store_tables(store, inventory=take_inventory(store), planned=()).cohorts == {}
    assert set(models) == {"model", "scan", "arms"}
    assert (models["model"].patients, models["model"].terms, models["scan"].terms) == (40, 1, 1)
    assert models["model"].events == models["arms"].events > 10


def test_design_of_run__counts_levels_as_terms(design, pipeline_text):
    text = pipeline_text.replace('covariates = ["age"]', 'covariates = ["age", "arm"]\nentry = "age"')
    (model,) = design(text).models
    assert (model.terms, model.delayed_entry) == (2, True)


def test_design_of_run__knows_genes_and_cutoffs(design):
    uses = {use.name: use for use in design().signatures}
    scored = uses["signature in cells"]
    assert (len(scored.genes), scored.measured >= set(scored.genes)) == (6, True)
    cut = uses["states.cell_state in expansion"]
    assert (cut.cutoff_rule, cut.cutoff.patients, cut.test.patients) == (
        "blind",
        tuple(f"P{n}" for n in range(6)),
        cut.cutoff.patients,
    )
    assert "states.cell_state in markers" not in uses


def test_design_of_run__a_given_threshold_is_frozen(design, pipeline_text):
    text = (pipeline_text + STEPS).replace("classes = 2", "threshold = 0.3")
    uses = {use.name: use for use in design(text).signatures}
    assert uses["states.cell_state in expansion"].cutoff_rule == "frozen"


def test_design_of_run__takes_only_samples_of_the_views(design, pipeline_text):
    text = (
        (pipeline_text + STEPS)
        .replace(
            'name = "kept"\nof = "cells"',
            'name = "early"\nof = "cells"\nwhere = { batch = "A" }\n[[view]]\nname = "kept"\nof = "early"',
        )
        .replace(
            'name = "quality"\nanalysis = "quality"\nof = "cells"',
            'name = "quality"\nanalysis = "quality"\nof = "early"',
        )
    )
    test = next(test for test in design(text).tests if test.name == "expansion")
    assert test.contrast.where == (("batch", ("A",)),)


def test_design_of_run__heeds_what_the_pipeline_notes(design, pipeline_text):
    notes = """
[design]
batches = ["patient"]
[[design.family]]
name = "primary"
steps = ["model", "expansion", "arms"]
correction = "holm"
[[design.signature]]
name = "signature"
patients = ["P1", "Q1"]
[[design.outcome]]
step = "model"
origin = "diagnosis"
score_known = "surgery"
"""
    found = design(pipeline_text + STEPS + notes)
    assert found.batches == ("patient",)
    assert {test.name for test in found.tests if test.family == "primary"} == {"model", "expansion", "arms"}
    assert found.signatures[0].derivation.patients == ("P1", "Q1")
    assert found.models[0].origin == "diagnosis"


def test_audit_run__finds_what_is_there(read, store, pipeline_text):
    pipeline = read(pipeline_text + STEPS)
    found = audited(pipeline, store)
    assert codes(found) == {"undeclared_family", "descriptive_cells", "blind_cutoff", "few_cells"}


def test_audit_run__names_stages_that_are_not_there(read, store, pipeline_text):
    pipeline = read(pipeline_text + STEPS.replace('after = "relapse"', 'after = "remission"'))
    assert "absent_values" in codes(audited(pipeline, store))


def test_run_pipeline__keeps_findings_and_changes_nothing_else(read, store, tmp_path, pipeline_text):
    plain = run_pipeline(read(pipeline_text), store, out=tmp_path / "out")
    addresses = {(entry.step, entry.fingerprint) for entry in list_results(store)}
    notes = '[design]\nbatches = ["batch"]\n[[design.family]]\nname = "one"\nsteps = ["model"]\ncorrection = "none"\n'
    noted = run_pipeline(read(pipeline_text + notes), store, out=tmp_path / "noted")
    assert all(step.reused for step in noted.steps)
    assert {(entry.step, entry.fingerprint) for entry in list_results(store)} == addresses
    assert plain.inputs == noted.inputs
    written = json.loads((tmp_path / "out" / "run.json").read_text())["audit"]
    assert [check["name"] for check in written["checks"]] == [check.name for check in plain.audit.checks]
    table = pd.read_csv(tmp_path / "out" / "findings.tsv", sep="\t")
    assert list(table["code"]) == [finding.code for finding in plain.audit.findings]


def test_audit_record__keeps_all_in_plain_values(read, store, pipeline_text):
    pipeline = read(pipeline_text + STEPS)
    found = audited(pipeline, store)
    record = audit_record(found)
    assert record.findings[0].severity == "warning"
    assert record.count("warning") == 2
    assert len(record.checks) == found.sizes["check"]
    assert {(pair.first, pair.second) for pair in record.associations} == {("stage", "batch")}
    strength = record.associations[0].cramers_v
    assert strength is None or np.isfinite(strength)
    json.dumps(record.associations[0].__dict__)


def test_store_tables__takes_a_store_without_cells(read, tmp_path):
    path = tmp_path / "patients.zarr"
    write_patients(tiny_patients(), path, cohort="trial")
    text = """
[pipeline]
name = "p"
title = "p"
seed = 1
[[step]]
name = "model"
analysis = "cox_model"
of = "patients/trial"
[step.parameters]
duration = "months"
event = "event"
covariates = ["age"]
"""
    pipeline = read(text)
    inventory = take_inventory(path)
    tables = store_tables(path, inventory=inventory, planned=plan_on(inventory, pipeline))
    assert tables.samples.empty
    assert list(tables.cohorts) == [f"{PATIENTS}trial"]
    assert codes(audited(pipeline, path)) == set()
