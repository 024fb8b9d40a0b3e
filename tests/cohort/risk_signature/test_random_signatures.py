"""The null of random signatures: what is drawn, how it is scored, and that its P is uniform where a signature is random itself."""

from __future__ import annotations

import dask
import numpy as np
import pytest
import xarray as xr

from chemores_dask.cohort.risk_signature.random_signatures import RandomSignatureOptions, random_signatures
from chemores_dask.cohort.survival.cox_models import cox_model
from chemores_dask.errors import GeneMismatchError, InputError, MissingVariableError, ParameterError, TooFewEventsError
from chemores_dask.kernels.concordance import concordance_pairs

N, GENES = 90, 120
GENERATOR = np.random.default_rng(9)
EXPRESSION = GENERATOR.normal(size=(N, GENES)) + np.linspace(0, 10, GENES)
HAZARD = np.exp(0.8 * (EXPRESSION[:, 50] - EXPRESSION[:, 50].mean()))
TIME = GENERATOR.exponential(10 / HAZARD)
CENSORED = GENERATOR.uniform(1, 25, N)
OUTCOME = {"duration": "months", "event": "event"}
QUICK = RandomSignatureOptions(draws=99, bins=6)


def patients_of(expression=EXPRESSION, **changed):
    columns = {"months": np.minimum(TIME, CENSORED), "event": TIME <= CENSORED, **changed}
    variables = {name: ("patient", values) for name, values in columns.items()}
    return xr.Dataset(
        {"expression": (("patient", "gene"), expression), **variables},
        coords={"patient": [f"p{i:02d}" for i in range(N)], "gene": [f"g{i}" for i in range(GENES)]},
    )


def signature_of(genes=("g50", "g51", "g90"), weights=(1.0, 0.3, -0.2)):
    return xr.Dataset({"risk_signature_weight": ("gene", list(weights))}, coords={"gene": list(genes)})


def found_in(patients=None, signature=None, *, options=QUICK, seed=3):
    return random_signatures(
        patients_of() if patients is None else patients,
        signature=signature_of() if signature is None else signature,
        **OUTCOME,
        options=options,
        seed=seed,
    )


def test_random_signatures__score_as_a_model_of_the_weighed_z_scores():
    patients = patients_of()
    found = found_in(patients)
    z = (EXPRESSION - EXPRESSION.mean(axis=0)) / EXPRESSION.std(axis=0)
    risk = z[:, [50, 51, 90]] @ [1.0, 0.3, -0.2]
    model = cox_model(patients.assign(risk=("patient", risk / risk.std())), **OUTCOME, covariates=["risk"])
    assert float(found["random_signature_hazard_ratio"]) == pytest.approx(float(model["cox_model_hazard_ratio"][0]))
    assert float(found["random_signature_p_value"]) == pytest.approx(float(model["cox_model_p_value"][0]), rel=1e-8)
    ones, free = np.ones(N), np.full(N, -np.inf)
    counts, _ = concordance_pairs(
        risk, patients["months"].values, patients["event"].values, free, np.zeros(N, dtype=int), ones, ones
    )
    expected = (counts[0] + counts[2] / 2) / counts.sum()
    assert float(found["random_signature_concordance"]) == pytest.approx(expected)


def test_random_signatures__count_those_that_reach_the_signature():
    found = found_in()
    drawn = found["random_signature_draw_concordance"].values
    reach = abs(float(found["random_signature_concordance"]) - 0.5)
    assert float(found["random_signature_concordance_p_value"]) == (1 + (np.abs(drawn - 0.5) >= reach).sum()) / 100
    ratios = np.log(found["random_signature_draw_hazard_ratio"].values)
    reached = np.abs(ratios) >= np.log(float(found["random_signature_hazard_ratio"]))
    assert float(found["random_signature_hazard_p_value"]) == (1 + reached.sum()) / 100
    share = (found["random_signature_draw_p_value"].values < 0.05).mean()
    assert float(found["random_signature_significant_share"]) == pytest.approx(share)
    assert float(found["random_signature_concordance_p_value"]) < 0.1


def test_random_signatures__give_a_signature_that_points_the_wrong_way_no_credit():
    found = found_in(signature=signature_of(weights=(-1.0, -0.3, 0.2)))
    assert float(found["random_signature_concordance"]) < 0.5
    assert float(found["random_signature_concordance_p_value"]) == 1
    assert float(found["random_signature_hazard_p_value"]) == 1


def test_random_signatures__draw_genes_of_the_same_expression():
    # One gene differs much between bins: were genes of other bins drawn, scores of one-gene signatures would differ.
    marked = EXPRESSION.copy()
    marked[:, :100] = marked[:, [0]] + np.linspace(0, 8, 100)
    found = found_in(
        patients_of(marked), signature_of(["g110"], [1.0]), options=RandomSignatureOptions(draws=200, bins=6)
    )
    one = {round(float(value), 10) for value in found["random_signature_draw_concordance"].values}
    assert len(one) == 20
    assert int(found["random_signature_bin"][0]) == 5
    assert int(found["random_signature_bin_genes"][0]) == 20


