from __future__ import annotations

import json
import shutil

import anndata
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import xarray as xr
import zarr

from chemores_dask.errors import InputError, MissingVariableError, StaleResultWarning, StoreNotFoundError
from chemores_dask.store import ledger, revision
from chemores_dask.store.cells import CellsWriter, open_cells, write_cells
from chemores_dask.store.layout import group_attributes
from chemores_dask.store.patients import list_cohorts, open_patients, write_patients
from chemores_dask.store.result_cuts import Leaving
from chemores_dask.store.results import list_results, open_result, write_result
from chemores_dask.store.table_files import damaged_tables
from chemores_dask.store.verification import verify_cells
from chemores_dask.store.withdrawal import cut_annotation, withdraw_patients
from tests.store.sources import SMALL, all_counts, all_obs, file_digests, gene_table, make_blocks, write_stream

SAMPLES = 8


@pytest.fixture
def blocks():
    return make_blocks(samples=SAMPLES)


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    return write_stream(tmp_path_factory.mktemp("written") / "cohort.zarr", make_blocks(samples=SAMPLES))


@pytest.fixture
def store(tmp_path, written):
    return shutil.copytree(written, tmp_path / "cohort.zarr")


def without(blocks, *patients):
    return {name: parts for name, parts in blocks.items() if parts[0][1]["patient"].iloc[0] not in patients}


def every_text(store):
    """All bytes of all files of a store, and all that zarr decodes from them."""
    raw = b"".join(file.read_bytes() + file.as_posix().encode() for file in store.rglob("*") if file.is_file())
    decoded = []
    for described in store.rglob("zarr.json"):
        if json.loads(described.read_text())["node_type"] == "array":
            values = np.asarray(zarr.open_array(described.parent, mode="r")[...])
            if values.dtype.kind not in "biufc":
                decoded += [str(value) for value in values.ravel()]
    return raw.decode("latin-1") + "\n".join(decoded)


@pytest.mark.parametrize("patients", [("p0",), ("p1",), ("p3",), ("p0", "p3"), ("p0", "p1", "p2")])
def test_withdraw_patients__leaves_what_a_store_without_them_holds(tmp_path, blocks, store, patients):
    report = withdraw_patients(store, patients=patients)
    never = write_stream(tmp_path / "never.zarr", without(blocks, *patients))
    left, right = file_digests(store), file_digests(never)
    assert {name: digest for name, digest in left.items() if name != "zarr.json"} == {
        name: digest for name, digest in right.items() if name != "zarr.json"
    }
    assert report.cells == 36 * len(patients)
    assert report.cells_left == (SAMPLES * 18) - report.cells
    assert verify_cells(store) == damaged_tables(store) == []
    assert group_attributes(store / "cells")["content"] == group_attributes(never / "cells")["content"]


@pytest.mark.parametrize("seed", range(12))
def test_withdraw_patients__leaves_the_other_rows_whatever_their_order(tmp_path, seed):
    rng = np.random.default_rng(seed)
    cells = int(rng.integers(2, 120))
    counts = rng.poisson(0.7, (cells, 9)) * (rng.random((cells, 1)) > 0.2)
    obs = pd.DataFrame(
        {"patient": pd.array(rng.choice(["a", "b", "c", None], cells), dtype=object), "depth": rng.random(cells)},
        index=[f"cell{number}" for number in range(cells)],
    )
    obs.iloc[0, 0], obs.iloc[-1, 0] = "a", "b"
    store = write_cells(anndata.AnnData(sp.csr_matrix(counts), obs), tmp_path / "c.zarr", geometry=SMALL)
    before = open_cells(store).obs
    withdraw_patients(store, patients=["a"])
    stay = (obs["patient"] != "a").to_numpy()
    found = open_cells(store, rows_per_block=5)
    np.testing.assert_array_equal(found.X.compute().toarray(), counts[stay])
    pd.testing.assert_frame_equal(found.obs.astype(object), before[stay].astype(object))
    assert "a" not in found.obs["patient"].cat.categories
    assert verify_cells(store) == []
    whole = anndata.read_zarr(store / "cells")
    np.testing.assert_array_equal(whole.X.toarray(), counts[stay])


