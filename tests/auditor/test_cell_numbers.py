from __future__ import annotations

import numpy as np
import pytest

from chemores_dask.auditor.cell_numbers import check_cells
from chemores_dask.auditor.study_design import StudyDesign
from tests.auditor.designs import clean_samples

SAMPLES = clean_samples()


def look(cells):
    return check_cells(StudyDesign(SAMPLES.assign(cells=cells))).findings


@pytest.mark.parametrize(("first", "codes"), [(650, []), (6400, []), (6500, ["imbalanced_cells"]), (66, []), (65, ["imbalanced_cells"]),
                                              (9, ["few_cells"]), (0, ["few_cells"])])  # fmt: skip
def test_check_cells__holds_samples_against_the_median(first, codes):
    assert [finding.code for finding in look([first, *[650] * 15])] == codes


def test_check_cells__names_the_samples():
    (finding,) = look(np.where(SAMPLES["sample"] == "P03_relapse", 3, 650))
    assert finding.subject == "P03_relapse"
    assert "P03_relapse (3)" in finding.text


def test_check_cells__takes_a_table_without_names():
    table = SAMPLES[["patient", "cells"]].assign(cells=[20_000, *[650] * 15])
    assert check_cells(StudyDesign(table)).findings[0].subject == "0"
    assert not check_cells(StudyDesign(SAMPLES.drop(columns="cells"))).applicable
    assert not check_cells(StudyDesign(SAMPLES.iloc[:0])).applicable
