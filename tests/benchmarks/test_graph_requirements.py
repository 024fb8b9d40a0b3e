from __future__ import annotations

import json

import pytest

from benchmarks.graph_requirements import check_graphs, graph_requirements
from benchmarks.measurement import DONE, Notebook


def _row(step, cells, seconds, gigabytes=1.0, **facts):
    return {
        "step": step,
        "cells": cells,
        "status": DONE,
        "seconds": seconds,
        "peak_bytes": gigabytes * 1e9,
        "facts": facts,
    }


@pytest.fixture
def notebook(tmp_path):
    kept = Notebook(tmp_path)
    for row in (
        _row("neighbors.ours", 100_000, 5.0, recall=0.96),
        _row("neighbors.pynndescent", 100_000, 8.0, recall=0.97),
        _row("neighbors.hnswlib", 100_000, 4.0, recall=0.95),
        _row("neighbors.ours", 300_000, 20.0, recall=0.96),
        _row("neighbors.ours", 1_000_000, 130.0, 2.0, recall=0.94),
        _row("neighbors.ours", 5_000_000, 900.0, 5.0, recall=0.96),
        _row("neighbors.one_worker", 1_000_000, 200.0),
        _row("neighbors.two_workers", 1_000_000, 110.0),
        _row("harmony.ours", 1_000_000, 100.0),
        _row("leiden.ours", 1_000_000, 100.0, 9.0, modularity=0.80),
        _row("leiden.leidenalg", 1_000_000, 500.0, modularity=0.81),
        _row("umap.ours", 1_000_000, 500.0, trustworthiness=0.9),
        _row("diffusion.ours", 1_000_000, 100.0),
        _row("markers.exact", 1_000_000, 400.0),
        _row("markers.histogram", 1_000_000, 200.0),
    ):
        kept.add(row)
    return kept


def met(rows, work, cells):
    (row,) = [row for row in rows if row["work"] == work and row["cells"] == cells]
    return row["met"]


def test_graph_requirements__says_what_was_reached_and_what_was_not(notebook):
    rows = graph_requirements(notebook, sizes=[100_000, 1_000_000])
    assert met(rows, "neighbors, seconds", 100_000) == "-"
    assert met(rows, "neighbors against pynndescent", 100_000) == "yes"
    assert met(rows, "neighbors against hnswlib", 100_000) == "no"
    assert met(rows, "neighbors, peak memory", 300_000) == "yes"
    assert met(rows, "neighbors, seconds", 1_000_000) == "no"
    assert met(rows, "recall of neighbors", 1_000_000) == "no"
    assert met(rows, "neighbors, seconds", 5_000_000) == "-"
    assert met(rows, "neighbors, peak memory", 5_000_000) == "yes"
    assert met(rows, "neighbors: two worker processes against one", 1_000_000) == "yes"
    assert met(rows, "harmony, 20 batches, seconds", 1_000_000) == "yes"
    assert met(rows, "leiden, peak memory", 1_000_000) == "no"
    assert met(rows, "modularity of leiden over leidenalg's", 1_000_000) == "no"  # 1.2 % below
    assert met(rows, "umap, seconds", 1_000_000) == "yes"
    assert met(rows, "trustworthiness of umap", 1_000_000) == "-"
    assert met(rows, "diffusion map, seconds", 1_000_000) == "yes"
    assert met(rows, "markers (exact), 20 clusters, seconds", 1_000_000) == "no"
    assert met(rows, "markers (histogram), 20 clusters, seconds", 1_000_000) == "yes"


def test_graph_requirements__of_nothing_are_none(tmp_path):
    assert graph_requirements(Notebook(tmp_path), sizes=[1_000]) == []


def test_check_graphs__holds_peers_against_ours(tmp_path):
    checks = tmp_path / "100" / "checks"
    checks.mkdir(parents=True)
    kept = {
        "markers_exact": {"genes": ["A", "B"], "statistic": [2.0, -3.0], "auroc": [0.5, 0.1]},
        "markers_histogram": {"genes": ["A", "B"], "statistic": [2.0, -3.0], "auroc": [0.5, 0.2]},
        "markers_scanpy": {"genes": ["B", "C", "A"], "statistic": [-3.0, 9.0, 2.001]},
        "harmony_ours": {"scores": [[1.0, 2.0], [2.0, 1.0], [3.0, 5.0]]},
        "harmony_harmonypy": {"scores": [[1.1, 2.0], [2.1, 1.0], [3.1, 5.0]]},
        "diffusion_ours": {"eigenvalue": [1.0, 0.9]},
        "diffusion_scanpy": {"eigenvalue": [1.0, 0.8]},
    }
    for name, values in kept.items():
        (checks / f"{name}.json").write_text(json.dumps(values))
    rows = check_graphs(tmp_path, [100])
    assert met(rows, "same rank statistics as scanpy", 100) == "yes"
    assert met(rows, "AUROC, exact over histogram", 100) == "no"
    assert met(rows, "correlation of scores with harmonypy's", 100) == "yes"
    assert met(rows, "same diffusion eigenvalues as scanpy", 100) == "no"
