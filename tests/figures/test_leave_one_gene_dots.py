"""The picture of a signature without each of its genes."""

from __future__ import annotations

import numpy as np

from chemores_dask.figures.leave_one_gene_dots import leave_one_gene_dots
from tests.figures.drawn import by_name, said
from tests.figures.examples_of_validation import left_result


def test_leave_one_gene_dots__draws_the_costliest_gene_first():
    result = left_result()
    figure = leave_one_gene_dots(result)
    drawn = [dot.get_xdata()[0] for dot in by_name(figure, "gene")]
    assert drawn == sorted(result["leave_one_hazard_ratio"].values.tolist())
    (whole,) = by_name(figure, "whole")
    assert whole.get_xdata()[0] == float(result["leave_one_whole_hazard_ratio"])
    labels = [text.get_text() for text in figure.axes[0].get_yticklabels()]
    assert labels == ["without GENE001", "without GENE007", "without GENE004"]


def test_leave_one_gene_dots__says_patients_events_and_test():
    words = said(leave_one_gene_dots(left_result(), genes=2))
    for part in (
        "n = 40 patients, 30 events",
        "Whole signature: hazard ratio 2.41",
        "2 of 3 genes are drawn",
        "P (Wald)",
    ):
        assert part in words


def test_leave_one_gene_dots__leaves_a_gene_without_estimate_empty():
    result = left_result()
    for end in ("", "_lower", "_upper"):
        result[f"leave_one_hazard_ratio{end}"][0] = np.nan
    figure = leave_one_gene_dots(result)
    assert len(by_name(figure, "gene")) == 2
    assert figure.axes[0].get_yticklabels()[0].get_text() == "without GENE001"
    result["leave_one_whole_hazard_ratio"][...] = np.nan
    assert "no finite estimate" in said(leave_one_gene_dots(result))
