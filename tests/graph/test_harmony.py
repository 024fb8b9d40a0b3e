"""Harmony: planted batches, harmonypy, any number of workers, and inputs that cannot be."""

from __future__ import annotations

import gc
import json
import logging

import dask
import dask.array as da
import harmonypy
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from distributed import Client, LocalCluster

from chemores_dask.errors import (
    AliasedBatchWarning,
    BlockTooLargeError,
    ConvergenceWarning,
    InputError,
    MissingVariableError,
    ParameterError,
)
from chemores_dask.graph import harmony as room
from chemores_dask.graph.harmony import harmony
from chemores_dask.graph.harmony_settings import HarmonySettings
from chemores_dask.memory import memory_budget
from chemores_dask.stream.staging import staging_folder

CELLS, COMPONENTS = 3000, 12


def planted(cells=CELLS, *, batches=3, kinds=5, seed=0, shift=1.0):
    """Kinds of cells in unequal shares, shifted batches, one kind rare in most of them; two stages in every batch."""
    generator = np.random.default_rng(seed)
    kind = generator.choice(kinds, cells, p=np.arange(kinds, 0, -1) / np.arange(kinds, 0, -1).sum())
    batch = generator.integers(0, batches, cells)
    batch = np.where((kind == 2) & (generator.random(cells) < 0.7), 0, batch)
    scores = (
        generator.normal(0, 3, (kinds, COMPONENTS))[kind]
        + shift * generator.normal(0, 1, (batches, COMPONENTS))[batch]
        + generator.normal(0, 1, (cells, COMPONENTS))
    )
    return xr.Dataset(
        {
            "scores": (("cell", "component"), scores),
            "batch": ("cell", np.array([f"B{number}" for number in batch], dtype=object)),
            "kind": ("cell", kind),
            "stage": ("cell", generator.integers(0, 2, cells)),
        }
    )


def by_harmonypy(cells, columns=("batch",), **settings):
    logging.getLogger("harmonypy").setLevel(logging.ERROR)
    table = pd.DataFrame({name: cells[name].values.astype(str) for name in columns})
    return harmonypy.run_harmony(cells["scores"].values, table, list(columns), verbose=False, **settings)


def largest_difference(first, second, cells):
    """Of the root mean square, in units of how far cells were moved."""
    moved = np.sqrt(((second - cells["scores"].values) ** 2).mean())
    return np.sqrt(((first - second) ** 2).mean()) / moved


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_harmony__equals_harmonypy(seed):
    cells = planted(seed=seed)
    found = harmony(cells, batch="batch", seed=1)["harmony_scores"].values
    theirs, other = by_harmonypy(cells), by_harmonypy(cells, random_state=7)
    assert largest_difference(found, theirs.Z_corr, cells) < 0.01
    assert largest_difference(other.Z_corr, theirs.Z_corr, cells) < 0.01
    for component in range(COMPONENTS):
        assert np.corrcoef(found[:, component], theirs.Z_corr[:, component])[0, 1] > 0.999


def test_harmony__equals_harmonypy_with_two_variables_and_a_fixed_ridge():
    cells = planted(seed=3).assign(chemistry=("cell", np.random.default_rng(4).integers(0, 2, CELLS)))
    shifted = cells["scores"] + 1.5 * (cells["chemistry"] == 1)
    cells = cells.assign(scores=shifted.transpose("cell", "component"))
    settings = HarmonySettings(ridge=1.0)
    found = harmony(cells, batch=["batch", "chemistry"], theta=[2.0, 1.0], settings=settings, seed=1)
    theirs, other = (
        by_harmonypy(cells, ("batch", "chemistry"), theta=[2.0, 1.0], lamb=1.0, random_state=seed) for seed in (0, 7)
    )
    # A fixed ridge lets the few cells of a batch in a foreign cluster count, and so the first clusters: its own seeds differ as much.
    assert 0.01 < largest_difference(other.Z_corr, theirs.Z_corr, cells) < 0.06
    assert largest_difference(found["harmony_scores"].values, theirs.Z_corr, cells) < 0.06


