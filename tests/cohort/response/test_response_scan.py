"""Every gene against the response: R's values, one gene at a time, and planted genes."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy import stats

from chemores_dask.cohort.response.response_scan import response_scan
from chemores_dask.errors import InputError, MissingVariableError, SmallSampleWarning
from chemores_dask.kernels.rank_columns import STATUS_FLAGS


def made(patients=60, genes=40, *, seed=1):
    generator = np.random.default_rng(seed)
    response = generator.permutation(np.array(["M1", "M2", "M3"], dtype=object)[np.arange(patients) % 3])
    expression = generator.normal(size=(patients, genes))
    expression[:, :3] += 2.5 * (response == "M3")[:, None]
    return xr.Dataset(
        {
            "expression": (("patient", "gene"), expression),
            "day_29": ("patient", response),
            "necrosis": ("patient", np.round(50 + 20 * expression[:, 5] + generator.normal(size=patients), 1)),
        },
        coords={"patient": [f"P{i}" for i in range(patients)], "gene": [f"G{i}" for i in range(genes)]},
    )


@pytest.fixture(scope="module")
def columns(reference_folder):
    folder = reference_folder / "reference" / "stats"
    given, expected = pd.read_csv(folder / "columns_input.csv.gz"), pd.read_csv(folder / "columns_expected.csv")
    genes = expected["gene"].tolist()
    patients = xr.Dataset(
        {
            "expression": (("patient", "gene"), given[genes].to_numpy(dtype=float)),
            "group": ("patient", given["group"].to_numpy()),
            "y": ("patient", given["y"].to_numpy()),
        },
        coords={"patient": given["sample"].to_numpy(), "gene": genes},
    )
    return patients, expected


def test_response_scan__of_two_classes_equals_r(columns):
    patients, expected = columns
    found = response_scan(patients, response="group", order=[0, 1])
    np.testing.assert_allclose(found["response_scan_p_value"], expected["wilcox_p"], rtol=1e-10)
    np.testing.assert_allclose(found["response_scan_q_value"], expected["wilcox_bh"], rtol=1e-10)
    sizes = np.bincount(patients["group"].values)
    ok = found["response_scan_status"].values == 0
    np.testing.assert_allclose(found["response_scan_auroc"].values[ok] * sizes.prod(), expected["W"][ok], rtol=1e-12)


def test_response_scan__of_a_number_equals_r(columns):
    patients, expected = columns
    found = response_scan(patients, response="y")
    np.testing.assert_allclose(found["response_scan_correlation"], expected["rho"], atol=1e-13)
    np.testing.assert_allclose(found["response_scan_p_value"], expected["rho_p"], rtol=1e-10)
    np.testing.assert_allclose(found["response_scan_q_value"], expected["rho_bh"], rtol=1e-10)
    assert "response_scan_auroc" not in found
    assert found.attrs["responses"] == "a number"


def test_response_scan__of_ordered_classes_equals_scipy():
    patients = made()
    patients["expression"][3, 7] = np.nan
    patients["day_29"][5] = "Unknown"
    found = response_scan(patients, response="day_29", order=["M1", "M2", "M3"])
    known = np.arange(60) != 5
    codes = np.array([{"M1": 0, "M2": 1, "M3": 2}.get(label, -1) for label in patients["day_29"].values])
    for gene in range(40):
        values = patients["expression"].values[:, gene]
        used = known & ~np.isnan(values)
        expected = stats.spearmanr(values[used], codes[used])
        assert float(found["response_scan_correlation"][gene]) == pytest.approx(expected.statistic, abs=1e-12)
        assert float(found["response_scan_p_value"][gene]) == pytest.approx(expected.pvalue, rel=1e-9)
        assert int(found["response_scan_patients"][gene]) == used.sum()
    assert (int(found["response_scan_total_patients"]), int(found["response_scan_without_response"])) == (60, 1)


def test_response_scan__finds_planted_genes_and_few_others():
    found = response_scan(made(genes=2000), response="day_29", order=["M1", "M2", "M3"])
    hits = np.flatnonzero(found["response_scan_q_value"].values < 0.05)
    assert {0, 1, 2} <= set(hits)
    assert hits.size <= 6


@pytest.mark.parametrize("size", [1, 7, 40])
def test_response_scan__does_not_depend_on_blocks_or_on_the_order_of_dimensions(size):
    whole = response_scan(made(), response="necrosis")
    for cut in (
        made().chunk({"gene": size}),
        made().chunk({"gene": size, "patient": 11}),
        made().transpose("gene", "patient"),
    ):
        xr.testing.assert_identical(response_scan(cut, response="necrosis"), whole)


def test_response_scan__flags_genes_that_say_nothing():
    patients = made()
    values = patients["expression"].values
    values[:, 0], values[:58, 1], values[3, 2], values[:, 3] = 1.0, np.nan, np.inf, 0.0
    values[np.isin(patients["day_29"].values, ["M2", "M3"]), 4] = np.nan
    found = response_scan(patients, response="day_29", order=["M1", "M2", "M3"])
    flags = [STATUS_FLAGS[code] for code in found["response_scan_status"].values[:6]]
    assert flags == ["constant", "too_few_patients", "infinite", "constant", "one_response", "ok"]
    assert np.isnan(found["response_scan_p_value"].values[:5]).all()
    assert found.attrs["family"] == "all 35 genes with status ok"


def test_response_scan__promises_nothing_that_few_patients_cannot_reach():
    patients = made(patients=60).isel(patient=slice(0, 4))
    patients = patients.assign(group=("patient", [0, 0, 1, 1]))
    with pytest.warns(SmallSampleWarning, match="40 of 40 genes"):
        found = response_scan(patients, response="group", order=[0, 1])
    assert found["response_scan_minimum_p_value"].values == pytest.approx(np.full(40, 1 / 3))
    assert (found["response_scan_p_value"] >= 1 / 3 - 1e-12).all()


@pytest.mark.parametrize(
    ("changed", "error", "match"),
    [
        ({"response": "day29"}, MissingVariableError, "it is absent"),
        ({"expression": "tpm"}, MissingVariableError, "it is absent"),
        ({"order": ["M1", "M2"]}, InputError, "also holds: M3"),
        ({"order": None}, InputError, "must hold numbers"),
        ({"order": ["M1", "M0"], "unknown": ["M2", "M3"]}, InputError, "two different responses"),
    ],
)
def test_response_scan__refuses(changed, error, match):
    with pytest.raises(error, match=match):
        response_scan(made(), **({"response": "day_29", "order": ["M1", "M2", "M3"]} | changed))


def test_response_scan__refuses_text_as_expression():
    patients = made()
    with pytest.raises(InputError, match="real numbers"):
        response_scan(patients.assign(expression=patients["expression"].astype(str)), response="necrosis")
