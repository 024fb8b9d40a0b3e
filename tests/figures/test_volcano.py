"""The picture of a scan."""

from __future__ import annotations

import numpy as np
import pytest

from chemores_dask.errors import ParameterError
from chemores_dask.figures.volcano import volcano
from tests.figures.drawn import by_name, said, texts_of
from tests.figures.examples_of_response import response_scan_result
from tests.figures.examples_of_results import scan_result


def test_volcano__highlights_what_passes_the_rate():
    scan = scan_result()
    figure = volcano(scan)
    passed = (scan["cox_q_value"].values < 0.05) & (scan["cox_status"].values == 0)
    up = passed & (scan["cox_coefficient"].values > 0)
    (worse,) = by_name(figure, "worse")
    assert np.array_equal(worse.get_xdata(), scan["cox_coefficient"].values[up])
    assert np.allclose(worse.get_ydata(), -np.log10(scan["cox_p_value"].values[up]))
    assert f"{passed.sum()} of 497 genes with q < 0.05" in said(figure)


def test_volcano__says_n_and_what_is_left_out():
    words = said(volcano(scan_result()))
    assert "n = 200 patients, 97 events" in words
    assert "3 genes could not be fitted" in words


def test_volcano__names_the_first_genes_by_p():
    scan = scan_result()
    first = str(scan["gene"].values[int(np.argmin(scan["cox_p_value"].values))])
    assert first in texts_of(volcano(scan, labels=1))
    assert first not in texts_of(volcano(scan, labels=0))


def test_volcano__draws_p_of_zero_and_no_hits():
    scan = scan_result(50)
    scan["cox_p_value"][0] = 0.0
    assert by_name(volcano(scan), "better")[0].get_ydata().max() == 300
    scan["cox_p_value"][:] = 0.9
    scan["cox_q_value"][:] = 0.9
    assert "0 of 50 genes" in said(volcano(scan))


def test_volcano__says_that_no_gene_was_fitted():
    scan = scan_result(20)
    scan["cox_p_value"][:] = np.nan
    assert "No gene could be fitted" in said(volcano(scan))
    assert "No gene could be fitted" in said(volcano(scan.isel(gene=[])))


def test_volcano__draws_genes_against_a_response():
    scan = response_scan_result()
    figure = volcano(scan, q=0.9)
    words = said(figure)
    for expected in ("n = 37 patients", "Spearman correlation", "rises with the response", "falls with the response"):
        assert expected in words
    found = scan["response_scan_q_value"].values < 0.9
    up = found & (scan["response_scan_correlation"].values > 0)
    assert np.array_equal(by_name(figure, "worse")[0].get_xdata(), scan["response_scan_correlation"].values[up])


def test_volcano__refuses_a_rate_above_one():
    with pytest.raises(ParameterError, match="at most 1"):
        volcano(scan_result(), q=5.0)
