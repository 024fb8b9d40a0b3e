"""A signature without each of its genes: equal to a signature that never had the gene."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from chemores_dask.cohort.risk_signature.leave_one_gene import LeaveOneOptions, leave_one_gene_out
from chemores_dask.cohort.risk_signature.risk_prediction import predict_risk
from chemores_dask.cohort.survival.cox_models import cox_model
from chemores_dask.errors import InputError, MissingGenesWarning, ParameterError, TooFewEventsError
from tests.cohort.risk_signature.validation_cohorts import OUTCOME, cohort, signature

WEIGHTS = (0.8, -0.5, 0.2)


def left(patients=None, found=None, **options):
    return leave_one_gene_out(
        cohort() if patients is None else patients,
        signature=signature(WEIGHTS) if found is None else found,
        **OUTCOME,
        options=LeaveOneOptions(**options),
    )


@pytest.mark.parametrize("standardize", ["training", "cohort"])
def test_leave_one_gene_out__equals_a_signature_without_the_gene(standardize):
    patients, whole = cohort(), signature(WEIGHTS)
    patients["expression"][5, 1] = np.nan
    found = left(patients, standardize=standardize, minimum_weight=0.5)
    parts = {"": whole} | {gene: whole.sel(gene=[g for g in "ABC" if g != gene]) for gene in "ABC"}
    for gene, part in parts.items():
        risk = predict_risk(patients, signature=part, standardize=standardize, minimum_weight=0.2)["risk_score"].values
        scored = patients.assign(z=("patient", risk / risk.std()))
        model = cox_model(scored, **OUTCOME, covariates=["z"])
        prefix, place = ("leave_one", {"gene": gene}) if gene else ("leave_one_whole", {})
        for name in ("hazard_ratio", "hazard_ratio_lower", "hazard_ratio_upper", "p_value"):
            expected = float(model[f"cox_model_{name}"][0])
            assert float(found[f"{prefix}_{name}"].sel(place)) == pytest.approx(expected, rel=1e-7)
        expected = float(model["cox_model_concordance"])
        assert float(found[f"{prefix}_concordance"].sel(place)) == pytest.approx(expected, abs=1e-12)
    assert found["leave_one_weight"].values.tolist() == list(WEIGHTS)


def test_leave_one_gene_out__says_how_alike_the_risks_are():
    found = left()
    expression = cohort()["expression"].values
    whole = expression @ WEIGHTS
    expected = [np.corrcoef(whole, whole - WEIGHTS[k] * expression[:, k])[0, 1] for k in range(3)]
    np.testing.assert_allclose(found["leave_one_risk_correlation"], expected, rtol=1e-10)


def test_leave_one_gene_out__lists_measured_genes_only():
    with pytest.warns(MissingGenesWarning):
        found = left(found=signature((1.0, 0.5, 0.1, 0.1)))
    assert found["gene"].values.tolist() == ["A", "B", "C"]
    assert [int(found["leave_one_patients"]), int(found["leave_one_events"])] == [160, 93]


def test_leave_one_gene_out__flags_a_risk_that_is_gone():
    # Without A, only a gene that is the same for all is left.
    patients = cohort()
    patients["expression"][:, 1] = 1.0
    found = left(patients, signature((1.0, 0.5)))
    status = found["leave_one_status"]
    assert status.attrs["flag_meanings"].split()[int(status[0])] == "constant"
    assert np.isnan(found["leave_one_hazard_ratio"][0])
    assert np.isnan(found["leave_one_risk_correlation"][0])
    assert float(found["leave_one_concordance"][0]) == 0.5
    assert np.isfinite(found["leave_one_hazard_ratio"][1])


def test_leave_one_gene_out__does_not_depend_on_order_or_blocks():
    patients = cohort()
    first = left(patients)
    other = patients.isel(patient=slice(None, None, -1)).chunk({"gene": 1})
    xr.testing.assert_allclose(first, left(other), rtol=1e-12)


def test_leave_one_gene_out__refuses_what_cannot_be():
    with pytest.raises(InputError, match="at least 2 genes"):
        left(found=signature((1.0,)))
    with pytest.raises(TooFewEventsError):
        left(cohort().assign(event=("patient", np.zeros(160))))
    with pytest.raises(ParameterError, match="level"):
        left(level=2)
    with pytest.raises(InputError, match="not 0"):
        left(found=signature((1.0, 0.0)))
    months = cohort()["months"].values.astype(float)
    months[3] = -1
    with pytest.raises(InputError, match="p003"):
        left(cohort().assign(months=("patient", months)))
