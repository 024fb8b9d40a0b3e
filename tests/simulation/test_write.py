"""A whole simulated cohort."""

from __future__ import annotations

import dataclasses
import gzip
import json

import numpy as np
import pandas as pd
import pytest
import scanpy as sc

from chemores_dask.errors import InputError, ParameterError
from chemores_dask.simulation.design import SimulationDesign
from chemores_dask.simulation.paired_patients import planned_samples
from chemores_dask.simulation.write import cell_source, simulate

TINY = SimulationDesign.tiny()
SEED = 7


def contents(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()
    }


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    return simulate(tmp_path_factory.mktemp("cohort"), design=TINY, seed=SEED)


def test_simulate__writes_what_a_laboratory_holds(cohort):
    sheet = pd.read_csv(cohort / "samples.csv")
    assert list(sheet.columns) == ["sample", "path", "patient", "stage", "batch", "subtype"]
    assert all((cohort / path).exists() for path in sheet["path"])
    names = {path.name for path in cohort.iterdir()} - set(sheet["path"])
    assert names == {"samples.csv", "clinical.tsv", "bulk_expression.tsv.gz", "gene_sets.gmt", "truth"}
    truth = {path.name for path in (cohort / "truth").iterdir()}
    assert truth == {"simulation.json", "truth.json", "claims.toml", "cells.tsv.gz", "bulk.tsv"}


def test_simulate__cells_are_read_by_scanpy_and_equal_the_drawn_ones(cohort):
    source = cell_source(TINY, seed=SEED)
    truth = pd.read_csv(cohort / "truth" / "cells.tsv.gz", sep="\t")
    for sample in planned_samples(TINY, seed=SEED):
        path = cohort / sample.path
        adata = sc.read_10x_h5(path) if path.suffix == ".h5" else sc.read_10x_mtx(path)
        drawn = np.vstack([block.toarray() for block in source.counts(sample)])
        np.testing.assert_array_equal(adata.X.toarray(), drawn)
        assert adata.obs_names.tolist() == truth.loc[truth["sample"] == sample.name, "barcode"].tolist()


def test_simulate__truth_agrees_with_its_cells(cohort):
    truth = json.loads((cohort / "truth" / "truth.json").read_text())
    cells = pd.read_csv(cohort / "truth" / "cells.tsv.gz", sep="\t")
    kept = cells[cells["damaged"] == 0]
    for record in truth["samples"]:
        of_sample = kept[kept["sample"] == record["name"]]
        assert record["stem_share_of_all_realized"] == pytest.approx((of_sample["state"] == "stem_like").mean())
        assert record["malignant_share_realized"] == pytest.approx(of_sample["malignant"].mean())
    assert truth["design"]["patients"] == 3
    assert truth["seed"] == SEED


def test_simulate__module_separates_states(cohort):
    cells = pd.read_csv(cohort / "truth" / "cells.tsv.gz", sep="\t")
    gene_sets = {
        line.split("\t")[0]: line.split("\t")[2:] for line in (cohort / "gene_sets.gmt").read_text().splitlines()
    }
    scores = []
    for path in pd.read_csv(cohort / "samples.csv")["path"]:
        adata = sc.read_10x_h5(cohort / path) if path.endswith(".h5") else sc.read_10x_mtx(cohort / path)
        logs = np.log1p(adata.X.toarray() / adata.X.sum(axis=1).reshape(-1, 1) * 1e4)
        scores.append(np.asarray(logs)[:, adata.var_names.isin(gene_sets["stemness"])].mean(axis=1))
    scores = np.concatenate(scores)
    stem_like, whole = cells["state"] == "stem_like", cells["damaged"] == 0
    lowest, highest = np.quantile(scores[stem_like & whole], 0.1), np.quantile(scores[~stem_like & whole], 0.95)
    assert lowest > highest


def test_simulate__bulk_cohort_is_complete(cohort):
    clinical = pd.read_csv(cohort / "clinical.tsv", sep="\t")
    expression = pd.read_csv(cohort / "bulk_expression.tsv.gz", sep="\t", index_col="gene")
    assert expression.columns.tolist() == clinical["patient"].tolist()
    assert expression.shape == (600, 80)
    assert set(clinical["response"]) == {"M1", "M2", "M3"}
    assert not expression.isna().any().any()


def test_simulate__same_seed_same_bytes(cohort, tmp_path):
    again = simulate(tmp_path / "again", design=TINY, seed=SEED)
    assert contents(again) == contents(cohort)
    other = simulate(tmp_path / "other", design=TINY, seed=SEED + 1)
    assert contents(other)["truth/cells.tsv.gz"] != contents(cohort)["truth/cells.tsv.gz"]


