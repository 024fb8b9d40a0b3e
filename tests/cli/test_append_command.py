from __future__ import annotations

import pandas as pd

from chemores_dask.store.cells import open_cells
from tests.store.sources import file_digests


def test_append__brings_the_rest_of_the_samples(chemores, files, capsys, tmp_path):
    sheet = pd.read_csv(files / "samples.csv")
    sheet["path"] = [str(files / path) for path in sheet["path"]]
    first, rest = tmp_path / "first.csv", tmp_path / "rest.csv"
    sheet[:4].to_csv(first, index=False)
    sheet[4:].to_csv(rest, index=False)
    store = tmp_path / "s.zarr"
    assert chemores("ingest", first, store) == 0
    before = open_cells(store).n_obs
    capsys.readouterr()
    assert chemores("append", store, rest) == 0
    shown = capsys.readouterr().out
    assert f"360 cells in the store, {before} of them before" in shown
    assert "results are out of date" in shown
    assert open_cells(store).n_obs == 360
    assert chemores("append", store, rest) == 0
    assert "nothing was written" in capsys.readouterr().out


def test_append__refuses_samples_that_are_there(chemores, files, store, capsys, tmp_path):
    sheet = pd.read_csv(files / "samples.csv")
    sheet["path"] = [str(files / path) for path in sheet["path"]]
    sheet.assign(center="elsewhere").to_csv(tmp_path / "again.csv", index=False)
    before = file_digests(store)
    assert chemores("append", store, tmp_path / "again.csv") == 1
    assert "must be new" in capsys.readouterr().err.replace("\n", " ")
    assert file_digests(store) == before
