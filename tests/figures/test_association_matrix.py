from __future__ import annotations

import pytest

from chemores_dask.auditor.design_audit import audit
from chemores_dask.auditor.study_design import StudyDesign
from chemores_dask.errors import MissingVariableError
from chemores_dask.figures.association_matrix import association_matrix
from tests.auditor.designs import clean_samples
from tests.auditor.tall_study import tall_samples


def texts(figure, gid):
    (axes,) = figure.axes
    return [text.get_text() for text in axes.texts if text.get_gid() == gid]


def said(figure, gid):
    return next(text.get_text() for text in figure.texts if text.get_gid() == gid)


def test_association_matrix__writes_v_and_what_was_counted():
    found = audit(StudyDesign(tall_samples()[["sample", "patient", "stage", "batch", "tal1"]]))
    figure = association_matrix(found)
    strength = found["association_cramers_v"].values
    assert texts(figure, "strength") == [f"{strength[1, 0]:.2f}", f"{strength[2, 0]:.2f}", f"{strength[2, 1]:.2f}"]
    assert texts(figure, "units") == ["31 samples", "31 samples", "18 patients"]
    assert said(figure, "title") == "batch and tal1 go together"
    (axes,) = figure.axes
    assert [label.get_text() for label in axes.get_xticklabels()] == ["stage", "batch"]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["batch", "tal1"]


def test_association_matrix__says_when_nothing_goes_together():
    figure = association_matrix(audit(StudyDesign(clean_samples())))
    assert said(figure, "title") == "No two of 4 variables of the samples go together"


def test_association_matrix__counts_pairs():
    table = tall_samples()
    figure = association_matrix(audit(StudyDesign(table)))
    assert said(figure, "title").endswith("pairs of variables go together")


@pytest.mark.parametrize("columns", [["sample"], ["sample", "patient", "stage"]])
def test_association_matrix__needs_two_variables(columns):
    figure = association_matrix(audit(StudyDesign(clean_samples()[columns])))
    assert "fewer than two variables" in figure.axes[0].texts[0].get_text()


def test_association_matrix__needs_the_result_of_an_audit():
    found = audit(StudyDesign(clean_samples())).drop_vars("association_units")
    with pytest.raises(MissingVariableError, match=r"association_units"):
        association_matrix(found)
