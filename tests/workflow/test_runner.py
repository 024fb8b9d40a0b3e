from __future__ import annotations

import json

import anndata as ad
import numpy as np
import pytest
import xarray as xr
from distributed import Client, LocalCluster

from chemores_dask.errors import ParameterError, PipelineFileError, StepFailedError
from chemores_dask.single_cell.pca import pca
from chemores_dask.single_cell.variable_genes import variable_genes
from chemores_dask.store.cells import open_cells
from chemores_dask.store.patients import write_patients
from chemores_dask.store.results import list_results
from chemores_dask.testing.nouns import CELLS, tiny_patients
from chemores_dask.workflow import runner
from chemores_dask.workflow.catalogue import CATALOGUE, CatalogueEntry
from chemores_dask.workflow.claims import Claim
from chemores_dask.workflow.events import RowsDecoded, StepFinished, StepStarted
from chemores_dask.workflow.inputs import view_cells
from chemores_dask.workflow.runner import open_run_results, plan_run, run_pipeline
from chemores_dask.workflow.steps import Reference, View
from tests.held_memory import budget_with_room

STEPS = ["quality", "chosen", "components", "scores", "states", "cube", "model"]


def run(pipeline, store, tmp_path, **options):
    return run_pipeline(pipeline, store, out=tmp_path / "out", **options)


def ran(record):
    return [step.name for step in record.steps if not step.reused]


def same(first, second):
    assert first.keys() == second.keys()
    for name, result in first.items():
        xr.testing.assert_identical(result.compute(), second[name].compute())


def test_run_pipeline__gives_what_the_functions_give(read, store, tmp_path):
    record = run(read(), store, tmp_path)
    results = open_run_results(record, store)
    cells = open_cells(store)
    kept = view_cells(cells, View("k", "cells", keep=Reference("quality", "cell_keep")), results=results)
    normalized = view_cells(kept, View("n", "k", normalize=1e4), results=results)
    chosen = variable_genes(normalized, method="seurat", genes=30)
    expected = pca(normalized, components=3, genes=chosen["gene_variable"].values)
    np.testing.assert_array_equal(results["components"]["pca_scores"], expected["pca_scores"].compute())
    assert 0 < kept.n_obs < CELLS
    assert int(results["cube"]["cube_cells"].sum()) == kept.n_obs
    assert set(results["cube"]["state"].values) == {"other", "stem_like"}


def test_run_pipeline__hands_on_whole_results(read, store, tmp_path, pipeline_text):
    signatures = """
[[step]]
name = "signatures"
analysis = "stemness_signatures"
of = "cube"
[step.parameters]
state = "stem_like"
folds = 2
genes = 5
limits = { minimum_cells = 1, minimum_detected = 0.0, minimum_log_fold_change = 0.0 }
[[step]]
name = "held_out"
analysis = "stemness"
of = "normalized"
[step.parameters]
signatures = "@signatures"
method = "scanpy"
minimum_share = 0.0
"""
    record = run(read(pipeline_text + signatures), store, tmp_path)
    results = open_run_results(record, store)
    steps = {step.name: step for step in record.steps}
    assert steps["held_out"].parameters["signatures"] == "@signatures"
    assert steps["held_out"].inputs["@signatures"] == steps["signatures"].fingerprint
    assert results["held_out"]["cell_score"].sizes["cell"] == results["states"].sizes["cell"]
    with pytest.raises(PipelineFileError, match=r"must name something that exists\. Got 'kept'"):
        read(pipeline_text + signatures.replace('"@signatures"', '"@kept"'))


def test_run_pipeline__records_what_it_did(read, store, tmp_path):
    record = run(read(), store, tmp_path)
    assert [step.name for step in record.steps] == STEPS
    assert (record.cells, record.samples, record.patients, record.seed) == (CELLS, 12, 6, 3)
    assert {"cells", "patients/trial", "pipeline"} == set(record.inputs)
    quality = record.steps[0]
    assert quality.bill.passes == 1.0
    assert quality.bill.bytes_decoded > 0
    assert quality.parameters["limits"]["minimum_total"] == 60
    assert record.bill.passes == pytest.approx(sum(step.bill.passes for step in record.steps))
    written = json.loads((tmp_path / "out" / "run.json").read_text())
    assert [step["name"] for step in written["steps"]] == STEPS
    assert (tmp_path / "out" / "tables" / "model.term.tsv").is_file()


def test_run_pipeline__passes_are_at_most_those_of_the_catalogue(read, store, tmp_path):
    for step in run(read(), store, tmp_path).steps:
        assert step.bill.passes <= CATALOGUE[step.analysis].passes, step.name


