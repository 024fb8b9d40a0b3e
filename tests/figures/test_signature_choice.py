from __future__ import annotations

import numpy as np
import pytest

from chemores_dask.figures.signature_choice import signature_choice
from chemores_dask.testing.nouns import tiny_patients
from chemores_dask.testing.signature_nouns import tiny_risk_signature


@pytest.fixture(scope="module")
def signature():
    return tiny_risk_signature(tiny_patients())


def drawn(figure, gid):
    return [line for axes in figure.axes for line in axes.lines if line.get_gid() == gid]


def test_signature_choice__draws_the_deviance_and_marks_what_was_chosen(signature):
    figure = signature_choice(signature)
    (line,) = drawn(figure, "deviance")
    assert np.array_equal(line.get_ydata(), signature["risk_signature_cv_deviance"].values)
    (chosen,) = drawn(figure, "chosen")
    assert chosen.get_ydata()[0] == signature["risk_signature_cv_deviance"].values.min()
    assert drawn(figure, "minimum")[0].get_xdata()[0] >= drawn(figure, "one_error")[0].get_xdata()[0]
