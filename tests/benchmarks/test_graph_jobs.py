from __future__ import annotations

from benchmarks.graph_jobs import EMBEDDED, graph_jobs
from benchmarks.jobs import jobs_of

SIZES = (100_000, 200_000, 1_000_000)


def keys(jobs):
    return [job.key for job in jobs]


def test_graph_jobs__cover_what_must_be_reached():
    found = keys(graph_jobs(SIZES))
    for cells in (100_000, EMBEDDED):
        for step in ("ours", "pynndescent", "hnswlib", "scanpy"):
            assert f"neighbors.{step}@{cells}" in found
    for key in (
        "neighbors.ours@5000000", "neighbors.one_worker@1000000", "neighbors.two_workers@1000000", "harmony.ours@1000000",
        "harmony.harmonypy@100000", "leiden.ours@1000000", "leiden.leidenalg@1000000", "umap.ours@1000000", "umap.full@100000",
        "umap.full_of_some@100000", "leiden.whole@100000",
        "markers.exact@1000000", "markers.histogram@1000000", "markers.scanpy@100000", "diffusion.ours@1000000",
    ):  # fmt: skip
        assert key in found


def test_graph_jobs__make_inputs_first():
    found = keys(jobs_of(SIZES, tiled=0))
    for maker, user in (
        ("ours.chain@1000000", "embeddings.part@300000"),
        ("embeddings.part@300000", "neighbors.ours@300000"),
        ("embeddings.tile@5000000", "neighbors.ours@5000000"),
        ("embeddings.graph@1000000", "leiden.ours@1000000"),
        ("embeddings.graph@100000", "umap.ours@100000"),
        ("inputs.export_h5ad@100000", "markers.scanpy@100000"),
    ):
        assert found.index(maker) < found.index(user)
    assert len(found) == len(set(found))


def test_graph_jobs__leave_out_what_is_skipped():
    assert graph_jobs(SIZES, skip=["graph"]) == []
    parts = ["neighbors", "harmony", "leiden", "umap", "diffusion", "markers"]
    assert graph_jobs(SIZES, skip=parts) == []
    modules = {job.step.partition(".")[0] for job in graph_jobs(SIZES, skip=["umap", "markers"])}
    assert modules == {"embeddings", "neighbors", "harmony", "leiden", "diffusion"}
    own = keys(graph_jobs(SIZES, skip=["rivals", "cluster"]))
    assert not [key for key in own if "scanpy" in key or "alg" in key or "worker" in key or "hnsw" in key]


def test_graph_jobs__small_sizes_need_no_other_embeddings():
    modules = {job.step for job in graph_jobs([2_000])}
    assert "embeddings.part" not in modules
    assert "embeddings.tile" not in modules
