from __future__ import annotations

import errno
import json
import shutil
from pathlib import Path

import anndata
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import xarray as xr

from chemores_dask.errors import (
    FormatError,
    GeneMismatchError,
    IncompleteStoreError,
    InputError,
    StaleResultWarning,
    StoreError,
    StoreNotFoundError,
)
from chemores_dask.ingest import convert
from chemores_dask.ingest.append_samples import append_samples
from chemores_dask.ingest.convert import ingest
from chemores_dask.ingest.options import IngestOptions
from chemores_dask.store import cells_writer, ledger, revision
from chemores_dask.store.cells import open_cells, write_cells
from chemores_dask.store.layout import Geometry, group_attributes
from chemores_dask.store.results import list_results, open_result, write_result
from chemores_dask.store.table_files import damaged_tables
from chemores_dask.store.verification import verify_cells
from chemores_dask.store.withdrawal import withdraw_patients
from tests.store import revision_calls
from tests.store.killing import DyingProcesses
from tests.store.sources import file_digests

CALLS = "tests.store.revision_calls"
TRIALS = 20

SMALL = {"rows_per_block": 9, "nonzeros_per_block": 80}
OPTIONS = IngestOptions(**SMALL)
SMALL_SHARDS = Geometry(16, 64)


@pytest.fixture(autouse=True)
def _small_shards(monkeypatch):
    opened = cells_writer.CellsWriter.open.__func__

    def with_small_shards(cls, store, genes, *, geometry=SMALL_SHARDS):
        return opened(cls, store, genes, geometry=geometry)

    monkeypatch.setattr(cells_writer.CellsWriter, "open", classmethod(with_small_shards))


@pytest.fixture
def sheet(genes, barcodes, tmp_path: Path, write_h5) -> pd.DataFrame:
    """Five samples of five patients, of 40 cells each."""
    rng = np.random.default_rng(3)
    rows = []
    for number in range(5):
        counts = sp.csr_matrix(rng.poisson(0.5, (40, 30)).astype(np.int32))
        path = write_h5(tmp_path / f"{number}.h5", counts)
        rows.append({"sample": f"s{number}", "path": path, "patient": f"P{number}", "age": 50 + number})
    return pd.DataFrame(rows)


@pytest.fixture
def store(sheet, tmp_path: Path) -> Path:
    return ingest(sheet[:3], tmp_path / "s.zarr", options=OPTIONS).store


def counts_of(store):
    found = open_cells(store)
    return found.X.compute()


def assert_same(left, right):
    first, second = open_cells(left), open_cells(right)
    assert (first.X.compute() != second.X.compute()).nnz == 0
    pd.testing.assert_frame_equal(first.obs, second.obs)
    pd.testing.assert_frame_equal(first.var, second.var)
    assert first.uns["content"] == second.uns["content"]
    assert ledger.read_kept_sources(left) == ledger.read_kept_sources(right)
    cells = [file_digests(each / "cells") for each in (left, right)]
    for name in set(cells[0]) | set(cells[1]):
        # The report says how many of the files at hand had a gene; that is known for the files of one call only.
        assert name.startswith("uns/") or cells[0].get(name) == cells[1].get(name), name


def test_append_samples__equals_one_ingest_of_all(sheet, store, tmp_path):
    seen = []
    report = append_samples(sheet[3:], store, options=OPTIONS, progress=seen.append)
    ingest(sheet, tmp_path / "whole.zarr", options=OPTIONS)
    assert_same(store, tmp_path / "whole.zarr")
    assert (report.cells_before, report.samples.cells) == (120, 80)
    assert (seen[-1].cells_done, seen[-1].cells_total) == (80, 80)
    assert verify_cells(store) == damaged_tables(store) == []
    assert not (store / "revision").exists()
    sources = json.loads(open_cells(store).uns[ledger.REPORT_ENTRY])["sources"]
    assert [source["sample"] for source in sources] == sheet["sample"].tolist()
    assert anndata.read_zarr(store / "cells").shape == (200, 30)
    (entry,) = revision.read_history(store)
    assert (entry["kind"], entry["samples"], entry["cells"]) == ("append", 2, 80)


def test_append_samples__one_after_the_other(sheet, store, tmp_path):
    for number in (3, 4):
        append_samples(sheet[number : number + 1], store, options=OPTIONS)
    ingest(sheet, tmp_path / "whole.zarr", options=OPTIONS)
    assert_same(store, tmp_path / "whole.zarr")


def test_append_samples__touches_no_full_shard(sheet, store):
    before = {file: file.stat().st_ino for file in (store / "cells" / "X" / "data" / "c").iterdir()}
    report = append_samples(sheet[3:4], store, options=OPTIONS)
    same = [file for file, inode in before.items() if file.stat().st_ino == inode]
    assert len(same) == report.shards_kept == len(before) - 1


def test_append_samples__copies_where_there_are_no_links(sheet, store, tmp_path, monkeypatch):
    def without(*_):
        raise OSError(errno.EXDEV, "Invalid cross-device link")

    monkeypatch.setattr(Path, "hardlink_to", without)
    append_samples(sheet[3:], store, options=OPTIONS)
    ingest(sheet, tmp_path / "whole.zarr", options=OPTIONS)
    assert_same(store, tmp_path / "whole.zarr")


