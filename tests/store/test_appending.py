from __future__ import annotations

import numpy as np
import pytest

from chemores_dask.errors import StoreError, StoreNotFoundError
from chemores_dask.store import ledger, revision
from chemores_dask.store.appending import EARLIER_KEY, close_append, open_append
from chemores_dask.store.cells import open_cells
from chemores_dask.store.patients import write_patients
from chemores_dask.testing.nouns import tiny_patients
from tests.store.sources import all_counts, file_digests, make_blocks, write_stream

BLOCKS = make_blocks(samples=4)
NAMES = list(BLOCKS)


@pytest.fixture
def store(tmp_path):
    return write_stream(tmp_path / "c.zarr", {name: BLOCKS[name] for name in NAMES[:2]})


def write_rest(writer):
    with writer:
        for name in NAMES[2:]:
            if name not in writer.finished_sources:
                for counts, obs in BLOCKS[name]:
                    writer.append(counts, obs)
                writer.finish_source(name, {"blocks": 2})
        writer.close()


def test_open_append__goes_on_behind_the_last_cell(store, tmp_path):
    before = file_digests(store)
    writer = open_append(store, {"what": "rest"})
    assert writer.cells == 36
    assert list(writer.finished_sources) == [EARLIER_KEY]
    write_rest(writer)
    assert {name: digest for name, digest in file_digests(store).items() if not name.startswith("revision/")} == before
    assert close_append(store, counted={"cells": 36}, report={}, command="") == 0
    whole = write_stream(tmp_path / "whole.zarr", BLOCKS)
    left, right = file_digests(store), file_digests(whole)
    assert left.pop("zarr.json") != right.pop("zarr.json")
    assert left == right
    assert [entry.key for entry in ledger.read_kept_sources(store)] == NAMES


def test_open_append__resumes_and_tells_when_all_is_written(store):
    plan = {"what": "rest"}
    with open_append(store, plan) as writer:
        for counts, obs in BLOCKS["s2"]:
            writer.append(counts, obs)
        writer.finish_source("s2", {"blocks": 2})
    again = open_append(store, plan)
    assert list(again.finished_sources) == [EARLIER_KEY, "s2"]
    write_rest(again)
    assert open_append(store, plan) is None
    close_append(store, counted={}, report={}, command="")
    np.testing.assert_array_equal(open_cells(store).X.compute().toarray(), all_counts(BLOCKS))


def test_open_append__starts_anew_for_another_plan_or_other_cells(store):
    with open_append(store, {"what": "a"}) as writer:
        writer.append(*BLOCKS["s2"][0])
        writer.finish_source("s2", {})
    with open_append(store, {"what": "b"}) as writer:
        assert list(writer.finished_sources) == [EARLIER_KEY]


def test_open_append__refuses_what_it_cannot_append_to(store, tmp_path):
    write_patients(tiny_patients(), tmp_path / "p.zarr", cohort="a")
    with pytest.raises(StoreNotFoundError, match="must hold cells"):
        open_append(tmp_path / "p.zarr", {})
    revision.begin(store, {"kind": "withdrawal", "patients": ["p1"]})
    with pytest.raises(StoreError, match="comes before an append"):
        open_append(store, {})
