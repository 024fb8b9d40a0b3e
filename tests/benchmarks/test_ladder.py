from __future__ import annotations

import platform

import pytest

from benchmarks.ladder import climb, processor
from benchmarks.measured_steps import STEPS


@pytest.mark.slow
def test_climb__computes_every_step_at_toy_size(tmp_path):
    table = climb([600], tmp_path, warm_up=500)
    assert list(table["step"]) == list(STEPS)
    assert (table["seconds"] > 0).all()
    assert (table["peak_memory_mb"] > 50).all()
    assert (table["nonzeros"] > 600 * 100).all()
    assert (tmp_path / "600" / "cohort.zarr" / "results" / "pca").is_dir()


def test_processor__names_the_model_or_the_architecture(tmp_path):
    facts = tmp_path / "cpuinfo"
    assert processor(facts) == platform.machine()
    facts.write_text("processor\t: 0\nmodel name\t: A Processor 9000\n")
    assert processor(facts) == "A Processor 9000"
