"""P values against uniform ones."""

from __future__ import annotations

import numpy as np
import pytest

from chemores_dask.errors import ParameterError
from chemores_dask.figures.p_value_calibration import p_value_calibration
from tests.figures.drawn import by_name, overlaps, said
from tests.figures.examples_of_differential import cells_result, differential_result


def test_p_value_calibration__draws_sorted_p_against_uniform_ones():
    result = differential_result()
    p_values = np.sort(result["differential_p_value"].values)
    p_values = p_values[np.isfinite(p_values)]
    (points,) = by_name(p_value_calibration(result), "samples")
    np.testing.assert_allclose(points.get_ydata(), -np.log10(p_values))
    np.testing.assert_allclose(points.get_xdata(), -np.log10((np.arange(p_values.size) + 0.5) / p_values.size))


def test_p_value_calibration__shows_cells_as_a_warning():
    figure = p_value_calibration(differential_result(), cells=cells_result())
    words = said(figure).replace("\n", " ")
    assert "cells of one patient are no replicates" in words
    assert "n = 6 patients, 12 samples" in words
    (inside,), (beyond,) = by_name(figure, "cells"), by_name(figure, "cells beyond")
    assert inside.get_xdata().size + beyond.get_xdata().size == 300
    assert f"{beyond.get_xdata().size} points lie beyond" in words
    assert not overlaps(figure)


def test_p_value_calibration__counts_genes_below_the_level():
    result = differential_result()
    p_values = result["differential_p_value"].values
    share = 100 * np.mean(p_values[np.isfinite(p_values)] < 0.2)
    assert f"{share:.2g} % of genes have P < 0.2" in said(p_value_calibration(result, level=0.2))


def test_p_value_calibration__asks_for_the_group_of_many():
    with pytest.raises(ParameterError, match="Name it with group"):
        p_value_calibration(differential_result(), cells=cells_result(("a", "b", "c")))
    with pytest.raises(ParameterError, match="must be one of: a, b, c"):
        p_value_calibration(differential_result(), cells=cells_result(("a", "b", "c")), group="d")


def test_p_value_calibration__says_that_nothing_was_tested():
    result = differential_result()
    result["differential_p_value"][:] = np.nan
    assert "No gene could be tested" in said(p_value_calibration(result))
