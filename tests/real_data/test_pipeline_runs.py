"""Real files through the command line, from ingest to report; figures of the report against the files."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import anndata
import numpy as np
import pandas as pd
import pytest
from lifelines import CoxPHFitter

from chemores_dask.store.cells import open_cells
from chemores_dask.store.results import list_results, open_result

CELL_LINES = """
[pipeline]
name = "cell_lines"
title = "Cell lines by several protocols"
description = "Lines known by genotype: are they apart in the first components, and does every protocol find the same share of them?"
seed = 2

[[view]]
name = "kept"
of = "cells"
keep = "quality.cell_keep"
[[view]]
name = "normalized"
of = "kept"
normalize = 1e4

[[step]]
name = "quality"
analysis = "quality"
of = "cells"
[step.parameters.limits]
minimum_detected_genes = 3000
maximum_spike_in_share = 0.05
[[step]]
name = "variable_genes"
analysis = "variable_genes"
of = "normalized"
[step.parameters]
method = "seurat"
genes = 1500
batch = "protocol"
[[step]]
name = "components"
analysis = "pca"
of = "normalized"
[step.parameters]
components = 10
genes = "@variable_genes.gene_variable"
regress = ["sample"]
[[step]]
name = "cube"
analysis = "cohort_cube"
of = "kept"
[step.parameters]
sample = "sample"
state = "cell_line"
[[step]]
name = "bulk"
analysis = "pseudobulk"
of = "cube"

