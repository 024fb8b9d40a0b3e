from __future__ import annotations

import anndata
import pytest

from chemores_dask.store.cells import open_cells


@pytest.mark.parametrize("name", ["out.h5ad", "out.zarr"])
def test_export__writes_what_the_store_holds(chemores, finished_store, tmp_path, capsys, name):
    assert chemores("export", finished_store, tmp_path / name) == 0
    assert "Written" in capsys.readouterr().out
    read = anndata.read_h5ad if name.endswith("h5ad") else anndata.read_zarr
    found, kept = read(tmp_path / name), open_cells(finished_store)
    assert (kept.X.compute() != found.X).nnz == 0
    assert found.obs_names.equals(kept.obs_names)


def test_export__takes_several_samples_after_one_option(chemores, finished_store, tmp_path):
    samples = ["P01_diagnosis", "P02_relapse"]
    assert chemores("export", finished_store, tmp_path / "two.h5ad", "--samples", *samples) == 0
    found = anndata.read_h5ad(tmp_path / "two.h5ad")
    assert sorted(found.obs["sample"].unique()) == samples


def test_export__refuses_to_overwrite_unless_asked(chemores, finished_store, tmp_path, capsys):
    target = tmp_path / "out.h5ad"
    target.write_bytes(b"mine")
    assert chemores("export", finished_store, target) == 1
    assert "--overwrite" in capsys.readouterr().err
    assert target.read_bytes() == b"mine"
    assert chemores("export", finished_store, target, "--overwrite", "--compression", "none") == 0
    assert anndata.read_h5ad(target).n_obs


def test_export__offers_the_closest_name_of_an_unknown_sample(chemores, finished_store, tmp_path, capsys):
    assert chemores("export", finished_store, tmp_path / "out.h5ad", "--samples", "P01_diagnosys") == 1
    assert "Did you mean P01_diagnosis" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_export__names_a_result_that_is_not_there(chemores, finished_store, tmp_path, capsys):
    assert chemores("export", finished_store, tmp_path / "out.h5ad", "--results", "quality") == 1
    assert "chemores run" in capsys.readouterr().err
