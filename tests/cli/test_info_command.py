from __future__ import annotations

import xarray as xr

from chemores_dask.store.cells import open_cells
from chemores_dask.store.results import write_result


def test_info__tells_sizes_samples_and_cohorts(chemores, finished_store, capsys):
    assert chemores("info", finished_store) == 0
    shown = capsys.readouterr().out
    assert "360 cells of 600 genes in 6 samples of 3 patients" in shown
    assert "counts above zero" in shown
    assert "on disk" in shown
    assert "P03_relapse" in shown
    assert "cohort bulk: 80 patients" in shown
    assert "0 results" in shown


def test_info__takes_a_store_without_cells(chemores, files, capsys, tmp_path):
    assert chemores("ingest-patients", files / "clinical.tsv", tmp_path / "s.zarr", "--cohort", "a") == 0
    assert chemores("info", tmp_path / "s.zarr") == 0
    assert "no cells" in capsys.readouterr().out


def test_info__tells_how_many_results_are_out_of_date(chemores, store, capsys):
    write_result(xr.Dataset({"a": ("gene", [1.0])}), store, step="first", fingerprint="abc")
    patient = open_cells(store).obs["patient"].cat.categories[0]
    assert chemores("withdraw", store, "--patient", patient) == 0
    capsys.readouterr()
    assert chemores("info", store) == 0
    assert "1 results (1 of them out of date)" in capsys.readouterr().out