def test_harmony__mixes_batches_and_keeps_kinds_apart():
    cells = planted()
    found = harmony(cells, batch="batch", stage="kind", seed=1)
    before, after, expected = (found[f"harmony_mixing_{when}"].values for when in ("before", "after", "expected"))
    assert found["column"].values.tolist() == ["batch", "kind"]
    assert before[0] < 1.3
    assert 2.0 < after[0] < expected[0]
    assert after[1] < 1.05
    assert found["harmony_batches"].values.tolist() == [3, 5]
    assert found["harmony_converged"].item()
    assert found["harmony_clusters"].item() == 100
    objective = found["harmony_objective"].values
    assert (objective > 0).all()
    assert objective[-1] < objective[1] < objective[0]
    assert found["harmony_mixing_cells"].item() == CELLS


def test_harmony__expects_the_mixing_of_cells_in_random_order():
    generator = np.random.default_rng(4)
    cells = xr.Dataset(
        {
            "scores": (("cell", "component"), generator.normal(size=(900, 4))),
            "batch": ("cell", generator.integers(0, 20, 900)),
        }
    )
    found = harmony(cells, batch="batch", clusters=3, settings=HarmonySettings(iterations=2, tolerance=1.0), seed=1)
    expected = found["harmony_mixing_expected"].item()
    assert found["harmony_mixing_before"].item() == pytest.approx(expected, rel=0.05)
    # Thirty cells around a cell do not hold all of twenty batches alike.
    assert 6 < expected < 12


def test_harmony__says_how_much_of_the_stage_batches_hold():
    cells = planted()
    shares = harmony(cells, batch="batch", stage="stage", seed=1)["harmony_stage_share"]
    assert shares.sel(column="stage").item() == 1.0
    assert shares.sel(column="batch").item() < 0.01
    assert "harmony_stage_share" not in harmony(cells, batch="batch", seed=1)


def test_harmony__warns_of_a_batch_that_is_the_stage_in_other_words():
    cells = planted().assign(site=lambda found: ("cell", np.where(found["stage"].values == 1, "north", "south")))
    with pytest.warns(AliasedBatchWarning, match="site holds 100 % of 'stage'"):
        found = harmony(cells, batch="site", stage="stage", seed=1)
    assert found["harmony_stage_share"].values.tolist() == [1.0, 1.0]


def test_harmony__refuses_the_stage_as_a_batch():
    with pytest.raises(ParameterError, match="'stage' is both a batch variable and the stage"):
        harmony(planted(50), batch=["batch", "stage"], stage="stage", seed=1)


def test_harmony__takes_lazy_embeddings_in_any_blocks():
    cells = planted()
    wanted = harmony(cells, batch="batch", seed=1)
    lazy = cells.assign(scores=(("cell", "component"), da.from_array(cells["scores"].values, chunks=(700, 5))))
    found = harmony(lazy, batch="batch", seed=1)
    assert isinstance(found["harmony_scores"].data, da.Array)
    assert found.load().equals(wanted.load())


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_harmony__has_the_same_bits_for_any_number_of_workers(monkeypatch, workers):
    monkeypatch.setattr(room, "FEWEST_ROWS", 64)
    cells = planted(1000)
    with dask.config.set(scheduler="synchronous"):
        wanted = harmony(cells, batch="batch", seed=2).load()
    with dask.config.set(scheduler="threads", num_workers=workers):
        lazy = harmony(cells, batch="batch", seed=2)
        assert lazy["harmony_scores"].data.numblocks == (8, 1)
        found = lazy.load()
    for name in wanted.data_vars:
        assert found[name].values.tobytes() == wanted[name].values.tobytes(), name


@pytest.mark.slow
@pytest.mark.cluster
@pytest.mark.filterwarnings("ignore")
def test_harmony__has_the_same_bits_on_processes(monkeypatch, tmp_path):
    monkeypatch.setattr(room, "FEWEST_ROWS", 64)
    cells = planted(1000)
    wanted = harmony(cells, batch="batch", seed=2).load()
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None) as cluster,
        Client(cluster),
        staging_folder(tmp_path),
    ):
        found = harmony(cells, batch="batch", seed=2).load()
    for name in wanted.data_vars:
        assert found[name].values.tobytes() == wanted[name].values.tobytes(), name