def test_append_samples__a_second_time_reads_nothing(sheet, store, monkeypatch):
    append_samples(sheet[3:], store, options=OPTIONS)
    before = file_digests(store)
    monkeypatch.setattr(convert.SourceStream, "write", None)
    again = append_samples(sheet[3:], store, options=OPTIONS)
    assert [source.resumed for source in again.samples.sources] == [True, True]
    assert (again.cells_before, again.bytes_written) == (120, 0)
    assert file_digests(store) == before


def test_append_samples__after_a_withdrawal_and_the_other_way_round(sheet, store, tmp_path):
    withdraw_patients(store, patients=["P1"])
    append_samples(sheet[3:], store, options=OPTIONS)
    withdraw_patients(store, patients=["P3"])
    ingest(sheet.iloc[[0, 2, 4]], tmp_path / "never.zarr", options=OPTIONS)
    assert_same(store, tmp_path / "never.zarr")


def test_append_samples__takes_the_genes_of_the_store(sheet, store, genes, barcodes, tmp_path, write_h5):
    counts = sp.csr_matrix(np.random.default_rng(5).poisson(0.9, (40, 25)).astype(np.int32))
    order = np.random.default_rng(5).permutation(30)[:25]
    fewer = write_h5(tmp_path / "fewer.h5", counts, features=genes.iloc[order])
    append_samples(pd.DataFrame([{"sample": "few", "path": fewer, "patient": "F"}]), store, options=OPTIONS)
    found = open_cells(store)
    assert found.var_names.tolist() == genes["gene_symbol"].tolist()
    expected = np.zeros((40, 30), dtype=np.int32)
    expected[:, order] = counts.toarray()
    np.testing.assert_array_equal(found.X.compute()[120:].toarray(), expected)
    assert found.obs["age"].isna().sum() == 40


def test_append_samples__refuses_or_leaves_out_other_genes(sheet, store, genes, tmp_path, write_h5):
    others = genes.copy()
    others.loc[28, ["gene_id", "gene_symbol"]] = ["ENSG99999999999", "NEWGENE"]
    counts = sp.csr_matrix(np.ones((40, 30), dtype=np.int32))
    new = pd.DataFrame([{"sample": "n", "path": write_h5(tmp_path / "n.h5", counts, features=others)}])
    before = file_digests(store)
    with pytest.raises(GeneMismatchError, match=r"lacks 1 of theirs: NEWGENE.*--genes intersection"):
        append_samples(new, store, options=OPTIONS)
    assert file_digests(store) == before
    report = append_samples(new, store, options=IngestOptions(genes="intersection", **SMALL))
    assert report.samples.genes.dropped == 1
    added = counts_of(store)[120:].toarray()
    assert added[:, 28].sum() == 0
    assert (np.delete(added, 28, axis=1) == 1).all()
    foreign = genes.assign(
        gene_id=[f"ENSMUSG{n:011d}" for n in range(30)], gene_symbol=[f"Mouse{n}" for n in range(30)]
    )
    mouse = pd.DataFrame([{"sample": "m", "path": write_h5(tmp_path / "m.h5", counts, features=foreign)}])
    with pytest.raises(GeneMismatchError, match="match none"):
        append_samples(mouse, store, options=OPTIONS)


def test_append_samples__refuses_samples_that_are_there(sheet, store, tmp_path):
    before = file_digests(store)
    with pytest.raises(InputError, match=r"must be new.*s2"):
        append_samples(sheet.assign(age=1)[2:4], store, options=OPTIONS)
    with pytest.raises(InputError, match="occur once"):
        append_samples(pd.concat([sheet[3:4], sheet[3:4]]), store, options=OPTIONS)
    assert file_digests(store) == before


def test_append_samples__needs_finished_cells(sheet, tmp_path):
    with pytest.raises(StoreNotFoundError):
        append_samples(sheet[:1], tmp_path / "none.zarr")
    broken = sheet.copy()
    broken.loc[1, "path"] = tmp_path / "cut.h5"
    (tmp_path / "cut.h5").write_bytes(Path(sheet.loc[1, "path"]).read_bytes()[:3000])
    with pytest.raises(FormatError):
        ingest(broken[:2], tmp_path / "torn.zarr", options=OPTIONS)
    (tmp_path / "torn.zarr").mkdir(exist_ok=True)
    if (tmp_path / "torn.zarr" / "zarr.json").is_file():
        with pytest.raises(IncompleteStoreError):
            append_samples(sheet[3:], tmp_path / "torn.zarr", options=OPTIONS)


