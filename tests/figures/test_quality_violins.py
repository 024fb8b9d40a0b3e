"""The picture of quality."""

from __future__ import annotations

import numpy as np
import pytest

from chemores_dask.errors import MissingVariableError
from chemores_dask.figures.quality_violins import quality_violins
from tests.figures.drawn import by_name, said, texts_of
from tests.figures.examples_of_results import quality_result


def test_quality_violins__mark_medians_of_kept_cells():
    result = quality_result(2, 300)
    figure = quality_violins(result)
    keep = result["cell_keep"].values
    first = np.arange(600) < 300
    expected = np.median(result["cell_total"].values[keep & first])
    assert by_name(figure, "median")[0].get_xdata()[0] == expected
    assert len(by_name(figure, "median")) == 6


def test_quality_violins__say_the_share_kept():
    result = quality_result(2, 300)
    share = f"{100 * result['cell_keep'].values[:300].mean():.0f} %"
    words = texts_of(quality_violins(result))
    assert share in words
    assert "300" in words
    assert f"{int(result['cell_keep'].sum()):,} of 600 cells kept" in said(quality_violins(result))


def test_quality_violins__draw_the_limits_that_were_set():
    assert sorted(line.get_xdata()[0] for line in by_name(quality_violins(quality_result()), "limit")) == [0.12, 1000]


def test_quality_violins__draw_samples_without_kept_cells():
    result = quality_result(2, 20)
    result["cell_keep"][:] = False
    result["cell_total"][:] = 0
    assert "0 of 40 cells kept (0 %)" in said(quality_violins(result))


def test_quality_violins__say_that_there_are_no_cells():
    assert "no cells" in said(quality_violins(quality_result().isel(cell=slice(0, 0))))


def test_quality_violins__name_what_is_missing():
    with pytest.raises(MissingVariableError, match="cell_keep"):
        quality_violins(quality_result().drop_vars("cell_keep"))


def test_quality_violins__say_that_no_mitochondrial_gene_was_found():
    result = quality_result()
    assert "Mitochondrial share" in texts_of(quality_violins(result))
    unknown = quality_violins(result.assign_attrs(mitochondrial_genes=0))
    assert "Mitochondrial share (no such gene found)" in texts_of(unknown)