def test_harmony__hardly_depends_on_blocks(monkeypatch):
    cells = planted()
    whole = harmony(cells, batch="batch", seed=2)["harmony_scores"].values
    monkeypatch.setattr(room, "FEWEST_ROWS", 100)
    cut = harmony(cells, batch="batch", seed=2)["harmony_scores"].values
    assert largest_difference(cut, whole, cells) < 1e-3


def test_harmony__is_the_same_for_the_same_seed_only():
    cells = planted(600)
    first, again, other = (harmony(cells, batch="batch", seed=seed)["harmony_scores"].values for seed in (1, 1, 2))
    assert first.tobytes() == again.tobytes() != other.tobytes()


def test_harmony__keeps_names_and_parameters():
    names = np.array([f"cell{number}" for number in range(300)], dtype=object)
    cells = planted(300).assign_coords(cell=names, component=np.arange(1, COMPONENTS + 1))
    found = harmony(cells, batch="batch", seed=1)
    assert found["harmony_scores"]["cell"].values.tolist() == names.tolist()
    assert found["component"].values.tolist() == list(range(1, COMPONENTS + 1))
    parameters = json.loads(found.attrs["parameters"])
    assert parameters["clusters"] == 10
    assert parameters["settings"]["sigma"] == 0.1


def test_harmony__leaves_files_to_the_caller_only_in_a_folder_of_his(tmp_path):
    with dask.config.set({"temporary-directory": str(tmp_path)}):
        found = harmony(planted(300), batch="batch", seed=1)
        assert len(list(tmp_path.iterdir())) == 1
        del found
        gc.collect()
        assert not list(tmp_path.iterdir())
    with staging_folder(tmp_path / "mine"):
        found = harmony(planted(300), batch="batch", seed=1)
        wanted = found["harmony_scores"].values
        again = harmony(planted(300), batch="batch", seed=1)
    np.testing.assert_array_equal(found["harmony_scores"].values, wanted)
    assert again["harmony_scores"].data.name == found["harmony_scores"].data.name
    assert len(list((tmp_path / "mine").iterdir())) == 1


def test_harmony__of_one_batch_is_the_embedding():
    cells = planted(200).assign(batch=("cell", np.full(200, "all", dtype=object)))
    found = harmony(cells, batch="batch", seed=1)
    np.testing.assert_array_equal(found["harmony_scores"].values, cells["scores"].values.astype(np.float32))
    assert found["harmony_converged"].item()
    assert found["harmony_rounds"].values.tolist() == [0]
    assert found["harmony_mixing_before"].values == found["harmony_mixing_after"].values == [1.0]


def test_harmony__moves_a_batch_of_one_cell_among_the_others():
    cells = planted(600, shift=0.0)
    batch = np.where(np.arange(600) == 17, "alone", "others").astype(object)
    scores = cells["scores"].values.copy()
    scores[17] += 2.0
    found = harmony(cells.assign(scores=(("cell", "component"), scores), batch=("cell", batch)), batch="batch", seed=1)
    corrected = found["harmony_scores"].values
    assert np.isfinite(corrected).all()
    kind = cells["kind"].values == cells["kind"].values[17]
    center = scores[kind].mean(axis=0)
    assert np.linalg.norm(corrected[17] - center) < np.linalg.norm(scores[17] - center)
    others = np.arange(600) != 17
    assert np.abs(corrected - scores)[others].max() < 0.2


def test_harmony__leaves_constant_components_and_cells_at_zero():
    cells = planted(400)
    scores = cells["scores"].values.copy()
    scores[:, 3] = 4.0
    scores[:5, :] = 0.0
    scores[5:, 3] = 4.0
    found = harmony(cells.assign(scores=(("cell", "component"), scores)), batch="batch", seed=1)
    corrected = found["harmony_scores"].values
    assert np.isfinite(corrected).all()
    constant = planted(400).assign(scores=(("cell", "component"), np.hstack([scores[:, :3], np.full((400, 1), 4.0)])))
    again = harmony(constant, batch="batch", seed=1)["harmony_scores"].values
    np.testing.assert_allclose(again[:, 3], 4.0, rtol=1e-4)