def test_withdraw_patients__touches_no_shard_before_them(store, blocks):
    before = {file: file.stat().st_ino for file in sorted((store / "cells" / "X" / "data" / "c").iterdir())}
    nonzeros = int((all_counts(without(blocks, "p3")) > 0).sum())
    report = withdraw_patients(store, patients=["p3"])
    same = [file for file, inode in before.items() if file.is_file() and file.stat().st_ino == inode]
    assert len(same) == report.shards_kept == nonzeros // SMALL.shard
    assert report.shards_rewritten == 1
    first = withdraw_patients(store, patients=["p0"])
    assert first.shards_kept == 0
    assert first.bytes_rewritten > report.bytes_rewritten


def test_withdraw_patients__leaves_no_byte_of_them(tmp_path):
    blocks = make_blocks(samples=6)
    name = 'Ünal/O\'Neil: "17" *'
    pattern = np.arange(1000, 1012) * 997
    hers = {"patient": name, "sample": "OnlyHere", "note": "told in confidence"}
    blocks["s2"] = [
        (sp.csr_matrix(np.tile(pattern, (len(obs), 1))), obs.assign(**hers).rename("SECRET-{}".format))
        for _, obs in blocks["s2"]
    ]
    store = write_stream(tmp_path / "c.zarr", blocks, uns={"colors": [name, "red"], "reference": "GRCh38"})
    names = all_obs(blocks).index.to_numpy()
    of_cells = xr.Dataset({"cell_total": ("cell", np.arange(len(names)))}, coords={"cell": names})
    write_result(
        of_cells, store, step="quality", fingerprint="a1", attributes={"warnings": json.dumps([f"{name} is odd"])}
    )
    cohort = xr.Dataset(
        {
            "expression": (("patient", "gene"), np.arange(6.0).reshape(3, 2)),
            "center": ("patient", ["X", "told in confidence", "Y"]),
        },
        coords={"patient": ["q1", name, "q2"], "gene": ["A", "B"]},
    )
    write_patients(cohort, store, cohort="bulk")
    (store / "cells_by_gene").mkdir()
    (store / "cells_by_gene" / "tile").write_text("SECRET")
    (store / "results" / "torn" / "b2").mkdir(parents=True)
    (store / "results" / "torn" / "b2" / "block").write_text("SECRET")
    (store / "results" / "quality" / "a1" / "x.partial").write_text("SECRET")
    assert "SECRET" in every_text(store)
    report = withdraw_patients(store, patients=[name])
    texts = every_text(store)
    for trace in ("SECRET", "Ünal", "O'Neil", "confidence", "OnlyHere", json.dumps(name)[1:-1]):
        assert trace not in texts
        assert trace.encode().decode("latin-1") not in texts
    data = np.asarray(zarr.open_array(store / "cells" / "X" / "data", mode="r")[...])
    assert not np.isin(pattern, data).any()
    assert report.results_cut == 1
    assert report.cohorts == ("bulk",)
    assert report.annotation_removed == ("colors",)
    assert open_cells(store).uns["reference"] == "GRCh38"
    assert open_patients(store, cohort="bulk")["patient"].values.tolist() == ["q1", "q2"]
    assert not (store / "revision").exists()


