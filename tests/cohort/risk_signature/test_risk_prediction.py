from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from chemores_dask.cohort.risk_signature.risk_prediction import predict_risk
from chemores_dask.errors import (
    GeneMismatchError,
    InputError,
    MissingGenesWarning,
    MissingVariableError,
    ParameterError,
)
from tests.cohort.risk_signature.risk_cohorts import risk_cohort


def signature(genes=("G00", "G01", "G02"), weights=(0.6, -0.3, 0.1), *, scale=1, cutoff=0.0):
    size = len(genes)
    return xr.Dataset(
        {
            "risk_signature_weight": ("gene", np.array(weights, dtype=float)),
            "risk_signature_center": ("gene", np.full(size, 6.0)),
            "risk_signature_scale": ("gene", np.full(size, 1.5)),
            "risk_signature_cutoff": cutoff,
            "risk_signature_cutoff_scale": scale,
            "risk_signature_score_mean": 0.1,
            "risk_signature_score_deviation": 0.7,
        },
        coords={"gene": list(genes)},
    )


def test_predict_risk__is_the_weighted_sum_of_frozen_z_scores():
    patients = risk_cohort()
    found = predict_risk(patients, signature=signature())
    z = (patients["expression"].values[:, :3] - 6) / 1.5
    assert found["risk_score"].values == pytest.approx(z @ [0.6, -0.3, 0.1])
    assert found["risk_zscore"].values == pytest.approx((found["risk_score"].values - 0.1) / 0.7)
    assert float(found["risk_cutoff"]) == pytest.approx(0.1)
    assert np.array_equal(found["risk_high"].values, found["risk_score"].values > 0.1)


def test_predict_risk__gives_a_patient_the_same_score_whoever_else_is_there():
    patients = risk_cohort()
    whole, alone = (predict_risk(part, signature=signature()) for part in (patients, patients.isel(patient=[7])))
    assert float(alone["risk_score"][0]) == float(whole["risk_score"][7])


def test_predict_risk__within_the_cohort_does_not_see_shifts_or_units():
    patients = risk_cohort()
    other = patients.assign(expression=patients["expression"] * 40 - 1000)
    first, second = (predict_risk(part, signature=signature(), standardize="cohort") for part in (patients, other))
    assert second["risk_score"].values == pytest.approx(first["risk_score"].values)
    assert second["risk_zscore"].values.std() == pytest.approx(1)


def test_predict_risk__carries_a_quantile_into_the_new_cohort():
    found = predict_risk(risk_cohort(), signature=signature(scale=0, cutoff=0.75))
    assert int(found["risk_high_patients"]) == 20
    assert int(found["risk_cutoff_scale"]) == 0


def test_predict_risk__counts_and_names_genes_that_are_missing():
    patients = risk_cohort().drop_sel(gene="G02")
    with pytest.warns(MissingGenesWarning, match=r"1 of 3 genes .* 10.0% of its weight.*G02"):
        found = predict_risk(patients, signature=signature())
    assert found["risk_gene_status"].values.tolist() == [0, 0, 1]
    assert float(found["risk_missing_weight_share"]) == pytest.approx(0.1)
    z = (patients["expression"].values[:, :2] - 6) / 1.5
    assert found["risk_score"].values == pytest.approx(z @ [0.6, -0.3])


def test_predict_risk__refuses_a_platform_without_most_of_the_weight():
    with pytest.raises(GeneMismatchError, match=r"at least 80%.*60.0%.*G00"):
        predict_risk(risk_cohort().drop_sel(gene="G00"), signature=signature())
    with pytest.raises(GeneMismatchError, match="3 of 3 genes"):
        predict_risk(risk_cohort().isel(gene=[7, 8]), signature=signature(), minimum_weight=0.0)


def test_predict_risk__gives_no_score_to_a_patient_without_most_of_the_weight():
    patients = risk_cohort()
    patients["expression"][3, 0] = np.nan
    patients["expression"][4, 2] = np.nan
    found = predict_risk(patients, signature=signature())
    assert np.flatnonzero(np.isnan(found["risk_score"])).tolist() == [3]
    assert not found["risk_high"].values[3]
    assert found["risk_missing_share"].values[[3, 4]] == pytest.approx([0.6, 0.1])
    assert found["risk_gene_missing_patients"].values.tolist() == [1, 0, 1]
    assert int(found["risk_scored_patients"]) == 79


def test_predict_risk__takes_constant_genes_for_missing_within_the_cohort():
    patients = risk_cohort()
    patients["expression"][:, 2] = 5.0
    with pytest.warns(MissingGenesWarning, match="G02"):
        found = predict_risk(patients, signature=signature(), standardize="cohort")
    assert found["risk_gene_status"].values.tolist() == [0, 0, 2]


def test_predict_risk__reads_genes_in_any_order_or_chunks():
    patients = risk_cohort()
    turned = patients.transpose("gene", "patient").isel(gene=np.arange(12)[::-1]).chunk({"gene": 5})
    first, second = (predict_risk(part, signature=signature()) for part in (patients, turned))
    assert first.identical(second)


def test_predict_risk__refuses_what_cannot_be():
    patients = risk_cohort()
    with pytest.raises(ParameterError, match="standardize"):
        predict_risk(patients, signature=signature(), standardize="both")
    with pytest.raises(MissingVariableError, match="tpm"):
        predict_risk(patients, signature=signature(), expression="tpm")
    with pytest.raises(MissingVariableError, match="risk_signature_center"):
        predict_risk(patients, signature=signature().drop_vars("risk_signature_center"))
    with pytest.raises(InputError, match="scales above 0"):
        predict_risk(patients, signature=signature().assign(risk_signature_scale=("gene", [1.0, 0.0, 1.0])))
    with pytest.raises(GeneMismatchError, match="occur once in the signature"):
        predict_risk(patients, signature=signature(genes=("G00", "G00", "G01")))
    patients["expression"][3, 0] = np.inf
    with pytest.raises(InputError, match="G00 in the patients P003"):
        predict_risk(patients, signature=signature())


def test_predict_risk__does_not_care_for_duplicates_among_other_genes():
    patients = risk_cohort()
    doubled = patients.assign_coords(gene=[*[f"G{n:02d}" for n in range(10)], "X", "X"])
    assert np.isfinite(predict_risk(doubled, signature=signature())["risk_score"]).all()
    with pytest.raises(GeneMismatchError, match="occur once in the cohort"):
        predict_risk(patients.assign_coords(gene=["G00", *[f"G{n:02d}" for n in range(11)]]), signature=signature())
