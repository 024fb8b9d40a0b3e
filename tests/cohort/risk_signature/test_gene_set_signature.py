from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from chemores_dask.cohort.risk_signature.gene_set_signature import freeze_gene_set
from chemores_dask.cohort.risk_signature.random_signatures import RandomSignatureOptions, random_signatures
from chemores_dask.cohort.risk_signature.risk_prediction import predict_risk
from chemores_dask.errors import GeneMismatchError, InputError, MissingGenesWarning, ParameterError
from chemores_dask.gene_sets import GeneSet, GeneSets
from chemores_dask.scores.mean_zscore import mean_zscore
from tests.cohort.risk_signature.risk_cohorts import risk_cohort

GENES = ["G00", "G03", "G05"]
UP = GeneSets.from_mapping({"program": GENES})


def test_freeze_gene_set__scores_its_own_cohort_as_the_mean_z_score():
    patients = risk_cohort()
    frozen = freeze_gene_set(patients, UP)
    risk = predict_risk(patients, signature=frozen)
    expected = mean_zscore(patients, UP)["patient_score"].sel(gene_set="program").values
    n = patients.sizes["patient"]
    np.testing.assert_allclose(risk["risk_score"], expected * np.sqrt(n / (n - 1)), rtol=1e-12)
    assert int(risk["risk_high_patients"]) == n // 2
    assert float(frozen["risk_signature_weight"].sum()) == pytest.approx(1)


def test_freeze_gene_set__travels_without_the_other_cohort():
    patients = risk_cohort()
    first, second = patients.isel(patient=slice(0, 40)), patients.isel(patient=slice(40, None))
    frozen = freeze_gene_set(first, UP, cutoff_scale="zscore", cutoff=0.5)
    whole, alone = (predict_risk(part, signature=frozen) for part in (second, second.isel(patient=[3])))
    assert float(alone["risk_score"][0]) == float(whole["risk_score"][3])
    values = first["expression"].sel(gene=GENES).values
    np.testing.assert_allclose(frozen["risk_signature_center"], values.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(frozen["risk_signature_scale"], values.std(axis=0), rtol=1e-12)
    high = (whole["risk_score"] - frozen["risk_signature_score_mean"]) / frozen["risk_signature_score_deviation"] > 0.5
    assert np.array_equal(whole["risk_high"].values, high.values)


def test_freeze_gene_set__takes_directions_and_weights():
    patients = risk_cohort()
    z = (patients["expression"] - patients["expression"].mean("patient")) / patients["expression"].std("patient")
    sides = GeneSets((GeneSet("sides", ("G00",), ("G03",)), GeneSet.from_weights("heavy", {"G00": 3.0, "G03": -1.0})))
    for name, weights in [("sides", (0.5, -0.5)), ("heavy", (0.75, -0.25))]:
        risk = predict_risk(patients, signature=freeze_gene_set(patients, sides, gene_set=name))
        expected = weights[0] * z.sel(gene="G00", drop=True) + weights[1] * z.sel(gene="G03", drop=True)
        np.testing.assert_allclose(risk["risk_score"], expected, atol=1e-12)


def test_freeze_gene_set__leaves_out_what_is_not_measured_and_says_so():
    patients = risk_cohort()
    values = patients["expression"].values.copy()
    values[:, list(patients["gene"].values).index("G03")] = 7.0
    values[2, 0] = np.nan
    patients = patients.assign(expression=(("patient", "gene"), values))
    with pytest.warns(MissingGenesWarning, match="2 of the 4 genes of 'program' are not measured, or do not vary"):
        frozen = freeze_gene_set(patients, GeneSets.from_mapping({"program": [*GENES, "ABSENT"]}))
    assert frozen["gene"].values.tolist() == ["G00", "G05"]
    assert frozen.attrs["missing_genes"] == ["G03", "ABSENT"]
    assert float(frozen["risk_signature_center"][0]) == pytest.approx(np.nanmean(values[:, 0]))
    with pytest.raises(GeneMismatchError, match="At least 50% of the genes"):
        freeze_gene_set(patients, GeneSets.from_mapping({"program": ["G00", "A", "B"]}))


def test_freeze_gene_set__is_taken_by_the_null_of_random_signatures():
    null = random_signatures(
        risk_cohort(),
        signature=freeze_gene_set(risk_cohort(), UP),
        duration="months",
        event="event",
        options=RandomSignatureOptions(draws=20, bins=2),
        seed=1,
    )
    assert 0 < float(null["random_signature_concordance_p_value"]) <= 1


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"gene_set": "other"}, InputError, "must name one of the sets. Got 'other'; sets: program"),
        ({"cutoff": 1.0}, ParameterError, "between 0 and 1"),
        ({"cutoff": np.nan, "cutoff_scale": "zscore"}, ParameterError, "must be finite"),
        ({"cutoff_scale": "score"}, ParameterError, "cutoff_scale"),
    ],
)
def test_freeze_gene_set__refuses_what_cannot_be(options, error, words):
    with pytest.raises(error, match=words):
        freeze_gene_set(risk_cohort(), UP, **options)


def test_freeze_gene_set__refuses_infinite_values():
    patients = risk_cohort()
    patients = patients.assign(expression=xr.where(patients["gene"] == "G03", np.inf, patients["expression"]))
    with pytest.raises(InputError, match="Infinite in: G03"):
        freeze_gene_set(patients, UP)
