from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
import textwrap
import warnings

import anndata
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import xarray as xr

from chemores_dask.errors import (
    ChecksumError,
    IncompleteStoreError,
    MissingVariableError,
    ParameterError,
    StoreBusyError,
    StoreError,
)
from chemores_dask.store.cells import CellsWriter, open_cells, write_cells
from chemores_dask.store.export import export_cells
from chemores_dask.store.results import write_result
from tests.store.sources import SMALL, gene_table, make_blocks, write_stream

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import scanpy as sc

KINDS = ["out.h5ad", "out.zarr"]


def read(path):
    return anndata.read_h5ad(path) if path.suffix == ".h5ad" else anndata.read_zarr(path)


@pytest.fixture
def store(tmp_path):
    (tmp_path / "home").mkdir()
    return write_stream(tmp_path / "home" / "cohort.zarr", make_blocks(), uns={"note": "kept", "ingest_report": "{}"})


@pytest.fixture
def place(tmp_path):
    folder = tmp_path / "place"
    folder.mkdir()
    return folder


def quality(store, *, step="quality", fingerprint="f1", finished="2026-01-01", cells=None):
    names = open_cells(store).obs_names.to_numpy() if cells is None else cells
    result = xr.Dataset(
        {
            "cell_total": ("cell", np.arange(len(names))),
            "pca_scores": (("cell", "component"), np.arange(2.0 * len(names)).reshape(-1, 2)),
            "gene_total": ("gene", np.arange(12)),
            "quality_share": ((), 0.5),
        },
        coords={"cell": names, "gene": open_cells(store).var_names.to_numpy()},
        attrs={"analysis": "quality"},
    )
    write_result(result, store, step=step, fingerprint=fingerprint, attributes={"finished": finished})
    return result


@pytest.mark.parametrize("compression", ["none", "lzf", "gzip"])
@pytest.mark.parametrize("name", KINDS)
def test_export_cells__gives_what_the_store_holds(store, place, name, compression):
    found = read(export_cells(store, place / name, compression=compression))
    kept = open_cells(store)
    assert (kept.X.compute() != found.X).nnz == 0
    assert found.X.dtype == np.int32
    pd.testing.assert_frame_equal(found.obs, kept.obs)
    pd.testing.assert_frame_equal(found.var, kept.var)
    assert found.uns["note"] == "kept"
    assert found.uns["exported_from"]["content"] == kept.uns["content"]
    assert [file.name for file in place.iterdir()] == [name]


@pytest.mark.parametrize("name", KINDS)
def test_export_cells__keeps_to_the_chosen_samples(store, place, name):
    found = read(export_cells(store, place / name, samples=["s2", "s0"]))
    kept = open_cells(store)
    rows = kept.obs["sample"].isin(["s0", "s2"]).to_numpy()
    assert (kept.X.compute()[rows] != found.X).nnz == 0
    assert list(found.obs_names) == list(kept.obs_names[rows])
    assert list(found.obs["sample"].cat.categories) == ["s0", "s2"]
    assert "ingest_report" not in found.uns


@pytest.mark.parametrize("name", KINDS)
def test_export_cells__takes_samples_that_lie_mixed(tmp_path, place, name, monkeypatch):
    monkeypatch.setattr("chemores_dask.store.export_matrix.NONZEROS_READ", 11)
    monkeypatch.setattr("chemores_dask.store.export_matrix.H5_SLAB", 2**16)
    rng = np.random.default_rng(2)
    obs = pd.DataFrame({"sample": rng.choice(["a", "b", "c"], 40)}, index=[f"c{cell}" for cell in range(40)])
    counts = sp.csr_matrix(rng.poisson(0.7, (40, 12)))
    write_cells(anndata.AnnData(counts, obs=obs, var=gene_table(12)), tmp_path / "mixed.zarr", geometry=SMALL)
    found = read(export_cells(tmp_path / "mixed.zarr", place / name, samples=["b"]))
    assert np.array_equal(found.X.toarray(), counts[(obs["sample"] == "b").to_numpy()].toarray())