def test_simulate__replaces_an_earlier_simulation(tmp_path):
    folder = simulate(tmp_path / "cohort", design=dataclasses.replace(TINY, patients=2), seed=1)
    (folder / "truth" / "truth.json").unlink()
    simulate(folder, design=dataclasses.replace(TINY, patients=1, before="pre", after="post"), seed=1)
    fresh = simulate(
        tmp_path / "fresh", design=dataclasses.replace(TINY, patients=1, before="pre", after="post"), seed=1
    )
    assert contents(folder) == contents(fresh)


def test_simulate__refuses_a_folder_with_other_things(tmp_path):
    (tmp_path / "thesis.docx").write_text("years of work")
    with pytest.raises(InputError, match=r"thesis\.docx"):
        simulate(tmp_path, design=TINY, seed=1)
    assert contents(tmp_path) == {"thesis.docx": b"years of work"}


def test_simulate__keeps_other_things_beside_an_earlier_simulation(tmp_path):
    simulate(tmp_path, design=TINY, seed=1)
    (tmp_path / "notes.txt").write_text("mine")
    simulate(tmp_path, design=TINY, seed=2)
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_simulate__removes_nothing_outside_the_folder(tmp_path):
    folder = simulate(tmp_path / "cohort", design=TINY, seed=1)
    (tmp_path / "precious").write_text("keep")
    mark = folder / "truth" / "simulation.json"
    mark.write_text(json.dumps({"simulation": 1, "paths": ["../precious", str(tmp_path / "precious")]}))
    simulate(folder, design=TINY, seed=1)
    assert (tmp_path / "precious").read_text() == "keep"


def test_simulate__refuses_a_file_in_place_of_a_folder(tmp_path):
    (tmp_path / "cohort").write_text("a file")
    with pytest.raises(InputError, match="is a file"):
        simulate(tmp_path / "cohort", design=TINY, seed=1)


@pytest.mark.parametrize("seed", [1.5, "7", True])
def test_simulate__refuses_seeds_that_are_not_whole(tmp_path, seed):
    with pytest.raises(ParameterError, match="seed"):
        simulate(tmp_path / "cohort", design=TINY, seed=seed)


@pytest.mark.parametrize("change", [{"genes": 100}, {"bulk_genes": 100}, {"bulk_genes": 601}])
def test_simulate__refuses_too_few_genes_before_it_writes(tmp_path, change):
    with pytest.raises(ParameterError, match="genes"):
        simulate(tmp_path / "cohort", design=dataclasses.replace(TINY, **change), seed=1)
    assert not (tmp_path / "cohort").exists()


def test_simulate__reports_every_cell_once(tmp_path):
    seen = []
    simulate(tmp_path, design=TINY, seed=1, progress=lambda done, expected: seen.append((done, expected)))
    assert [done for done, _ in seen] == sorted({done for done, _ in seen})
    assert seen[-1] == (TINY.cells, TINY.cells)


def test_simulate__in_null_mode_writes_a_cohort(tmp_path):
    simulate(tmp_path, design=TINY.null(), seed=1)
    truth = json.loads((tmp_path / "truth" / "truth.json").read_text())
    assert truth["null"] is True
    assert b"survival_model" in (tmp_path / "truth" / "claims.toml").read_bytes()


@pytest.mark.parametrize("formats", ["mtx", "h5"])
def test_simulate__writes_the_chosen_format(tmp_path, formats):
    simulate(tmp_path, design=dataclasses.replace(TINY, formats=formats, patients=1), seed=1)
    paths = pd.read_csv(tmp_path / "samples.csv")["path"]
    assert paths.str.endswith(".h5").tolist() == [formats == "h5"] * 2


def test_simulate__gives_the_same_cells_in_either_format(tmp_path):
    for formats in ("mtx", "h5"):
        simulate(tmp_path / formats, design=dataclasses.replace(TINY, formats=formats, patients=1), seed=1)
    first = sc.read_10x_mtx(tmp_path / "mtx" / "P01_relapse")
    second = sc.read_10x_h5(tmp_path / "h5" / "P01_relapse.h5")
    np.testing.assert_array_equal(first.X.toarray(), second.X.toarray())
    first_cells, second_cells = (
        gzip.decompress((tmp_path / formats / "truth" / "cells.tsv.gz").read_bytes()) for formats in ("mtx", "h5")
    )
    assert first_cells == second_cells
