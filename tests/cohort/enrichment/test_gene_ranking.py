"""One number per gene, from the results of comparisons."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from chemores_dask.cohort.enrichment.gene_ranking import ranking_of
from chemores_dask.cohort.survival.cox_scan import cox_scan
from chemores_dask.errors import InputError, MissingVariableError, ParameterError
from chemores_dask.testing.nouns import tiny_patients


def table(**columns):
    made = {name: ("gene", np.array(values, dtype=float)) for name, values in columns.items()}
    return xr.Dataset(made, coords={"gene": ["A", "B", "C"]})


def values_of(*arguments, **options):
    return ranking_of(*arguments, **options)["ranking_value"].values.tolist()


def test_ranking_of__takes_the_statistic_of_the_test():
    result = table(de_statistic=[2, -1, np.nan], de_log_fold_change=[1, -3, 0], de_p_value=[0.01, 0.1, np.nan]).assign(
        de_patients=((), 6)
    )
    np.testing.assert_array_equal(values_of(result, by="statistic"), [2, -1, np.nan])
    assert values_of(result, by="log_fold_change") == [1, -3, 0]
    np.testing.assert_allclose(values_of(result, by="signed_log_p"), [2, -1, np.nan])
    assert int(ranking_of(result, by="statistic")["ranking_patients"]) == 6


def test_ranking_of__divides_the_coefficient_of_a_cox_scan_by_its_error():
    scan = cox_scan(tiny_patients(), duration="months", event="event")
    found = ranking_of(scan, by="statistic")
    expected = scan["cox_coefficient"].values / scan["cox_standard_error"].values
    np.testing.assert_allclose(found["ranking_value"].values, expected)
    assert int(found["ranking_patients"]) == 40
    signed = ranking_of(scan, by="signed_log_p")["ranking_value"].values
    np.testing.assert_allclose(np.abs(signed), -np.log10(scan["cox_p_value"].values))
    assert (np.sign(signed) == np.sign(expected)).all()


def test_ranking_of__cuts_p_values_of_0():
    found = values_of(table(a_p_value=[0, 1e-300, 1], a_coefficient=[1, -1, 2]), by="signed_log_p")
    np.testing.assert_allclose(found, [307.6527, -300, 0], atol=1e-3)


def test_ranking_of__has_no_value_where_the_error_is_unknown():
    found = values_of(table(a_coefficient=[1, 2, 3], a_standard_error=[0, np.nan, 2]), by="statistic")
    np.testing.assert_array_equal(found, [np.nan, np.nan, 1.5])


def test_ranking_of__asks_which_test_is_meant():
    result = table(a_statistic=[1, 2, 3], b_statistic=[4, 5, 6])
    with pytest.raises(ParameterError, match="Found a_statistic, b_statistic; give the first word"):
        ranking_of(result, by="statistic")
    assert values_of(result, by="statistic", prefix="b") == [4, 5, 6]


def test_ranking_of__says_what_is_missing():
    with pytest.raises(MissingVariableError, match=r"a variable …_log_fold_change or …_coefficient over .gene."):
        ranking_of(table(a_statistic=[1, 2, 3]), by="log_fold_change")
    with pytest.raises(MissingVariableError, match="c_p_value"):
        ranking_of(table(a_p_value=[1, 1, 1]), by="signed_log_p", prefix="c")
    with pytest.raises(ParameterError, match="'by' parameter of ranking_of must be one of"):
        ranking_of(table(a_statistic=[1, 2, 3]), by="t")
    with pytest.raises(InputError, match="between 0 and 1"):
        ranking_of(table(a_p_value=[1, 2, 0], a_coefficient=[1, 1, 1]), by="signed_log_p")
