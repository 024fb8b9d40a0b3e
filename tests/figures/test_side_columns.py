"""Columns beside a picture."""

from __future__ import annotations

from chemores_dask.figures.side_columns import Column, write_columns
from chemores_dask.figures.style import new_figure
from tests.figures.drawn import by_name, outside, overlaps


def test_write_columns__are_as_wide_as_their_texts():
    figure = new_figure()
    axes = figure.add_subplot()
    axes.set_ylim(1.5, -0.6)
    write_columns(
        axes, [Column("ratio", ["1", "a much longer text"]), Column("", ["x", "y"], ["red", "blue"], bold=True)]
    )
    assert len(by_name(figure, "column")) == 5
    assert not overlaps(figure)
    assert not outside(figure)
