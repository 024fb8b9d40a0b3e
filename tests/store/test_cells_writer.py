from __future__ import annotations

import errno
import shutil
import subprocess
import sys
import textwrap

import anndata
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from chemores_dask.errors import (
    ChecksumError,
    CountsError,
    GeneMismatchError,
    IncompleteStoreError,
    InputError,
    ParameterError,
    StoreError,
)
from chemores_dask.randomness import cell_keys
from chemores_dask.store import cells_tables, cells_writer, ledger
from chemores_dask.store.cells import CellsWriter, open_cells
from chemores_dask.store.layout import Geometry
from tests.store.sources import SMALL, all_counts, all_obs, file_digests, gene_table, make_blocks, write_stream


class Killed(BaseException):
    """Stands for the end of the process: no handler of ours may catch it."""


def test_cells_writer__writes_what_anndata_reads(tmp_path):
    blocks = make_blocks()
    path = write_stream(tmp_path / "a folder" / "cohort.zarr", blocks, uns={"reference": "GRCh38", "sizes": [1, 2]})
    found = anndata.read_zarr(path / "cells")
    assert np.array_equal(found.X.toarray(), all_counts(blocks))
    assert found.X.dtype == np.int32
    wanted = all_obs(blocks)
    assert found.obs_names.tolist() == wanted.index.tolist()
    assert found.obs["sample"].tolist() == wanted["sample"].tolist()
    assert found.obs["reads"].tolist() == wanted["reads"].tolist()
    assert np.array_equal(found.obs["cell_key"], cell_keys(wanted.index))
    assert found.var["gene_id"].tolist() == gene_table(12)["gene_id"].tolist()
    assert found.uns["reference"] == "GRCh38"


@settings(max_examples=15, deadline=None)
@given(
    chunk=st.integers(1, 7),
    per_shard=st.integers(1, 5),
    sizes=st.lists(st.lists(st.integers(0, 6), max_size=4), max_size=4),
    genes=st.integers(0, 8),
)
def test_cells_writer__loses_and_alters_nothing(tmp_path_factory, chunk, per_shard, sizes, genes):
    rng = np.random.default_rng(7)
    path = tmp_path_factory.mktemp("stream") / "c.zarr"
    parts = []
    with CellsWriter.open(path, gene_table(genes), geometry=Geometry(chunk, chunk * per_shard)) as writer:
        for source, blocks in enumerate(sizes):
            for block, cells in enumerate(blocks):
                counts = rng.poisson(0.8, (cells, genes))
                names = [f"{source}-{block}-{cell}" for cell in range(cells)]
                writer.append(
                    sp.csr_matrix(counts), pd.DataFrame({"sample": f"s{source}"}, index=pd.Index(names, dtype=object))
                )
                parts.append(counts)
            writer.finish_source(f"s{source}", {})
        writer.close()
    found = open_cells(path, rows_per_block=3)
    wanted = np.concatenate([np.empty((0, genes), dtype=int), *parts])
    assert found.shape == wanted.shape
    assert np.array_equal(found.X.compute().toarray(), wanted)


@pytest.mark.parametrize("stop_at", range(1, 33, 4))
def test_cells_writer__goes_on_after_a_kill_with_the_same_bits(tmp_path, monkeypatch, stop_at):
    blocks = make_blocks()
    write_stream(tmp_path / "whole.zarr", blocks)
    calls = iter(range(1, 10_000))

    def dying(function):
        def call(*args, **named):
            if next(calls) == stop_at:
                raise Killed
            return function(*args, **named)

        return call

    with monkeypatch.context() as patched:
        patched.setattr(cells_writer, "write_shard", dying(cells_writer.write_shard))
        patched.setattr(cells_tables, "finish_matrix", dying(cells_tables.finish_matrix))
        patched.setattr(cells_tables, "finish_tables", dying(cells_tables.finish_tables))
        patched.setattr(ledger, "write_element", dying(ledger.write_element))
        patched.setattr(ledger, "write_vector", dying(ledger.write_vector))
        patched.setattr(ledger, "write_checksums", dying(ledger.write_checksums))
        try:
            write_stream(tmp_path / "torn.zarr", blocks)
        except Killed:
            with pytest.raises(IncompleteStoreError, match="goes on where it stopped"):
                open_cells(tmp_path / "torn.zarr")
            write_stream(tmp_path / "torn.zarr", blocks)
    assert file_digests(tmp_path / "torn.zarr") == file_digests(tmp_path / "whole.zarr")