def test_append_samples__to_cells_of_an_anndata(sheet, genes, tmp_path):
    counts = sp.csr_matrix(np.random.default_rng(1).poisson(0.5, (50, 30)))
    obs = pd.DataFrame({"sample": "old", "score": np.arange(50.0)}, index=[f"old:{n}" for n in range(50)])
    cells = anndata.AnnData(counts, obs, genes.set_index("gene_symbol")[["gene_id"]].rename_axis(None))
    store = write_cells(cells, tmp_path / "a.zarr", geometry=Geometry(16, 64))
    append_samples(sheet[:2], store, options=OPTIONS)
    found = open_cells(store)
    np.testing.assert_array_equal(found.X.compute()[:50].toarray(), counts.toarray())
    assert found.obs["sample"].astype(str).tolist() == ["old"] * 50 + ["s0"] * 40 + ["s1"] * 40
    assert found.obs["score"].isna().sum() == 80


def test_append_samples__goes_on_after_an_error_and_leaves_the_store_readable(sheet, store, tmp_path, monkeypatch):
    before = counts_of(store)
    write, read = convert.SourceStream.write, []

    def failing(self, sample, position):
        read.append(sample.entry.sample)
        if sample.entry.sample == "s4" and len(read) < 3:
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(self, sample, position)

    monkeypatch.setattr(convert.SourceStream, "write", failing)
    with pytest.raises(OSError, match="No space left"):
        append_samples(sheet[3:], store, options=OPTIONS)
    assert (counts_of(store) != before).nnz == 0
    report = append_samples(sheet[3:], store, options=OPTIONS)
    assert read == ["s3", "s4", "s4"]
    assert [source.resumed for source in report.samples.sources] == [False, False]
    ingest(sheet, tmp_path / "whole.zarr", options=OPTIONS)
    assert_same(store, tmp_path / "whole.zarr")


@pytest.mark.slow
def test_append_samples__survives_a_kill_at_any_change(sheet, tmp_path):
    sheet.to_csv(tmp_path / "whole.csv", index=False)
    sheet[3:].to_csv(tmp_path / "rest.csv", index=False)
    ingest(pd.read_csv(tmp_path / "whole.csv")[:3], tmp_path / "s.zarr", options=OPTIONS)
    processes = DyingProcesses()
    whole = Path(shutil.copytree(tmp_path / "s.zarr", tmp_path / "done.zarr"))
    cells, changes, journal = processes.call(f"{CALLS}:append", whole, tmp_path / "rest.csv", folder=whole)
    assert cells == 200
    old, new = (revision_calls.read(each) for each in (tmp_path / "s.zarr", whole))
    rng = np.random.default_rng(17)
    numbers = {
        journal,
        journal + 1,
        journal + 4,
        *rng.integers(1, changes + 1, TRIALS),
        *(changes - rng.integers(0, changes // 8, TRIALS // 2)),
    }
    seen = set()
    for number in sorted(numbers):
        torn = Path(shutil.copytree(tmp_path / "s.zarr", tmp_path / f"torn{number}.zarr"))
        assert processes.call(f"{CALLS}:append", torn, tmp_path / "rest.csv", folder=torn, die_at=int(number)) == -9
        found = revision_calls.read(torn)
        if isinstance(found, str):
            assert f"chemores append {torn}" in found
        else:
            assert found in (old, new)
        seen.add("told" if isinstance(found, str) else "old" if found == old else "new")
        assert revision_calls.append(torn, tmp_path / "rest.csv") == 200
        assert file_digests(torn / "cells") == file_digests(whole / "cells")
        assert ledger.read_kept_sources(torn) == ledger.read_kept_sources(whole)
        assert not (torn / "revision").exists()
        shutil.rmtree(torn)
    assert seen == {"old", "told", "new"}


def test_append_samples__gives_up_what_was_begun_with_another_sheet(sheet, store, tmp_path, monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr(cells_writer.CellsWriter, "close", None)
        with pytest.raises(TypeError):
            append_samples(sheet[3:], store, options=OPTIONS)
    append_samples(sheet[4:], store, options=OPTIONS)
    ingest(sheet.iloc[[0, 1, 2, 4]], tmp_path / "whole.zarr", options=OPTIONS)
    assert_same(store, tmp_path / "whole.zarr")


def test_append_samples__waits_for_a_withdrawal_that_was_cut_short(sheet, store):
    revision.begin(store, {"kind": "withdrawal", "patients": ["P1"], "column": "patient"})
    with pytest.raises(StoreError, match=r"chemores withdraw .*--patient 'P1'"):
        append_samples(sheet[3:], store, options=OPTIONS)


def test_append_samples__marks_results_of_the_cells(sheet, store):
    write_result(xr.Dataset({"a": ((), 1.0)}), store, step="q", fingerprint="f", attributes={"step_roots": '["cells"]'})
    write_result(
        xr.Dataset({"b": ((), 1.0)}), store, step="k", fingerprint="f", attributes={"step_roots": '["patients/x"]'}
    )
    (store / "cells_by_gene").mkdir()
    assert append_samples(sheet[3:], store, options=OPTIONS).results_stale == 1
    assert {entry.step: bool(entry.stale) for entry in list_results(store)} == {"q": True, "k": False}
    with pytest.warns(StaleResultWarning, match="cells were appended"):
        assert float(open_result(store, step="q", fingerprint="f")["a"]) == 1.0
    assert not (store / "cells_by_gene").exists()
    assert group_attributes(store)["chemores-schema"] == 1