@pytest.mark.parametrize("name", KINDS)
def test_export_cells__without_cells_gives_an_anndata_without_rows(store, place, tmp_path, name):
    found = read(export_cells(store, place / name, samples=[]))
    assert found.shape == (0, 12)
    empty = tmp_path / "empty.zarr"
    with CellsWriter.open(empty, gene_table(12)) as writer:
        writer.close()
    assert read(export_cells(empty, place / f"empty-{name}")).shape == (0, 12)


@pytest.mark.parametrize("name", KINDS)
def test_export_cells__puts_results_where_attach_does(store, place, name):
    result = quality(store)
    found = read(export_cells(store, place / name, samples=["s1"], results=["quality"]))
    rows = (open_cells(store).obs["sample"] == "s1").to_numpy()
    assert found.obs["cell_total"].tolist() == result["cell_total"].values[rows].tolist()
    assert np.array_equal(found.obsm["pca_scores"], result["pca_scores"].values[rows])
    assert np.array_equal(found.obsm["X_pca"], result["pca_scores"].values[rows])
    assert found.var["gene_total"].tolist() == list(range(12))
    assert found.uns["quality"]["quality_share"] == 0.5
    assert found.uns["exported_from"]["results"] == {"quality": "f1"}


def test_export_cells__can_go_through_scanpy(store, place):
    quality(store)
    for name in KINDS:
        found = read(export_cells(store, place / name, results=["quality"]))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            sc.pp.normalize_total(found, target_sum=1e4)
            sc.pp.log1p(found)
            sc.pp.neighbors(found, n_neighbors=5, use_rep="X_pca")
            sc.pp.pca(found, n_comps=3)
            found.write_h5ad(place / "again.h5ad")


def test_export_cells__reads_back_in_backed_mode(store, place):
    export_cells(store, place / "out.h5ad")
    backed = anndata.read_h5ad(place / "out.h5ad", backed="r")
    assert (open_cells(store).X.compute()[3:9] != backed[3:9].to_memory().X).nnz == 0
    backed.file.close()


def test_export_cells__names_unknown_samples_and_what_is_close(store, place):
    with pytest.raises(ParameterError, match=r"Unknown: s01; present: s0, s1, s2.* Did you mean"):
        export_cells(store, place / "out.h5ad", samples=["s01", "s1"])
    assert not list(place.iterdir())


def test_export_cells__needs_a_column_to_choose_samples(tmp_path, place):
    counts = anndata.AnnData(sp.csr_matrix(np.eye(3, 12)), var=gene_table(12))
    write_cells(counts, tmp_path / "bare.zarr")
    with pytest.raises(MissingVariableError, match="column 'sample'"):
        export_cells(tmp_path / "bare.zarr", place / "out.h5ad", samples=["a"])


@pytest.mark.parametrize("name", KINDS)
def test_export_cells__replaces_only_when_asked(store, place, name):
    export_cells(store, place / name)
    with pytest.raises(StoreError, match="--overwrite"):
        export_cells(store, place / name, samples=["s0"])
    assert read(place / name).n_obs == 54
    export_cells(store, place / name, samples=["s0"], replace=True)
    assert read(place / name).n_obs == 18
    assert [file.name for file in place.iterdir()] == [name]


def test_export_cells__never_replaces_a_store_or_a_folder_of_another_kind(store, place, tmp_path):
    other = shutil.copytree(store, place / "other.zarr")
    (place / "notes.zarr").mkdir()
    (place / "folder.h5ad").mkdir()
    for target in (other, place / "notes.zarr", place / "folder.h5ad"):
        with pytest.raises(StoreError, match="something else"):
            export_cells(store, target, replace=True)
    assert open_cells(other).n_obs == 54
    for target in (store, store / "inside.h5ad"):
        with pytest.raises(ParameterError, match="outside its store"):
            export_cells(store, target, replace=True)


def test_export_cells__refuses_other_names_and_absent_folders(store, place):
    with pytest.raises(ParameterError, match=r"\.h5ad or \.zarr"):
        export_cells(store, place / "out.csv")
    with pytest.raises(StoreError, match="folder of an export"):
        export_cells(store, place / "nowhere" / "out.h5ad")
    with pytest.raises(ParameterError, match="none, lzf, gzip"):
        export_cells(store, place / "out.h5ad", compression="zip")


