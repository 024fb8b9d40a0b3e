"""The picture of states per sample."""

from __future__ import annotations

import numpy as np
import pytest

from chemores_dask.errors import MissingVariableError
from chemores_dask.figures.composition_bars import composition_bars
from tests.figures.drawn import by_name, said, texts_of
from tests.figures.examples_of_results import cube_result


def test_composition_bars__are_the_shares():
    cube = cube_result()
    bars = by_name(composition_bars(cube), "stem_like")
    cells = cube["cube_cells"].values
    assert np.allclose([bar.get_width() for bar in bars], cells[:, 1] / cells.sum(axis=1))
    assert f"{cells[1].sum():,}" in texts_of(composition_bars(cube))


def test_composition_bars__sort_by_patient_and_stage():
    cube = cube_result().isel(sample=[5, 0, 3, 1, 4, 2])
    labels = [text.get_text() for text in composition_bars(cube).axes[0].get_yticklabels()]
    assert labels == sorted(cube["sample"].values)
    by_stage = [text.get_text() for text in composition_bars(cube, order=("stage",)).axes[0].get_yticklabels()]
    assert [name.split("-")[1] for name in by_stage] == ["diagnosis"] * 3 + ["relapse"] * 3
    with pytest.raises(MissingVariableError, match="stage, patient"):
        composition_bars(cube, order=("site",))


def test_composition_bars__show_empty_samples_and_no_cells():
    cube = cube_result()
    cube["cube_cells"][0] = 0
    assert "0" in texts_of(composition_bars(cube))
    assert "no cells" in said(composition_bars(cube * 0))