def test_run_pipeline__shares_passes_between_steps_that_do_not_need_each_other(read, store, tmp_path):
    steps = {step.name: step for step in run(read(), store, tmp_path).steps}
    assert steps["chosen"].shared_with == ("scores",)
    assert steps["scores"].shared_with == ("chosen",)
    assert steps["quality"].shared_with == ()
    # The pass over the means of the genes stands with the first; writing the scores is a pass of its own.
    assert steps["scores"].bill.passes < 1.01
    both = steps["chosen"].bill.passes + steps["scores"].bill.passes
    assert both <= CATALOGUE["variable_genes"].passes + CATALOGUE["module_score"].passes - 1


def test_run_pipeline__runs_nothing_twice(read, store, tmp_path):
    first = run(read(), store, tmp_path)
    again = run(read(), store, tmp_path)
    assert ran(first) == STEPS
    assert ran(again) == []
    assert again.bill.passes == 0
    assert [step.fingerprint for step in again.steps] == [step.fingerprint for step in first.steps]


def test_run_pipeline__changed_parameter_reruns_only_dependents(read, store, tmp_path, pipeline_text):
    run(read(), store, tmp_path)
    changed = read(pipeline_text.replace('method = "scanpy"', 'method = "scanpy"\ncontrols = { bins = 10 }'))
    reasons = {planned.step.name: planned.reason for planned in plan_run(changed, store) if not planned.done}
    assert reasons == {
        "scores": 'parameters changed: controls {"bins": null, "genes": null} -> {"bins": 10, "genes": null}',
        "states": "inputs changed: of",
        "cube": "inputs changed: join called",
    }
    assert ran(run(changed, store, tmp_path)) == ["scores", "states", "cube"]
    assert ran(run(read(), store, tmp_path)) == []


def test_run_pipeline__changed_cohort_reruns_only_its_steps(read, store, tmp_path):
    run(read(), store, tmp_path)
    patients = tiny_patients()
    write_patients(patients.assign(age=patients["age"] + 1), store, cohort="trial")
    assert ran(run(read(), store, tmp_path)) == ["model"]


def test_plan_run__computes_nothing(read, store, monkeypatch):
    monkeypatch.setattr(runner, "open_cells", None)
    assert [planned.reason for planned in plan_run(read(), store)] == ["never run"] * 7
    assert not (store / "results").exists()


@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError])
def test_run_pipeline__cut_short_goes_on_to_the_same_results(read, store, tmp_path, monkeypatch, error):
    whole = tmp_path / "whole"
    whole.mkdir()
    expected = open_run_results(run(read(), store, whole), store)
    expected = {name: result.compute() for name, result in expected.items()}
    for group in (store / "results" / "scores", store / "results" / "states", store / "results" / "cube"):
        for path in sorted(group.rglob("*"), reverse=True):
            path.unlink() if path.is_file() else path.rmdir()
    write, calls = runner.write_result, []

    def stop_at_second(result, *arguments, **options):
        calls.append(options["step"])
        if len(calls) == 2:
            raise error
        return write(result, *arguments, **options)

    monkeypatch.setattr(runner, "write_result", stop_at_second)
    with pytest.raises(KeyboardInterrupt if error is KeyboardInterrupt else StepFailedError):
        run(read(), store, tmp_path)
    monkeypatch.setattr(runner, "write_result", write)
    record = run(read(), store, tmp_path)
    assert ran(record) == ["states", "cube"]
    same(open_run_results(record, store), expected)


def test_run_pipeline__redoes_a_torn_result(read, store, tmp_path):
    record = run(read(), store, tmp_path)
    (group,) = [store / "results" / "model" / step.fingerprint for step in record.steps if step.name == "model"]
    described = json.loads((group / "zarr.json").read_text())
    del described["attributes"]["complete"]
    (group / "zarr.json").write_text(json.dumps(described))
    assert ran(run(read(), store, tmp_path)) == ["model"]


def test_run_pipeline__names_the_step_that_failed(read, store, tmp_path, pipeline_text):
    broken = read(pipeline_text.replace('covariates = ["age"]', 'covariates = ["age", "age"]'))
    with pytest.raises(
        StepFailedError, match=r"The step 'model' \(cox_model of patients/trial\) failed\. .*different names"
    ) as failed:
        run(broken, store, tmp_path)
    assert failed.value.__cause__ is not None
    assert any("are kept" in note for note in failed.value.__notes__)
    assert ran(run(read(), store, tmp_path)) == ["model"]