def test_random_signatures__have_no_gene_twice():
    # All genes but two are the same in both bins' halves: with both drawn the sum is constant in sign.
    pair = np.tile(GENERATOR.normal(size=(N, 1)), (1, 4)) * [1, 1, -1, -1]
    patients = patients_of().isel(gene=slice(0, 4)).assign(expression=(("patient", "gene"), pair))
    found = found_in(
        patients, signature_of(["g0", "g1"], [1.0, 1.0]), options=RandomSignatureOptions(draws=300, bins=1)
    )
    drawn = found["random_signature_draw_concordance"].values
    # Of six pairs, four cancel: with replacement it would be a half.
    assert np.mean(np.abs(drawn - 0.5) < 1e-12) == pytest.approx(2 / 3, abs=0.1)


def test_random_signatures__are_the_same_for_any_blocks_workers_and_number_of_draws():
    first = found_in()
    with dask.config.set(scheduler="synchronous"):
        xr.testing.assert_identical(first, found_in())
    xr.testing.assert_allclose(first, found_in(patients_of().chunk({"gene": 7})), rtol=1e-10)
    shuffled = patients_of().isel(patient=GENERATOR.permutation(N))
    xr.testing.assert_allclose(first, found_in(shuffled), rtol=1e-10)
    more = found_in(options=RandomSignatureOptions(draws=600, bins=6))
    np.testing.assert_array_equal(
        more["random_signature_draw_concordance"][:99], first["random_signature_draw_concordance"]
    )
    assert not np.array_equal(found_in(seed=4)["random_signature_draw_p_value"], first["random_signature_draw_p_value"])


def test_random_signatures__p_is_uniform_for_random_signatures():
    # Genes are correlated, so random signatures tell survival; a random one among them must not stand out.
    shared = GENERATOR.normal(size=(N, 1))
    patients = patients_of(EXPRESSION + 2 * shared)
    small, repeats = 0, 60
    for number in range(repeats):
        generator = np.random.default_rng(number)
        chosen = [f"g{i}" for i in generator.choice(GENES, 4, replace=False)]
        found = found_in(
            patients, signature_of(chosen, np.ones(4)), options=RandomSignatureOptions(draws=39, bins=3), seed=number
        )
        small += float(found["random_signature_hazard_p_value"]) <= 0.2
    assert small / repeats < 0.36


def test_random_signatures__leave_out_genes_and_patients_that_cannot_be_used():
    expression = EXPRESSION.copy()
    expression[:, 3] = 1.0
    expression[4, 7] = np.nan
    expression[5] = np.nan
    months = np.minimum(TIME, CENSORED)
    months[6] = np.nan
    signature = signature_of(["g50", "g3", "other"], [1.0, 1.0, 1.0])
    found = found_in(patients_of(expression, months=months), signature)
    assert found["gene"].values.tolist() == ["g50"]
    counts = [int(found[f"random_signature_{name}"]) for name in ("genes", "missing_genes", "candidates", "patients")]
    assert counts == [1, 2, GENES - 2, N - 2]


def test_random_signatures__take_a_gene_that_is_not_known_in_some_patients_at_its_mean():
    expression = EXPRESSION.copy()
    expression[4, 50] = np.nan
    found = found_in(patients_of(expression), signature_of(["g50"], [1.0]))
    filled = expression.copy()
    filled[4, 50] = np.nanmean(expression[:, 50])
    again = found_in(patients_of(filled), signature_of(["g50"], [1.0]))
    for name in ("concordance", "hazard_ratio"):
        expected = float(again[f"random_signature_{name}"])
        assert float(found[f"random_signature_{name}"]) == pytest.approx(expected, rel=1e-10)


def test_random_signatures__refuse_what_cannot_be():
    with pytest.raises(GeneMismatchError, match="Found none of 1: other"):
        found_in(signature=signature_of(["other"], [1.0]))
    with pytest.raises(InputError, match="fewer 'bins'"):
        found_in(options=RandomSignatureOptions(draws=9, bins=100))
    with pytest.raises(InputError, match="not 0"):
        found_in(signature=signature_of(weights=(1.0, 0.0, 1.0)))
    with pytest.raises(InputError, match="g50"):
        found_in(signature=signature_of(weights=(np.nan, 1.0, 1.0)))
    with pytest.raises(InputError, match="each once"):
        found_in(signature=signature_of(["g50", "g50", "g51"]))
    with pytest.raises(MissingVariableError, match="risk_signature_weight"):
        found_in(signature=signature_of().rename(risk_signature_weight="weight"))
    with pytest.raises(InputError, match="more than once: g1"):
        found_in(patients_of().assign_coords(gene=["g1", *patients_of()["gene"].values[1:]]))
    infinite = EXPRESSION.copy()
    infinite[2, 8] = np.inf
    with pytest.raises(InputError, match="g8"):
        found_in(patients_of(infinite))
    with pytest.raises(TooFewEventsError):
        found_in(patients_of(event=np.zeros(N)))
    for name in ("draws", "bins"):
        with pytest.raises(ParameterError, match=name):
            found_in(options=RandomSignatureOptions(**{name: 0}))