def test_cells_writer__goes_on_after_kill_9(tmp_path):
    blocks = make_blocks(samples=3, cells=12)
    write_stream(tmp_path / "whole.zarr", blocks)
    script = textwrap.dedent(
        """
        import os, signal, sys
        from pathlib import Path
        from chemores_dask.store import cells_writer
        from tests.store.sources import make_blocks, write_stream
        written = cells_writer.write_shard
        def counted(*args, number, **named):
            if number == int(sys.argv[2]):
                os.kill(os.getpid(), signal.SIGKILL)
            return written(*args, number=number, **named)
        cells_writer.write_shard = counted
        write_stream(Path(sys.argv[1]), make_blocks(samples=3, cells=12))
        """
    )
    for number in (5,):
        done = subprocess.run([sys.executable, "-c", script, str(tmp_path / "torn.zarr"), str(number)], check=False)
        assert done.returncode == -9
    with CellsWriter.open(tmp_path / "torn.zarr", gene_table(12), geometry=SMALL) as writer:
        assert "s0" in writer.finished_sources
        assert writer.cells > 0
    write_stream(tmp_path / "torn.zarr", blocks)
    assert file_digests(tmp_path / "torn.zarr") == file_digests(tmp_path / "whole.zarr")


def test_finish_source__makes_the_source_unnecessary(tmp_path):
    blocks = make_blocks()
    names = list(blocks)
    for name in names:
        with CellsWriter.open(tmp_path / "c.zarr", gene_table(12), geometry=SMALL) as writer:
            assert list(writer.finished_sources) == names[: names.index(name)]
            for counts, obs in blocks[name]:
                writer.append(counts, obs)
            writer.finish_source(name, {"file": name})
            # An unfinished source leaves no trace.
            writer.append(*blocks[name][0])
    with CellsWriter.open(tmp_path / "c.zarr", gene_table(12), geometry=SMALL) as writer:
        assert writer.finished_sources["s1"] == {"file": "s1"}
        writer.close()
    assert np.array_equal(open_cells(tmp_path / "c.zarr").X.compute().toarray(), all_counts(blocks))


def test_cells_writer__survives_a_full_disk(tmp_path, monkeypatch):
    blocks = make_blocks()
    write_stream(tmp_path / "whole.zarr", blocks)
    written = cells_writer.write_shard

    def full(*args, number, **named):
        if number == 4:
            raise OSError(errno.ENOSPC, "No space left on device")
        return written(*args, number=number, **named)

    monkeypatch.setattr(cells_writer, "write_shard", full)
    with pytest.raises(OSError, match="No space left"):
        write_stream(tmp_path / "torn.zarr", blocks)
    with pytest.raises(IncompleteStoreError):
        open_cells(tmp_path / "torn.zarr")
    monkeypatch.undo()
    write_stream(tmp_path / "torn.zarr", blocks)
    assert file_digests(tmp_path / "torn.zarr") == file_digests(tmp_path / "whole.zarr")


def test_cells_writer__is_not_read_as_whole_while_unfinished(tmp_path):
    blocks = make_blocks()
    with CellsWriter.open(tmp_path / "c.zarr", gene_table(12), geometry=SMALL) as writer:
        writer.append(*blocks["s0"][0])
        writer.finish_source("s0", {})
    with pytest.raises(IncompleteStoreError):
        open_cells(tmp_path / "c.zarr")
    with pytest.raises(Exception, match=r".+"):
        anndata.read_zarr(tmp_path / "c.zarr" / "cells")


@pytest.mark.parametrize(("cells", "genes"), [(0, 5), (5, 0), (0, 0), (1, 1)])
def test_cells_writer__takes_the_smallest_matrices(tmp_path, cells, genes):
    with CellsWriter.open(tmp_path / "c.zarr", gene_table(genes)) as writer:
        obs = pd.DataFrame({"sample": ["a"] * cells}, index=pd.Index([f"c{n}" for n in range(cells)], dtype=object))
        writer.append(sp.csr_matrix(np.ones((cells, genes))), obs)
        writer.finish_source("a", {})
        writer.close()
    found = open_cells(tmp_path / "c.zarr")
    assert found.shape == (cells, genes)
    assert np.array_equal(found.X.compute().toarray(), np.ones((cells, genes)))
    assert anndata.read_zarr(tmp_path / "c.zarr" / "cells").shape == (cells, genes)


