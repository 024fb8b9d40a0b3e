from __future__ import annotations

import json
import platform

import pytest

from benchmarks.machine import machine, processor
from benchmarks.measurement import DONE, Notebook
from benchmarks.plots import draw_growth, slope
from benchmarks.requirements import check_agreement, requirements
from benchmarks.tables import measurements, write_tables


def _row(step, cells, seconds, gigabytes, **facts):
    facts = {"nonzeros": 1_000 * cells, "rows_decoded": 2 * cells, "bytes_decoded": 8_000 * cells, **facts}
    return {
        "step": step, "cells": cells, "status": DONE, "why": "", "load": 0.1, "wall": seconds + 1, "seconds": seconds,
        "parts": {"one": seconds / 2, "two": seconds / 2}, "peak_bytes": gigabytes * 1e9, "own_peak_bytes": 1e9, "facts": facts,
    }  # fmt: skip


@pytest.fixture
def notebook(tmp_path):
    kept = Notebook(tmp_path)
    for row in (
        _row("ours.bare_decode", 100_000, 1.0, 0.5),
        _row("ours.full_pass", 100_000, 2.0, 0.6),
        _row("ours.chain", 100_000, 5.0, 1.0),
        _row("scanpy.chain", 100_000, 25.0, 5.0),
        _row("ours.chain", 1_000_000, 60.0, 1.1),
        _row("scanpy.chain", 1_000_000, 250.0, 50.0),
    ):
        kept.add(row)
    return kept


def _met(rows, work, cells):
    (row,) = [row for row in rows if row["work"] == work and row["cells"] == cells]
    return row["met"]


def test_requirements__says_what_was_reached_and_what_was_not(notebook):
    rows = requirements(notebook, sizes=[100_000, 1_000_000], tiled=0)
    assert _met(rows, "one full pass", 100_000) == "no"  # 50 M a second
    assert _met(rows, "full pass over bare decode", 100_000) == "no"
    assert _met(rows, "speed against scanpy in memory", 100_000) == "yes"
    assert _met(rows, "memory against scanpy in memory", 100_000) == "no"  # a fifth
    assert _met(rows, "store to PCA, seconds", 1_000_000) == "yes"
    assert _met(rows, "growth: seconds per cell", "1000000 over 100000") == "no"  # 1.2
    assert _met(rows, "growth: peak memory", "1000000 over 100000") == "yes"


def test_check_agreement__holds_rivals_against_ours(tmp_path):
    checks = tmp_path / "100" / "checks"
    checks.mkdir(parents=True)
    (checks / "ours.json").write_text(json.dumps({"genes": ["a", "b"], "variance": [2.0, 1.0]}))
    (checks / "scanpy.json").write_text(json.dumps({"genes": ["a", "c"], "variance": [2.0, 1.0]}))
    (checks / "ours_pca.json").write_text(json.dumps({"genes": ["a"], "variance": [2.0, 1.0]}))
    (checks / "bpcells.json").write_text(json.dumps({"genes": ["a"], "variance": [2.0, 1.0 + 1e-9]}))
    found = {row["work"]: row["met"] for row in check_agreement(tmp_path, [100])}
    assert found["same variable genes as scanpy"] == "no"
    assert found["same variance of components as bpcells"] == "yes"


def test_measurements__has_a_row_for_every_part(notebook):
    table = measurements(notebook)
    chain = table[(table["step"] == "ours.chain") & (table["cells"] == 100_000)]
    assert list(chain["part"]) == ["all", "one", "two"]
    assert chain["passes"].iloc[0] == 2


def test_write_tables__writes_tables_with_machine_and_plots(notebook, tmp_path):
    results = tmp_path / "results"
    write_tables(notebook, results, sizes=[100_000, 1_000_000], tiled=0, folder=tmp_path)
    header = (results / "measurements.tsv").read_text().splitlines()[0].split("\t")
    assert {"processor", "date", "load", "numpy", "dask", "scanpy"} <= set(header)
    assert {file.name for file in results.iterdir()} == {
        "measurements.tsv", "requirements.tsv", "machine.tsv", "time.png", "memory.png",
    }  # fmt: skip


def test_draw_growth__draws_nothing_of_one_size(tmp_path):
    kept = Notebook(tmp_path)
    kept.add(_row("ours.chain", 100, 1.0, 1.0))
    assert draw_growth(kept, tmp_path, sizes=[100]) == []


def test_slope__is_the_exponent_of_growth():
    assert slope([1, 10, 100], [3, 300, 30_000]) == pytest.approx(2)


def test_machine__names_versions():
    assert machine()["chemores-dask"]


def test_processor__names_the_model_or_the_architecture(tmp_path):
    facts = tmp_path / "cpuinfo"
    assert processor(facts) == platform.machine()
    facts.write_text("processor\t: 0\nmodel name\t: A Processor 9000\n")
    assert processor(facts) == "A Processor 9000"
