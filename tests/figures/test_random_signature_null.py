"""The picture of a signature among random ones."""

from __future__ import annotations

import numpy as np
import pytest

from chemores_dask.errors import MissingVariableError
from chemores_dask.figures.random_signature_null import random_signature_null
from tests.figures.drawn import by_name, said
from tests.figures.examples_of_validation import left_result, null_result


def test_random_signature_null__draws_all_draws_and_the_signature():
    result = null_result()
    figure = random_signature_null(result)
    (steps,) = by_name(figure, "null")
    assert steps.get_data().values.sum() == result.sizes["draw"]
    (mark,) = by_name(figure, "signature")
    assert mark.get_xdata()[0] == float(result["random_signature_concordance"])


def test_random_signature_null__says_the_test():
    words = said(random_signature_null(null_result()))
    for part in (
        "n = 40 patients, 30 events",
        "60 random signatures of 3 genes",
        "from 12 genes",
        "Empirical test",
        "Wald",
    ):
        assert part in words
    result = null_result()
    result["random_signature_missing_genes"][...] = 2
    assert "2 genes of the signature" in said(random_signature_null(result))


def test_random_signature_null__says_that_there_is_nothing_to_draw():
    result = null_result()
    result["random_signature_concordance"][...] = np.nan
    assert "no concordance" in said(random_signature_null(result))
    with pytest.raises(MissingVariableError):
        random_signature_null(left_result())