def test_withdraw_patients__cuts_results_and_says_what_is_out_of_date(store, blocks):
    obs = all_obs(blocks)
    samples = list(blocks)
    cube = xr.Dataset(
        {"cube_count_sum": (("sample", "gene"), np.arange(SAMPLES * 3).reshape(SAMPLES, 3))},
        coords={
            "sample": samples,
            "gene": ["p0", "B", "C"],
            "patient": ("sample", [f"p{n // 2}" for n in range(SAMPLES)]),
        },
    )
    write_result(cube, store, step="cube", fingerprint="c1")
    part = xr.Dataset({"cell_score": ("cell", np.arange(30.0))}, coords={"cell": obs.index.to_numpy()[20:50]})
    write_result(part, store, step="scores", fingerprint="s1", attributes={"step_roots": '["cells"]'})
    write_result(xr.Dataset({"x": ("patient", [1.0])}), store, step="nameless", fingerprint="n1")
    elsewhere = xr.Dataset({"km": ("time", [1.0])}, coords={"time": [0.5]})
    write_result(elsewhere, store, step="km", fingerprint="k1", attributes={"step_roots": '["patients/bulk"]'})
    report = withdraw_patients(store, patients=["p0"])
    assert (report.results_cut, report.results_stale, report.results_removed) == (2, 2, 1)
    with pytest.warns(StaleResultWarning, match="consent was withdrawn"):
        left = open_result(store, step="cube", fingerprint="c1")
    assert left["sample"].values.tolist() == samples[2:]
    assert left["gene"].values.tolist() == ["p0", "B", "C"]
    np.testing.assert_array_equal(left["cube_count_sum"], cube["cube_count_sum"][2:])
    with pytest.warns(StaleResultWarning):
        assert open_result(store, step="scores", fingerprint="s1")["cell_score"].values.tolist() == list(range(16, 30))
    open_result(store, step="km", fingerprint="k1")
    stale = {entry.step: bool(entry.stale) for entry in list_results(store)}
    assert stale == {"cube": True, "scores": True, "km": False}


def test_withdraw_patients__of_a_cohort_only_leaves_cells_and_their_results_alone(store):
    for cohort, names in (("bulk", ["x", "p0x"]), ("one", ["x"])):
        write_patients(
            xr.Dataset({"age": ("patient", np.arange(len(names)))}, coords={"patient": names}), store, cohort=cohort
        )
    write_result(xr.Dataset({"a": ((), 1.0)}), store, step="q", fingerprint="f", attributes={"step_roots": '["cells"]'})
    write_result(
        xr.Dataset({"b": ((), 1.0)}), store, step="k", fingerprint="f", attributes={"step_roots": '["patients/bulk"]'}
    )
    before = file_digests(store / "cells")
    report = withdraw_patients(store, patients=["x"])
    assert (report.cells, report.cohorts, report.bytes_rewritten > 0) == (0, ("bulk", "one"), True)
    assert list_cohorts(store) == ["bulk"]
    assert file_digests(store / "cells") == before
    assert {entry.step: bool(entry.stale) for entry in list_results(store)} == {"q": False, "k": True}


def test_withdraw_patients__of_all_patients_leaves_a_store_without_cells(store, blocks):
    write_result(xr.Dataset({"a": ((), 1.0)}), store, step="q", fingerprint="f", attributes={"step_roots": '["cells"]'})
    report = withdraw_patients(store, patients=["p0", "p1", "p2", "p3"])
    assert (report.cells_left, report.results_removed) == (0, 1)
    with pytest.raises(StoreNotFoundError, match="must hold cells"):
        open_cells(store)
    write_stream(store, blocks)
    assert open_cells(store).n_obs == SAMPLES * 18


def test_withdraw_patients__keeps_no_name_in_its_own_record(store):
    withdraw_patients(store, patients=["p1"])
    (entry,) = revision.read_history(store)
    assert (entry["patients"], entry["samples"], entry["cells"]) == (1, 2, 36)
    assert "p1" not in json.dumps(entry)


def test_withdraw_patients__refuses_whom_it_does_not_know(store):
    before = file_digests(store)
    with pytest.raises(InputError, match=r"cohort: p7\. Similar names: p"):
        withdraw_patients(store, patients=["p0", "p7"])
    with pytest.raises(InputError, match="names of the patients"):
        withdraw_patients(store, patients=[])
    with pytest.raises(MissingVariableError, match="no column 'donor'"):
        withdraw_patients(store, patients=["p0"], column="donor")
    assert file_digests(store) == before
    withdraw_patients(store, patients=["p0"])
    with pytest.raises(InputError, match="last withdrawal was on"):
        withdraw_patients(store, patients=["p0"])