def test_open__refuses_finished_cells(tmp_path):
    write_stream(tmp_path / "c.zarr", make_blocks())
    with pytest.raises(StoreError, match="written into a store once"):
        CellsWriter.open(tmp_path / "c.zarr", gene_table(12))


def test_open__refuses_other_genes_and_other_shards_for_unfinished_cells(tmp_path):
    CellsWriter.open(tmp_path / "c.zarr", gene_table(12), geometry=SMALL)
    with pytest.raises(GeneMismatchError, match="12 genes"):
        CellsWriter.open(tmp_path / "c.zarr", gene_table(11), geometry=SMALL)
    with pytest.raises(GeneMismatchError):
        CellsWriter.open(tmp_path / "c.zarr", gene_table(12).iloc[::-1], geometry=SMALL)
    with pytest.raises(StoreError, match="same shards"):
        CellsWriter.open(tmp_path / "c.zarr", gene_table(12))


def test_open__begins_again_where_nothing_was_durable(tmp_path):
    CellsWriter.open(tmp_path / "c.zarr", gene_table(12), geometry=SMALL)
    shutil.rmtree(tmp_path / "c.zarr" / "cells")
    blocks = make_blocks()
    write_stream(tmp_path / "c.zarr", blocks)
    assert np.array_equal(open_cells(tmp_path / "c.zarr").X.compute().toarray(), all_counts(blocks))


def test_append__refuses_what_does_not_fit(tmp_path):
    counts, obs = make_blocks()["s0"][0]
    with CellsWriter.open(tmp_path / "c.zarr", gene_table(12), geometry=SMALL) as writer:
        with pytest.raises(InputError, match="must fit the genes"):
            writer.append(counts[:, :3], obs)
        with pytest.raises(InputError, match="must fit the genes"):
            writer.append(counts, obs.iloc[1:])
        with pytest.raises(CountsError):
            writer.append(counts * 0.5, obs)
        with pytest.raises(CountsError):
            writer.append(-counts, obs)
        assert writer.cells == 0


def test_finish_source__refuses_repeated_names_and_keys(tmp_path):
    counts, obs = make_blocks()["s0"][0]
    with CellsWriter.open(tmp_path / "c.zarr", gene_table(12), geometry=SMALL) as writer:
        writer.append(counts, obs)
        writer.append(counts, obs)
        with pytest.raises(InputError, match="more than once: s0:0-0"):
            writer.finish_source("twice", {})
    with CellsWriter.open(tmp_path / "c.zarr", gene_table(12), geometry=SMALL) as writer:
        writer.append(counts, obs)
        writer.finish_source("a", {})
        with pytest.raises(InputError, match="'a' was finished before"):
            writer.finish_source("a", {})
        writer.append(counts[:2], obs.iloc[[3, 3]].set_axis(["new", "s0:0-3"]))
        with pytest.raises(InputError, match="more than once: s0:0-3"):
            writer.finish_source("b", {})


def test_finish_source__refuses_records_that_cannot_be_kept(tmp_path):
    counts, obs = make_blocks()["s0"][0]
    with CellsWriter.open(tmp_path / "c.zarr", gene_table(12), geometry=SMALL) as writer:
        writer.append(counts, obs)
        with pytest.raises(ParameterError):
            writer.finish_source("a", {"array": object()})


def test_close__refuses_rows_of_no_source(tmp_path):
    with CellsWriter.open(tmp_path / "c.zarr", gene_table(12), geometry=SMALL) as writer:
        writer.append(*make_blocks()["s0"][0])
        with pytest.raises(InputError, match="call finish_source"):
            writer.close()
    with pytest.raises(StoreError, match="This one is closed"):
        writer.append(*make_blocks()["s0"][0])


def test_cells_writer__reports_a_shard_that_reads_back_wrong(tmp_path, monkeypatch):
    def wrong(*_, **__):
        message = "A written shard must read back as it was written."
        raise ChecksumError(message)

    monkeypatch.setattr(cells_writer, "write_shard", wrong)
    with pytest.raises(ChecksumError):
        write_stream(tmp_path / "c.zarr", make_blocks())


def test_cells_writer__keeps_the_records_of_sources(tmp_path):
    path = write_stream(tmp_path / "c.zarr", make_blocks())
    entries = ledger.read_kept_sources(path)
    assert [(entry.key, entry.first_row, entry.rows) for entry in entries] == [
        ("s0", 0, 18),
        ("s1", 18, 18),
        ("s2", 36, 18),
    ]
    assert entries[0].record == {"blocks": 2}
