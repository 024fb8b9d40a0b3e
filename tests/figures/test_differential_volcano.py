"""The picture of a comparison of samples."""

from __future__ import annotations

import numpy as np
import pytest

from chemores_dask.errors import MissingVariableError, ParameterError
from chemores_dask.figures.differential_volcano import differential_volcano, genes_of
from tests.figures.drawn import by_name, overlaps, said, texts_of
from tests.figures.examples_of_differential import differential_result
from tests.figures.examples_of_results import scan_result


def _drawn(figure, name):
    (points,) = by_name(figure, name)
    return points.get_xdata()


def test_differential_volcano__colors_what_passes_the_rate_and_rings_what_patients_dispute():
    result = differential_result()
    figure = differential_volcano(result)
    change = result["differential_log_fold_change"].values
    passed = (result["differential_q_value"].values < 0.05) & (change > 0)
    agreed = result["differential_patients_same_direction"].values == 6
    np.testing.assert_array_equal(_drawn(figure, "higher"), change[passed & agreed])
    np.testing.assert_array_equal(_drawn(figure, "higher in some"), change[passed & ~agreed])
    assert (passed & agreed).any()
    assert (passed & ~agreed).any()


def test_differential_volcano__says_patients_test_and_agreement():
    words = said(differential_volcano(differential_result())).replace("\n", " ")
    for part in ("n = 6 patients, 12 samples", "~ patient + stage", "Quasi-likelihood F test", "within all 6 patients"):
        assert part in words
    assert "2 genes have too few counts" in words


def test_differential_volcano__says_that_nothing_is_compared_within_patients():
    result = differential_result()
    result["differential_patients_compared"] = 0
    figure = differential_volcano(result)
    assert "nothing is compared within patients" in said(figure)
    assert not _drawn(figure, "higher in some").size


def test_differential_volcano__names_the_first_genes_and_keeps_texts_apart():
    result = differential_result()
    first = str(result["gene"].values[int(np.nanargmin(result["differential_p_value"].values))])
    figure = differential_volcano(result, labels=1)
    assert first in texts_of(figure)
    assert not overlaps(figure)


def test_differential_volcano__draws_one_state():
    result = differential_result(states=("stem_like", "other"))
    assert "genes with q < 0.05 in other" in said(differential_volcano(result, state="other"))
    with pytest.raises(ParameterError, match="there are: stem_like, other"):
        differential_volcano(result)
    with pytest.raises(ParameterError, match="must be one of: stem_like, other"):
        differential_volcano(result, state="blast")
    with pytest.raises(ParameterError, match="leave it out"):
        differential_volcano(differential_result(), state="other")


def test_differential_volcano__says_that_nothing_was_tested():
    result = differential_result()
    result["differential_p_value"][:] = np.nan
    assert "No gene could be tested" in said(differential_volcano(result))


def test_genes_of__refuses_other_results():
    with pytest.raises(MissingVariableError, match="differential_log_fold_change"):
        genes_of(scan_result(), None, caller="test")