def test_export_cells__refuses_unfinished_cells(tmp_path, place):
    with CellsWriter.open(tmp_path / "torn.zarr", gene_table(12)):
        pass
    with pytest.raises(IncompleteStoreError):
        export_cells(tmp_path / "torn.zarr", place / "out.h5ad")


@pytest.mark.parametrize("name", KINDS)
def test_export_cells__leaves_nothing_after_an_error(store, place, name):
    shard = store / "cells" / "X" / "data" / "c" / "3"
    damaged = bytearray(shard.read_bytes())
    damaged[len(damaged) // 4] ^= 255
    shard.write_bytes(bytes(damaged))
    with pytest.raises(ChecksumError):
        export_cells(store, place / name)
    assert not list(place.iterdir())


@pytest.mark.parametrize("name", KINDS)
def test_export_cells__clears_away_what_a_killed_one_left(store, place, name):
    left = place / f".{name}.partial"
    left.mkdir()
    (left / name).mkdir()
    (left / "other").write_bytes(b"half")
    export_cells(store, place / name)
    assert [file.name for file in place.iterdir()] == [name]


def test_export_cells__refuses_to_write_beside_a_running_one(store, place):
    left = place / ".out.h5ad.partial"
    left.mkdir()
    running = os.open(left, os.O_RDONLY)
    fcntl.flock(running, fcntl.LOCK_EX)
    with pytest.raises(StoreBusyError, match="Another one is running"):
        export_cells(store, place / "out.h5ad")
    assert left.is_dir()
    os.close(running)


def test_export_cells__notices_that_the_cells_changed(store, place, monkeypatch):
    contents = iter(["before", "after"])
    monkeypatch.setattr("chemores_dask.store.export._content", lambda root: next(contents))
    with pytest.raises(StoreError, match="changed meanwhile"):
        export_cells(store, place / "out.h5ad")
    assert not list(place.iterdir())


def run_limited(body, *arguments):
    code = "import sys, resource, signal\nfrom chemores_dask.store.export import export_cells\n" + textwrap.dedent(body)
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)], capture_output=True, text=True, check=False
    )


@pytest.fixture
def large_store(tmp_path):
    """About four million counts."""
    rng = np.random.default_rng(8)
    with CellsWriter.open(tmp_path / "large.zarr", gene_table(500)) as writer:
        for block in range(10):
            counts = sp.random(4000, 500, density=0.2, random_state=rng, format="csr")
            counts.data[:] = rng.integers(1, 60, counts.nnz)
            names = [f"a:{block}-{cell}" for cell in range(4000)]
            writer.append(counts, pd.DataFrame({"sample": "a"}, index=names))
        writer.finish_source("a", {})
        return writer.close()


@pytest.mark.parametrize("compression", ["none", "gzip"])
@pytest.mark.parametrize("name", KINDS)
def test_export_cells__says_that_the_disk_is_full(large_store, place, name, compression):
    body = """
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))
    export_cells(sys.argv[1], sys.argv[2], compression=sys.argv[3])
    """
    ended = run_limited(body, large_store, place / name, compression)
    assert ended.returncode == 1, ended.stderr
    assert "StoreError: The disk must have room for an export" in ended.stderr
    assert not list(place.iterdir())


@pytest.mark.parametrize("name", KINDS)
def test_export_cells__holds_a_few_blocks_only(large_store, place, name):
    body = """
    import tracemalloc
    from chemores_dask.store import export_matrix, layout
    export_matrix.NONZEROS_READ = 2**17
    export_matrix.H5_SLAB = 2**17
    geometry = layout.Geometry(2**14, 2**17)
    write = export_matrix.write_zarr_matrix
    import chemores_dask.store.export as export
    export.write_zarr_matrix = lambda *given, **named: write(*given, **named, geometry=geometry)
    tracemalloc.start()
    export_cells(sys.argv[1], sys.argv[2])
    print(tracemalloc.get_traced_memory()[1])
    """
    ended = run_limited(body, large_store, place / name)
    assert ended.returncode == 0, ended.stderr
    assert int(ended.stdout) < 28_000_000  # the counts alone are 32 million bytes, the names of the cells about 10
