"""What a frozen signature always holds."""

from __future__ import annotations

import xarray as xr

from chemores_dask.cohort.risk_signature import gene_set_signature, risk_prediction, signature_fit
from chemores_dask.cohort.risk_signature.risk_prediction import CUTOFF_SCALES, predict_risk
from chemores_dask.cohort.risk_signature.signature_table import FROZEN
from chemores_dask.gene_sets import GeneSets
from tests.cohort.risk_signature.risk_cohorts import risk_cohort


def test_frozen__is_what_a_prediction_reads():
    assert {*risk_prediction.NEEDED, *risk_prediction.NEEDED_NUMBERS} <= {variable.name for variable in FROZEN}
    patients = risk_cohort()
    signature = gene_set_signature.freeze_gene_set(patients, GeneSets.from_mapping({"program": ["G00", "G03"]}))
    alone = signature[[variable.name for variable in FROZEN]]
    xr.testing.assert_identical(
        predict_risk(patients, signature=alone)["risk_score"], predict_risk(patients, signature=signature)["risk_score"]
    )


def test_frozen__is_declared_by_whatever_makes_a_signature():
    for module in (signature_fit, gene_set_signature):
        declared = module.RESULT.by_name
        assert all(declared[variable.name] == variable for variable in FROZEN)
    scale = next(variable for variable in FROZEN if variable.name == "risk_signature_cutoff_scale")
    assert scale.flags == CUTOFF_SCALES == ("quantile", "zscore")
