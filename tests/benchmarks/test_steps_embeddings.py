from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

import chemores_dask as cd
from benchmarks.measurement import ABSENT_RETURN_CODE
from benchmarks.one_step import Clock, Place
from benchmarks.steps_embeddings import STEP, graph, graph_at, part, tile
from benchmarks.steps_ours import FINGERPRINT


@pytest.fixture
def folder(tmp_path):
    scores = np.random.default_rng(1).normal(size=(60, 3))
    store = tmp_path / "60" / "cohort.zarr"
    result = xr.Dataset({"pca_scores": (("cell", "component"), scores)}, attrs={"analysis": "pca"})
    cd.write_result(result, store, step=STEP, fingerprint=FINGERPRINT)
    (store / "cells").mkdir()
    for cells in (20, 150):
        (tmp_path / str(cells)).mkdir()
    return tmp_path


def scores_at(folder, cells):
    store = folder / str(cells) / "cohort.zarr"
    return cd.open_result(store, step=STEP, fingerprint=FINGERPRINT)["pca_scores"].values


def test_part__draws_cells_of_a_larger_store(folder):
    part(Place(folder / "20", 20), Clock())
    found = scores_at(folder, 20)
    assert found.shape == (20, 3)
    assert {tuple(row) for row in found} <= {tuple(row) for row in scores_at(folder, 60)}


def test_tile__gives_every_copy_noise_of_its_own(folder):
    tile(Place(folder / "150", 150), Clock())
    found, source = scores_at(folder, 150), scores_at(folder, 60)
    assert found.shape == (150, 3)
    assert len(np.unique(found, axis=0)) == 150
    for first in (0, 60, 120):
        rows = found[first : first + 60]
        np.testing.assert_allclose(rows, source[: len(rows)], atol=0.5)


def test_graph__is_made_once(folder):
    place = Place(folder / "60", 60)
    graph(place, Clock())
    assert graph_at(place).sizes["neighbor"] == 15


def test_steps__say_what_is_missing(tmp_path):
    (tmp_path / "20").mkdir()
    for step in (part, tile, graph):
        with pytest.raises(SystemExit) as ended:
            step(Place(tmp_path / "20", 20), Clock())
        assert ended.value.code == ABSENT_RETURN_CODE