[[section]]
title = "Cells"
text = "Cells with few genes or many added transcripts are left out."
figures = [{ kind = "quality_violins", step = "quality", caption = "Totals, genes and shares per plate." }]
[[section]]
title = "Cell lines"
figures = [
    { kind = "variable_genes_plot", step = "variable_genes", caption = "Mean and dispersion of every gene." },
    { kind = "variance_explained", step = "components", caption = "Share of the variance." },
    { kind = "embedding_map", step = "components", color = "protocol", cube = "cube", caption = "Cells by protocol." },
    { kind = "composition_bars", step = "cube", caption = "Lines on every plate." },
]
tables = [{ step = "bulk", variables = ["pseudobulk_cells", "pseudobulk_total"], caption = "Cells and counts of every plate." }]
"""

LEUKEMIA = """
[pipeline]
name = "leukemia"
title = "Residual disease and outcome"
seed = 1
[[step]]
name = "curves"
analysis = "kaplan_meier"
of = "patients/tall"
[step.parameters]
duration = "efs.time"
event = "efs.censor"
group = "MRD.binary"
[[step]]
name = "test"
analysis = "log_rank"
of = "patients/tall"
[step.parameters]
duration = "efs.time"
event = "efs.censor"
group = "MRD.binary"
[[step]]
name = "model"
analysis = "cox_model"
of = "patients/tall"
[step.parameters]
duration = "efs.time"
event = "efs.censor"
covariates = ["MRD29", "WBC"]
[[step]]
name = "scan"
analysis = "cox_scan"
of = "patients/tall"
[step.parameters]
duration = "efs.time"
event = "efs.censor"
[[section]]
title = "Outcome"
figures = [
    { kind = "survival_curves", step = "curves", log_rank = "test", caption = "By residual disease." },
    { kind = "forest", step = "model", caption = "Hazard ratios." },
    { kind = "volcano", step = "scan", caption = "Every gene." },
]
tables = [{ step = "scan", variables = ["cox_coefficient", "cox_p_value"], sort = "cox_p_value", rows = 5, caption = "First." }]
"""


@pytest.fixture(scope="module")
def lines_run(chemores, mixology, tmp_path_factory):
    """The store brought in by the command line, a pipeline run on it, and its folder."""
    folder = tmp_path_factory.mktemp("lines")
    store, out = folder / "cohort.zarr", folder / "results"
    keep = ["--keep", "cell_line_demuxlet=cell_line", "--keep", "demuxlet_cls=droplet"]
    assert chemores("ingest", mixology.sheet, store, *keep) == 0
    (folder / "pipeline.toml").write_text(CELL_LINES)
    assert chemores("run", folder, "--store", store, "--out", out) == 0
    results = {
        entry.step: open_result(store, step=entry.step, fingerprint=entry.fingerprint) for entry in list_results(store)
    }
    return SimpleNamespace(folder=folder, store=store, out=out, results=results)


def test_ingest__of_the_command_line_makes_the_same_cells(lines_run, mixology):
    by_command, by_call = open_cells(lines_run.store), open_cells(mixology.store)
    columns = ["sample", "protocol", "cell_line", "droplet", "cell_key"]
    assert by_command.obs.columns.tolist() == columns
    assert by_command.obs.equals(by_call.obs[columns])
    assert (by_command.X.compute() != by_call.X.compute()).nnz == 0


def test_run__writes_a_report_of_the_cell_lines(lines_run):
    page = (lines_run.out / "report.html").read_text(encoding="utf-8")
    assert page.count("data:image/png;base64,") == 5
    assert "Cell lines by several protocols" in page
    record = json.loads((lines_run.out / "run.json").read_text(encoding="utf-8"))
    assert [step["name"] for step in record["steps"]] == ["quality", "variable_genes", "components", "cube", "bulk"]
    assert record["cells"] == 1103


def test_run__keeps_good_cells_only(lines_run, mixology):
    keep = lines_run.results["quality"]["cell_keep"].to_series()
    for name, source in mixology.sources.items():
        counts = source.X.toarray()
        spiked = source.var_names.str.startswith("ERCC-")
        good = ((counts > 0).sum(axis=1) >= 3000) & (counts[:, spiked].sum(axis=1) <= 0.05 * counts.sum(axis=1))
        own = keep[[f"{name}:{barcode}" for barcode in source.obs_names]]
        np.testing.assert_array_equal(own, good)
    assert 0.8 < keep.mean() < 1
    assert lines_run.results["components"].sizes["cell"] == keep.sum()


def test_run__brings_lines_of_all_protocols_together(lines_run):
    # With the plates regressed out, a cell's nearest cell of another plate is of its own line: so for all 601 singlets of the
    # three lines that every plate has.
    components = lines_run.results["components"]
    obs = open_cells(lines_run.store).obs.loc[components["cell"].to_numpy()]
    chosen = ((obs["droplet"] == "SNG") & obs["cell_line"].isin(["H1975", "H2228", "HCC827"])).to_numpy()
    scores = components["pca_scores"].values[chosen]
    line, plate = obs["cell_line"].astype(str).to_numpy()[chosen], obs["sample"].astype(str).to_numpy()[chosen]
    distances = ((scores[:, None, :] - scores[None, :, :]) ** 2).sum(axis=2)
    distances[plate[:, None] == plate[None, :]] = np.inf
    assert np.mean(line[distances.argmin(axis=1)] == line) > 0.99


def test_run__counts_lines_and_genes_as_pandas_does(lines_run, mixology):
    cube, keep = lines_run.results["cube"].load(), lines_run.results["quality"]["cell_keep"].to_series()
    assert cube["protocol"].values.tolist() == ["celseq2", "celseq2", "celseq2", "dropseq"]
    for name, source in mixology.sources.items():
        kept = keep[[f"{name}:{barcode}" for barcode in source.obs_names]].to_numpy()
        lines = source.obs["cell_line_demuxlet"].astype(str).to_numpy()[kept]
        sums = pd.DataFrame(source.X.toarray()[kept], columns=source.var_names).groupby(lines).sum()
        ours = cube["cube_count_sum"].sel(sample=name, gene=source.var_names.to_numpy())
        np.testing.assert_array_equal(ours.sel(state=sums.index.to_numpy()), sums)
        assert int(cube["cube_count_sum"].sel(sample=name).sum()) == int(sums.to_numpy().sum())


def test_run__does_nothing_twice(chemores, lines_run, capsys):
    arguments = ["run", lines_run.folder, "--store", lines_run.store]
    assert chemores(*arguments, "--out", lines_run.folder / "again") == 0
    assert "0 steps ran, 5 were done before" in capsys.readouterr().out
    assert chemores(*arguments, "--dry-run") == 0
    assert "0 of 5 steps would run" in capsys.readouterr().out


def test_run__tells_outcome_of_patients_with_follow_up(chemores, cohorts, tmp_path):
    store = tmp_path / "cohort.zarr"
    clinical, expression = cohorts / "GRIN2_TALL_clin.csv.gz", cohorts / "GRIN2_TALL_expr_417x264.csv.gz"
    meaning = ["--duration", "efs.time", "--event", "efs.censor", "--required", "efs.time"]
    assert chemores("ingest-patients", clinical, store, "--cohort", "tall", "--expression", expression, *meaning) == 0
    (tmp_path / "pipeline.toml").write_text(LEUKEMIA)
    assert chemores("run", tmp_path, "--store", store, "--out", tmp_path / "out") == 0
    table = pd.read_csv(clinical).dropna(subset=["efs.time"])
    table = table[table["ID"] != "PATGXS"]
    found = pd.read_csv(tmp_path / "out" / "tables" / "curves.group.tsv", sep="\t", index_col=0)
    assert found["km_patients"].tolist() == table.groupby("MRD.binary").size().tolist() == [192, 69]
    model = pd.read_csv(tmp_path / "out" / "tables" / "model.term.tsv", sep="\t", index_col=0)
    columns = ["efs.time", "efs.censor", "MRD29", "WBC"]
    fitter = CoxPHFitter().fit(table[columns].astype(float), "efs.time", "efs.censor")
    np.testing.assert_allclose(model["cox_model_coefficient"], fitter.params_, rtol=1e-4)
    scan = pd.read_csv(tmp_path / "out" / "tables" / "scan.gene.tsv", sep="\t", index_col=0)
    assert len(scan) == 417
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert page.count("data:image/png;base64,") == 3
    assert scan["cox_p_value"].idxmin() in page


def test_run__says_that_a_cohort_has_patients_without_follow_up(chemores, cohorts, capsys, tmp_path):
    store = tmp_path / "cohort.zarr"
    meaning = ["--cohort", "tall", "--duration", "efs.time", "--event", "efs.censor"]
    meaning += ["--expression", cohorts / "GRIN2_TALL_expr_417x264.csv.gz"]
    assert chemores("ingest-patients", cohorts / "GRIN2_TALL_clin.csv.gz", store, *meaning) == 0
    (tmp_path / "pipeline.toml").write_text(LEUKEMIA)
    assert chemores("run", tmp_path, "--store", store, "--out", tmp_path / "out") == 1
    said = capsys.readouterr().err
    assert "The step 'curves' (kaplan_meier of patients/tall) failed" in said
    assert "PATCDZ" in said
    assert "--required efs.time" in said


def test_run__says_that_a_panel_of_genes_lacks_those_of_a_score(chemores, glioblastoma, cohorts, capsys, tmp_path):
    store = Path(shutil.copytree(glioblastoma.store, tmp_path / "cohort.zarr"))
    pipeline = Path(__file__).resolve().parents[2] / "pipelines" / "tall_relapse"
    assert chemores("run", pipeline, "--store", store, "--out", tmp_path / "out") == 1
    said = capsys.readouterr().err
    assert "Step 'bulk_score' reads 'patients/bulk', which must be in the store" in said
    assert "chemores ingest-patients" in said
    # The pipeline calls the outcome time and event.
    clinical = pd.read_csv(cohorts / "GRIN2_TALL_clin.csv.gz").rename(
        columns={"efs.time": "time", "efs.censor": "event"}
    )
    clinical["response"] = "Unknown"
    clinical.to_csv(tmp_path / "clinical.csv", index=False)
    meaning = ["--cohort", "bulk", "--duration", "time", "--event", "event", "--required", "time"]
    meaning += ["--expression", cohorts / "GRIN2_TALL_expr_417x264.csv.gz"]
    assert chemores("ingest-patients", tmp_path / "clinical.csv", store, *meaning) == 0
    assert chemores("run", pipeline, "--store", store, "--out", tmp_path / "out") == 1
    said = capsys.readouterr().err
    assert "The step 'cycle' (cell_cycle of normalized) failed" in said
    assert "At least 50% of the genes of 'S' must be in the data. Found" in said
    assert not (tmp_path / "out" / "report.html").exists()


def test_info__tells_what_a_real_store_holds(chemores, glioblastoma, capsys):
    assert chemores("info", glioblastoma.store) == 0
    said = capsys.readouterr().out
    stored = anndata.read_zarr(glioblastoma.store / "cells")
    assert "5,000 cells of 300 genes in 10 samples of 5 patients" in said
    assert f"{stored.X.nnz:,} counts above zero" in said