def test_withdraw_patients__cuts_the_record_of_a_file_of_several(tmp_path):
    blocks = make_blocks(samples=3)
    whole = [pair for parts in blocks.values() for pair in parts]
    record = {
        "fingerprint": {"sheet": {"patient": "p0"}},
        "report": {
            "sample": "x-{}", "cells": {"s0": 18, "s1": 18, "s2": 18}, "nonzeros": 1, "empty_cells": 9,
            "total": int(all_counts(blocks).sum()), "set_aside_total": 5,
        },
    }  # fmt: skip
    with CellsWriter.open(tmp_path / "c.zarr", gene_table(12), geometry=SMALL) as writer:
        for counts, obs in whole:
            writer.append(counts, obs)
        writer.finish_source("x-{}", record)
        store = writer.close({ledger.REPORT_ENTRY: json.dumps({"sources": [record["report"]], "genes": {"genes": 12}})})
    withdraw_patients(store, patients=["p0"])
    (entry,) = ledger.read_kept_sources(store)
    left = all_counts({"s2": blocks["s2"]})
    assert entry.record["fingerprint"] is None
    assert entry.record["report"] == {
        "sample": "x-{}", "cells": {"s2": 18}, "nonzeros": int((left > 0).sum()), "total": int(left.sum()),
        "empty_cells": int((left.sum(axis=1) == 0).sum()),
    }  # fmt: skip
    assert (entry.first_row, entry.rows, entry.nonzeros) == (0, 18, int((left > 0).sum()))
    report = json.loads(open_cells(store).uns[ledger.REPORT_ENTRY])
    assert report == {"sources": [entry.record["report"]], "genes": {"genes": 12}}


def test_withdraw_patients__drops_sums_over_samples_of_several_patients(store, blocks, tmp_path):
    mixed = {
        "s0": blocks["s0"],
        "s1": [(counts, obs.assign(sample="s0", patient="other")) for counts, obs in blocks["s1"]],
    }
    store = write_stream(tmp_path / "mixed.zarr", mixed)
    cube = xr.Dataset({"cube_cells": ("sample", [36])}, coords={"sample": ["s0"]})
    write_result(cube, store, step="cube", fingerprint="c")
    withdraw_patients(store, patients=["other"])
    assert open_cells(store).obs["sample"].unique().tolist() == ["s0"]
    with pytest.warns(StaleResultWarning):
        assert open_result(store, step="cube", fingerprint="c").sizes["sample"] == 0


def test_withdraw_patients__leaves_a_hard_linked_copy_whole(store, blocks, tmp_path):
    shutil.copytree(
        store,
        tmp_path / "linked.zarr",
        copy_function=lambda source, target: revision.link_or_copy(tmp_path / source, tmp_path / target),
    )
    before = file_digests(tmp_path / "linked.zarr")
    withdraw_patients(store, patients=["p1"])
    assert file_digests(tmp_path / "linked.zarr") == before


def test_cut_annotation__drops_what_names_them_or_runs_over_cells():
    leaving = Leaving(frozenset({"pat17", "3"}), frozenset(), frozenset({"c1"}), np.array([True, False, True]))
    uns = {
        "colors": {"pat17": "red"}, "words": ["of pat17 alone"], "table": pd.DataFrame({"a": ["c1"]}), "vector": np.zeros(3),
        "other": np.array(["x", "pat171"]), "numbers": [3, "13"], "deep": {"a": {"b": "GRCh38"}},
    }  # fmt: skip
    fresh, dropped = cut_annotation(uns, leaving, sources=())
    assert list(fresh) == ["other", "numbers", "deep"]
    assert dropped == ("colors", "words", "table", "vector")
