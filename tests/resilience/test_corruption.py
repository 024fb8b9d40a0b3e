"""A flipped bit, wherever it falls: found by verify and by whoever reads it, or without effect. Never another number."""

from __future__ import annotations

import os
import random
import shutil
from collections import Counter

import numpy as np
import pytest
import xarray as xr

from chemores_dask.errors import ChemoresError
from chemores_dask.store.cells import open_cells
from chemores_dask.store.cells_parallel import write_cells
from chemores_dask.store.layout import Geometry
from chemores_dask.store.patients import open_patients, write_patients
from chemores_dask.store.results import list_results, open_result, write_result
from chemores_dask.store.store_check import verify_store
from chemores_dask.testing.nouns import tiny_cells, tiny_patients

FLIPS = 120


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    store = tmp_path_factory.mktemp("whole") / "cohort.zarr"
    write_cells(tiny_cells(), store, geometry=Geometry(2**8, 2**10))
    write_patients(tiny_patients(), store, cohort="trial")
    rows = np.random.default_rng(1).random((50, 3))
    result = xr.Dataset(
        {"pca_scores": (("cell", "component"), rows), "cell_state": ("cell", ["stem_like", "other"] * 25)},
        coords={"component": [1, 2, 3]},
        attrs={"analysis": "pca"},
    )
    write_result(result, store, step="components", fingerprint="0123456789ab", attributes={"seed": 3})
    return store


def read_all(store):
    """Every number and label that a step could read, as bytes."""
    found = {}
    cells = open_cells(store, rows_per_block=20)
    counts = cells.X.compute()
    found |= {"data": counts.data.tobytes(), "indices": counts.indices.tobytes(), "indptr": counts.indptr.tobytes()}
    found |= {f"obs {name}": list(map(str, cells.obs[name])) for name in cells.obs}
    found |= {f"var {name}": list(map(str, cells.var[name])) for name in cells.var}
    found |= {"cells": list(cells.obs_names), "genes": list(cells.var_names)}
    datasets = {"trial": open_patients(store, cohort="trial")}
    datasets |= {
        entry.step: open_result(store, step=entry.step, fingerprint=entry.fingerprint)
        for entry in list_results(store)
        if entry.complete
    }
    for name, dataset in datasets.items():
        for variable in dataset.variables:
            found[f"{name} {variable}"] = (dataset[variable].dims, dataset[variable].values.tolist())
    return found


def files_of(store):
    return sorted(file for file in store.rglob("*") if file.is_file())


def test_verify_store__has_nothing_to_say_of_a_whole_store(whole):
    assert verify_store(whole) == []


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_store__gives_no_wrong_number_for_any_flipped_bit(whole, tmp_path):
    wanted = read_all(whole)
    chance = random.Random(11)
    files = [file.relative_to(whole) for file in files_of(whole)]
    outcomes = Counter()
    silent = []
    unseen = []
    for number in range(FLIPS):
        # Every file in turn, so that the small ones are hit too.
        name = files[number * len(files) // FLIPS] if len(files) > FLIPS else files[number % len(files)]
        store = tmp_path / "cohort.zarr"
        shutil.copytree(whole, store, copy_function=os.link)
        content = bytearray((whole / name).read_bytes())
        place = chance.randrange(len(content))
        content[place] ^= 1 << chance.randrange(8)
        (store / name).unlink()
        (store / name).write_bytes(content)
        seen = _outcome(read_all, store, wanted)
        verified = _outcome(lambda store: bool(verify_store(store)), store, False)
        outcomes[seen, verified] += 1
        if seen == "different":
            silent.append((str(name), place))
        if seen == "refused" and verified == "same":
            unseen.append((str(name), place))
        shutil.rmtree(store)
    print(dict(outcomes))
    assert sum(outcomes.values()) == FLIPS
    assert silent == []
    assert unseen == []
    assert sum(number for (seen, _), number in outcomes.items() if seen == "refused") > FLIPS / 2


def _outcome(read, store, wanted):
    try:
        return "same" if read(store) == wanted else "different"
    except (ChemoresError, OSError, KeyError, ValueError, TypeError, UnicodeDecodeError, AttributeError):
        return "refused"


@pytest.mark.parametrize("damage", ["cut", "empty", "lost"])
def test_verify_store__names_the_file_and_the_samples_of_a_shard(whole, tmp_path, damage):
    store = tmp_path / "cohort.zarr"
    shutil.copytree(whole, store)
    file = store / "cells" / "X" / "data" / "c" / "1"
    content = file.read_bytes()
    if damage == "lost":
        file.unlink()
    else:
        file.write_bytes(content[: len(content) // 2] if damage == "cut" else b"")
    (found,) = verify_store(store)
    assert found.file == file
    assert found.samples
    with pytest.raises(ChemoresError, match=r"c/1.*samples"):
        read_all(store)


def test_verify_store__names_damaged_results_and_cohorts(whole, tmp_path):
    store = tmp_path / "cohort.zarr"
    shutil.copytree(whole, store)
    damaged = [
        store / "results" / "components" / "0123456789ab" / "pca_scores" / "c" / "0" / "0",
        store / "patients" / "trial" / "expression" / "zarr.json",
    ]
    for file in damaged:
        content = bytearray(file.read_bytes())
        content[len(content) // 2] ^= 4
        file.write_bytes(content)
    found = verify_store(store)
    assert sorted(each.file.parts[-2] for each in found) == ["0123456789ab", "trial"]
    assert all(each.reason for each in found)
