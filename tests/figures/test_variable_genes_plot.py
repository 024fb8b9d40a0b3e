"""The picture of variable genes."""

from __future__ import annotations

import numpy as np
import pytest

from chemores_dask.errors import MissingVariableError
from chemores_dask.figures.variable_genes_plot import variable_genes_plot
from tests.figures.drawn import by_name, said
from tests.figures.examples_of_results import variable_genes_result


@pytest.mark.parametrize(("method", "label"), [("seurat_v3", "Variance after"), ("seurat", "Normalized dispersion")])
def test_variable_genes_plot__draws_all_genes_and_highlights_the_chosen(method, label):
    result = variable_genes_result(method)
    figure = variable_genes_plot(result)
    (chosen,) = by_name(figure, "chosen")
    keep = result["gene_variable"].values
    assert np.array_equal(chosen.get_xdata(), result["gene_mean"].values[keep])
    assert len(by_name(figure, "other")[0].get_xdata()) == 440
    assert label in said(figure)
    assert "CD44" in said(figure)
    assert "60 variable genes of 500" in said(figure)


def test_variable_genes_plot__needs_a_height():
    with pytest.raises(MissingVariableError, match="gene_variance_normalized"):
        variable_genes_plot(variable_genes_result().drop_vars("gene_variance_normalized"))


def test_variable_genes_plot__survives_genes_that_are_never_seen():
    result = variable_genes_result()
    result["gene_mean"][:] = 0.0
    assert "no expressed genes" in said(variable_genes_plot(result))
