from __future__ import annotations

import numpy as np
import pytest

from chemores_dask.figures.coefficient_path import coefficient_path
from chemores_dask.testing.nouns import tiny_patients
from chemores_dask.testing.signature_nouns import tiny_risk_signature


@pytest.fixture(scope="module")
def signature():
    return tiny_risk_signature(tiny_patients())


def drawn(figure, gid):
    return [line for axes in figure.axes for line in axes.lines if line.get_gid() == gid]


def test_coefficient_path__draws_each_gene_and_the_chosen_penalty(signature):
    figure = coefficient_path(signature)
    (gene,) = drawn(figure, "path-GENE001")
    place = list(signature["path_gene"].values).index("GENE001")
    assert np.array_equal(gene.get_ydata(), signature["risk_signature_path_weight"].values[:, place])
    (chosen,) = drawn(figure, "chosen")
    assert chosen.get_xdata()[0] == pytest.approx(-np.log10(float(signature["risk_signature_chosen_lambda"])))


def test_coefficient_path__says_where_nothing_has_a_weight(signature):
    assert not coefficient_path(signature.isel(path_gene=[])).axes[0].lines
