from __future__ import annotations

from chemores_dask.store.cells import open_cells


def test_ingest__says_what_it_read(chemores, files, capsys, tmp_path):
    assert chemores("ingest", files / "samples.csv", tmp_path / "s.zarr") == 0
    shown = capsys.readouterr().out
    assert "P01_diagnosis" in shown
    assert "360 cells, 600 genes" in shown
    assert open_cells(tmp_path / "s.zarr").n_obs == 360


def test_ingest__names_the_sheet_that_is_not_there(chemores, capsys, tmp_path):
    assert chemores("ingest", tmp_path / "none.csv", tmp_path / "s.zarr") == 1
    assert "none.csv" in capsys.readouterr().err


def test_ingest__leaves_nothing_that_counts_as_done(chemores, capsys, tmp_path):
    (tmp_path / "samples.csv").write_text("sample,path\na,missing_folder\n")
    assert chemores("ingest", tmp_path / "samples.csv", tmp_path / "s.zarr") == 1
    assert "missing_folder" in capsys.readouterr().err
    assert chemores("info", tmp_path / "s.zarr") == 1
