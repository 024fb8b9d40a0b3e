from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from chemores_dask.errors import StoreNotFoundError
from chemores_dask.store.cells import CellsWriter
from chemores_dask.store.cohort_store import CohortStore, cells_by_sample, folder_bytes, store_facts
from chemores_dask.store.layout import writable_root
from chemores_dask.store.patients import write_patients
from tests.store.sources import all_counts, gene_table, make_blocks, write_stream


def test_cohort_store__has_a_door_for_everything(tmp_path):
    blocks = make_blocks()
    store = CohortStore(write_stream(tmp_path / "c.zarr", blocks))
    write_patients(xr.Dataset({"age": ("patient", [1, 2])}), store.path, cohort="bulk")
    store.keep(xr.Dataset({"n": ((), 3)}), step="count", fingerprint="a", attributes={"seed": 1})
    assert store.cells(columns=["sample"], rows_per_block=7).X.numblocks == (8, 1)
    assert store.patients("bulk").sizes["patient"] == 2
    assert int(store.result(step="count", fingerprint="a")["n"]) == 3
    facts = store.facts()
    assert (facts.cells, facts.genes) == (54, 12)
    assert facts.nonzeros == np.count_nonzero(all_counts(blocks))
    assert facts.density == pytest.approx(facts.nonzeros / (54 * 12))
    assert facts.samples == {"s0": 18, "s1": 18, "s2": 18}
    assert facts.cohorts == ("bulk",)
    assert [entry.step for entry in facts.results] == ["count"]
    assert facts.size_bytes > 1000
    assert len(facts.content) == 16


def test_store_facts__of_an_empty_store_are_zeros(tmp_path):
    facts = store_facts(writable_root(tmp_path / "c.zarr"))
    assert (facts.cells, facts.genes, facts.nonzeros, facts.density, facts.samples) == (0, 0, 0, 0.0, {})
    assert facts.content is None


def test_store_facts__of_unfinished_cells_are_zeros(tmp_path):
    with CellsWriter.open(tmp_path / "c.zarr", gene_table(3)):
        assert store_facts(tmp_path / "c.zarr").cells == 0


def test_store_facts__needs_a_store(tmp_path):
    with pytest.raises(StoreNotFoundError):
        store_facts(tmp_path / "absent")


def test_folder_bytes__adds_up_files(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "b").write_bytes(b"123")
    (tmp_path / "c").write_bytes(b"12")
    assert folder_bytes(tmp_path) == 5


def test_cells_by_sample__passes_over_samples_without_cells():
    samples = pd.Categorical(["b", "a", "b"], categories=["a", "b", "c"])
    assert cells_by_sample(pd.DataFrame({"sample": samples})) == {"a": 1, "b": 2}
    assert cells_by_sample(pd.DataFrame({"patient": samples})) == {}
