"""What cannot be tested is refused in plain words, and single genes never stop a scan."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from chemores_dask.cohort.differential.differential_expression import differential_expression
from chemores_dask.cohort.differential.gene_scan import ALL_ZERO, FILTERED, OK
from chemores_dask.cohort.differential.table_tests import DifferentialOptions, repeated_patients, sample_owners
from chemores_dask.errors import (
    CountsError,
    InputError,
    MissingVariableError,
    ParameterError,
    RepeatedPatientsWarning,
)
from tests.cohort.differential.simulated_samples import paired

RELAPSE = "stage[T.relapse]"
METHODS = pytest.mark.parametrize("method", ["voom", "negative_binomial"])


def _with(data, name, values):
    return data.assign_coords({name: ("sample", np.asarray(values))})


def test_design__that_is_aliased_names_what_equals_what():
    data = paired(patients=4)
    data = _with(data, "batch", np.repeat(["A", "B"], 4))
    with pytest.raises(InputError, match=r"batch\[T.B\] = patient\[T.P2\] \+ patient\[T.P3\]"):
        differential_expression(data, formula="~ patient + batch + stage", contrast=RELAPSE)


def test_formula__that_names_a_missing_column_says_which_are_there():
    with pytest.raises(MissingVariableError, match=r"names batch; present: .*stage"):
        differential_expression(paired(), formula="~ batch + stage", contrast=RELAPSE)


def test_contrast__that_is_no_column_names_the_nearest():
    with pytest.raises(ParameterError, match=r"Did you mean stage\[T.relapse\]"):
        differential_expression(paired(), contrast="stage[relapse]")


@METHODS
def test_counts__that_are_percentages_are_refused(method):
    data = paired(genes=30)
    totals = data["pseudobulk_count"].sum("gene")
    shares = data.assign(pseudobulk_count=100 * data["pseudobulk_count"] / totals)
    with pytest.raises(CountsError, match="not percentages"):
        differential_expression(shares, contrast=RELAPSE, method=method)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda counts: counts * 0 + np.arange(counts.sizes["gene"]), "adds up to"),
        (lambda counts: counts - 1_000_000, "0 or above"),
        (lambda counts: (counts + 0.0).where(counts > 20), "whole numbers"),
        (np.log1p, "logarithms"),
        (lambda counts: counts.astype(str), "must be numbers"),
    ],
)
def test_counts__that_are_no_counts_are_refused(change, words):
    data = paired(genes=30)
    with pytest.raises(CountsError, match=words):
        differential_expression(data.assign(pseudobulk_count=change(data["pseudobulk_count"])), contrast=RELAPSE)


@METHODS
def test_genes__without_counts_are_flagged_and_the_others_tested(method):
    data = paired(patients=4, genes=80)
    counts = data["pseudobulk_count"].values.copy()
    counts[:, 3] = 0
    counts[:, 4] = np.arange(8) == 2
    counts[::2, 5] = 0
    counts[:, 6] = 10**9
    counts[:4, 7] = 0
    result = differential_expression(
        data.assign(pseudobulk_count=(("sample", "gene"), counts)), contrast=RELAPSE, method=method
    )
    status = result["differential_status"].values
    assert status[3] == ALL_ZERO
    assert status[4] == FILTERED
    assert (status[5:8] == OK).all()
    for name in ("log_fold_change", "p_value", "q_value", "statistic", "variance"):
        values = result[f"differential_{name}"].values
        assert np.isnan(values[3:5]).all()
        assert np.isfinite(values[status == OK]).all()
    assert result["differential_log_fold_change"][5] > 2
    assert int(result["differential_genes_tested"]) == (status == OK).sum()


def test_samples__one_of_each_group_leave_no_degrees_of_freedom():
    data = paired(genes=30).isel(sample=[0, 3])
    with pytest.raises(InputError, match=r"more samples than columns .* 2 samples and 2 columns"):
        differential_expression(data, formula="~ stage", contrast=RELAPSE)


def test_samples__of_one_patient_leave_no_degrees_of_freedom():
    data = paired(patients=1, genes=30)
    with pytest.raises(InputError, match="more samples than columns"):
        differential_expression(data, formula="~ stage", contrast=RELAPSE)


def test_samples__of_several_times_the_same_patient_are_warned_of():
    with pytest.warns(RepeatedPatientsWarning, match="12 samples are from 6 patients"):
        differential_expression(paired(), formula="~ stage", contrast=RELAPSE, method="voom")
    assert repeated_patients([], patient="patient", formula="~ stage") == ""


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_covariates__that_are_missing_are_named(value):
    age = np.arange(12.0)
    age[4] = value
    with pytest.raises(InputError, match=r"S05|must be finite"):
        differential_expression(_with(paired(), "age", age), formula="~ patient + stage + age", contrast=RELAPSE)


@METHODS
def test_covariates__may_be_continuous(method):
    data = paired(genes=60, effect=2.0)
    dose = np.tile([0.0, 1.0], 6) * np.repeat([1.0, 2.0, 3.0, 1.0, 2.0, 3.0], 2)
    result = differential_expression(
        _with(data, "dose", dose), formula="~ patient + dose", contrast="dose", method=method
    )
    assert int(result["differential_patients_compared"]) == 6
    assert np.isfinite(result["differential_p_value"]).all()
    rescaled = differential_expression(
        _with(data, "dose", 1e6 * dose), formula="~ patient + dose", contrast="dose", method=method
    )
    np.testing.assert_allclose(rescaled["differential_p_value"], result["differential_p_value"], rtol=1e-5)


def test_patient__must_be_known_for_every_sample():
    data = paired()
    with pytest.raises(MissingVariableError, match="patient=None"):
        differential_expression(data, contrast=RELAPSE, patient="donor")
    names = data["patient"].values.astype(object)
    names[2] = None
    with pytest.raises(InputError, match="Without 'patient': S03"):
        sample_owners(pd.DataFrame({"patient": names}, index=data["sample"].values), "patient", caller="test")


def test_genes__must_have_enough_counts():
    data = paired(genes=30, mean=0.5)
    with pytest.raises(InputError, match="genes with enough counts"):
        differential_expression(data, contrast=RELAPSE)
    lower = DifferentialOptions(minimum_count=0, minimum_total=1)
    result = differential_expression(data, contrast=RELAPSE, options=lower)
    assert int(result["differential_genes_tested"]) > 20


@METHODS
def test_differential_expression__takes_one_gene(method):
    result = differential_expression(paired(genes=20).isel(gene=[3]), contrast=RELAPSE, method=method)
    assert result["differential_status"].values.tolist() == [OK]


def test_samples__must_be_used_and_named():
    data = paired(genes=30)
    data["pseudobulk_used"][:] = False
    with pytest.raises(InputError, match="enough cells"):
        differential_expression(data, contrast=RELAPSE)
    with pytest.raises(MissingVariableError, match="coordinate 'sample'"):
        differential_expression(paired(genes=30).drop_vars("sample"), contrast=RELAPSE)
    with pytest.raises(MissingVariableError, match="pseudobulk_count"):
        differential_expression(xr.Dataset(coords={"sample": ["S1"], "patient": ("sample", ["P1"])}), contrast=RELAPSE)


@pytest.mark.parametrize("options", [{"minimum_count": -1}, {"minimum_total": np.nan}])
def test_differential_options__refuse_impossible_limits(options):
    with pytest.raises(ParameterError, match="at least 0"):
        DifferentialOptions(**options)


def test_method__must_be_known():
    with pytest.raises(ParameterError, match="negative_binomial, voom"):
        differential_expression(paired(genes=30), contrast=RELAPSE, method="wilcoxon")