def test_harmony__bears_points_that_are_all_the_same():
    cells = planted(100).assign(scores=(("cell", "component"), np.ones((100, 2))))
    found = harmony(
        cells.drop_dims("component").assign(scores=(("cell", "component"), np.ones((100, 2)))), batch="batch", seed=1
    )
    np.testing.assert_allclose(found["harmony_scores"].values, 1.0, rtol=1e-5)


@pytest.mark.parametrize("cells", [1, 2, 5, 31])
def test_harmony__bears_few_cells(cells):
    found = harmony(planted(cells), batch="batch", seed=1)
    assert found["harmony_scores"].values.shape == (cells, COMPONENTS)
    assert np.isfinite(found["harmony_scores"].values).all()
    assert found["harmony_clusters"].item() == 1


def test_harmony__bears_as_many_clusters_as_cells():
    found = harmony(planted(20), batch="batch", clusters=20, seed=1)
    assert np.isfinite(found["harmony_scores"].values).all()
    with pytest.raises(ParameterError, match=r"must not exceed the number of cells\. Got 21 for 20 cells"):
        harmony(planted(20), batch="batch", clusters=21, seed=1)


def test_harmony__is_held_to_the_budget_of_memory():
    with memory_budget("1MB"), pytest.raises(BlockTooLargeError, match="harmony must fit into the budget of memory"):
        harmony(planted(100), batch="batch", seed=1)
    with memory_budget("100GB") as budget:
        harmony(planted(100), batch="batch", seed=1)
    assert budget.promised_bytes > 0


def test_harmony__warns_where_the_objective_still_falls():
    with pytest.warns(ConvergenceWarning, match="iteration 1; allow more iterations"):
        found = harmony(planted(500), batch="batch", settings=HarmonySettings(iterations=1), seed=1)
    assert not found["harmony_converged"].item()


def test_harmony__with_strength_zero_still_moves_batches():
    cells = planted()
    found = harmony(cells, batch="batch", theta=0.0, seed=1)
    assert found["harmony_mixing_after"].item() > found["harmony_mixing_before"].item()


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e300])
def test_harmony__refuses_numbers_that_are_not_finite(value):
    cells = planted(50)
    scores = cells["scores"].values.copy()
    scores[7, 2] = value
    with (
        np.errstate(over="ignore"),
        pytest.raises(InputError, match=r"An embedding must hold finite numbers\. 1 of 50 cells"),
    ):
        harmony(cells.assign(scores=(("cell", "component"), scores)), batch="batch", seed=1)


@pytest.mark.parametrize(
    ("change", "parameters", "error", "message"),
    [
        (lambda cells: cells, {"batch": "plate"}, MissingVariableError, "'plate' over"),
        (lambda cells: cells, {"batch": "batch", "stage": "phase"}, MissingVariableError, "'phase' over"),
        (lambda cells: cells, {"batch": []}, ParameterError, "must name batch variables"),
        (lambda cells: cells, {"batch": ["batch", "batch"]}, ParameterError, "each once"),
        (lambda cells: cells, {"batch": "batch", "clusters": 0}, ParameterError, "'clusters' parameter"),
        (lambda cells: cells, {"batch": "batch", "theta": -1.0}, ParameterError, "'theta' parameter"),
        (lambda cells: cells, {"batch": "batch", "seed": 1.5}, ParameterError, "'seed' parameter of harmony"),
        (lambda cells: cells, {"batch": "batch", "seed": None}, ParameterError, "'seed' parameter of harmony"),
        (lambda cells: cells["scores"], {"batch": "batch"}, InputError, "needs a Dataset with an embedding"),
        (lambda cells: cells.isel(cell=slice(0)), {"batch": "batch"}, InputError, "harmony needs cells"),
        (
            lambda cells: cells.assign(batch=cells["batch"].where(cells["kind"] != 0)),
            {"batch": "batch"},
            InputError,
            "Every cell must have a value in the column 'batch'",
        ),
    ],
)
def test_harmony__refuses_what_cannot_be(change, parameters, error, message):
    with pytest.raises(error, match=message):
        harmony(change(planted(60)), **{"seed": 1, **parameters})