def test_run_pipeline__wraps_errors_of_others_too(read, store, tmp_path, monkeypatch):
    def explode(cells: ad.AnnData, *, sample: str, state: str | None = None) -> xr.Dataset:
        return sample / 0

    explode.__module__ = CATALOGUE["cohort_cube"].function.__module__
    monkeypatch.setitem(CATALOGUE, "cohort_cube", CatalogueEntry(explode, "cells", passes=1))
    with pytest.raises(StepFailedError, match=r"'cube' .* failed\. TypeError: unsupported operand"):
        run(read(), store, tmp_path)


def test_run_pipeline__keeps_the_warnings_of_a_step(read, store, tmp_path, pipeline_text):
    missing = read(pipeline_text.replace('up = ["GENE010"', 'up = ["ABSENT", "GENE010"'))
    seen = []
    first = run(missing, store, tmp_path, watch=seen.append)
    recorded = {step.name: step.warnings for step in first.steps}
    (warning,) = recorded["scores"]
    assert warning.startswith("MissingGenesWarning: 1 of 7 genes of 'signature'")
    assert {event.name: event.warnings for event in seen if isinstance(event, StepFinished)} == recorded
    again = run(missing, store, tmp_path)
    assert ran(again) == []
    assert {step.name: step.warnings for step in again.steps} == recorded


def test_run_pipeline__tells_how_it_goes_on(read, store, tmp_path):
    seen = []
    run(read(), store, tmp_path, watch=seen.append)
    started = [event for event in seen if isinstance(event, StepStarted)]
    assert [(event.number, event.steps) for event in started] == [(number, 7) for number in range(1, 8)]
    assert sorted(event.name for event in started) == sorted(STEPS)
    finished = [event for event in seen if isinstance(event, StepFinished)]
    passes = {analysis: entry.passes for analysis, entry in CATALOGUE.items()}
    # The second wave is that of variable genes and scores, which share a pass.
    assert finished[-1].rows == CELLS * (
        passes["quality"]
        + passes["variable_genes"]
        + passes["module_score"]
        - 1
        + passes["pca"]
        + passes["cohort_cube"]
    )
    assert all(event.rows <= event.expected for event in seen if isinstance(event, RowsDecoded))


def test_run_pipeline__refuses_claims_before_anything_runs(read, store, tmp_path):
    claim = Claim("a", Reference("model", "cox_model_hazard"), 1, 0, 2)
    with pytest.raises(PipelineFileError, match=r"Did you mean cox_model_hazard_ratio"):
        run(read(), store, tmp_path, claims=[claim])
    assert not (store / "results").exists()


def test_run_pipeline__holds_claims_against_results(read, store, tmp_path):
    claim = Claim("a", Reference("model", "cox_model_patients"), 40, 40, 40, source="the fixture")
    (outcome,) = run(read(), store, tmp_path, claims=[claim]).claims
    assert (outcome.holds, outcome.found) == (True, 40)


@pytest.mark.cluster
def test_run_pipeline__gives_the_same_on_a_cluster(read, store, tmp_path):
    expected = open_run_results(run(read(), store, tmp_path), store)
    expected = {name: result.compute() for name, result in expected.items()}
    for path in sorted((store / "results").rglob("*"), reverse=True):
        path.unlink() if path.is_file() else path.rmdir()
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0") as cluster,
        Client(cluster),
    ):
        record = run(read(), store, tmp_path)
        assert record.host.startswith("distributed; 2 workers")
        assert record.steps[0].bill.passes == 1.0
        assert ran(record) == STEPS
        same(open_run_results(record, store), expected)


def test_run_pipeline__refuses_a_misspelled_column_before_anything_runs(read, store, tmp_path, pipeline_text):
    broken = read(pipeline_text.replace('covariates = ["age"]', 'covariates = ["agee"]'))
    with pytest.raises(PipelineFileError, match=r"'covariates' of step 'model'.*'agee'.*Did you mean age"):
        run(broken, store, tmp_path)
    assert list_results(store) == []


def test_run_pipeline__holds_a_budget_and_bills_what_was_predicted(read, store, tmp_path):
    budget = budget_with_room("2GB")
    record = run(read(), store, tmp_path, memory=f"{budget}B")
    assert record.memory_budget_bytes == budget
    assert 0 < record.bill.predicted_memory_bytes <= budget
    assert json.loads((tmp_path / "out" / "run.json").read_text())["memory_budget_bytes"] == budget
    assert record.bill.predicted_memory_bytes == max(step.bill.predicted_memory_bytes for step in record.steps)


def test_run_pipeline__refuses_a_budget_that_is_too_small_or_none(read, store, tmp_path):
    with pytest.raises(ParameterError, match="such as 4GB"):
        run(read(), store, tmp_path, memory="plenty")
    with pytest.raises(StepFailedError, match="a budget of at least"):
        run(read(), store, tmp_path, memory="10MB")
    assert list_results(store) == []
