from __future__ import annotations

import pytest

from benchmarks.ladder import climb
from benchmarks.measured_steps import STEPS


@pytest.mark.slow
def test_climb__computes_every_step_at_toy_size(tmp_path):
    table = climb([600], tmp_path, warm_up=500)
    assert list(table["step"]) == list(STEPS)
    assert (table["seconds"] > 0).all()
    assert (table["peak_memory_mb"] > 50).all()
    assert (table["nonzeros"] > 600 * 100).all()
    assert (tmp_path / "600" / "cohort.zarr" / "results" / "pca").is_dir()
