"""Tests of ``chemores survival model``: R's answers out of files, and clear refusals."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

CASES = (
    "lung-multi-month-ties-efron", "lung-weights-efron", "lung-weights-robust-breslow", "lung-strata-inst-efron", "lung-cluster-inst-efron",
    "veteran-strata-cell-efron", "heart-startstop-cluster-efron", "colon-wlw-efron", "colon-death-breslow", "lung-shifted-covariate",
    "lung-tiny-covariate", "delayed-strata-cluster-efron", "delayed-breslow", "separated",
)  # fmt: skip


@pytest.fixture(scope="module")
def survival(reference_folder):
    return reference_folder / "reference" / "survival"


@pytest.fixture(scope="module")
def cases(survival):
    return {case["id"]: case for case in json.loads((survival / "coxph.json").read_text())["cases"]}


def model(chemores, out, *options):
    return chemores("survival", "model", "--out", out, *options)


def options_of(case, folder):
    options = [
        "--clinical",
        folder / case["data"],
        "--time",
        case["time"],
        "--event",
        case["event"],
        "--ties",
        case["ties"],
    ]
    options += ["--covariates", *case["covariates"]]
    options += ["--strata", *case["strata"]] if case["strata"] else []
    for name in ("cluster", "weights", "start"):
        options += [f"--{name}", case[name]] if case[name] else []
    return options + (["--robust"] if case["robust"] and not case["cluster"] else [])


@pytest.mark.parametrize("name", CASES)
def test_model__equals_r(chemores, survival, cases, without_report, tmp_path, name):
    """Against ``coxph`` of R's survival 3.5-3; the calls stand in ``coxph.json``."""
    case = cases[name]
    assert model(chemores, tmp_path / "out", *options_of(case, survival)) == 0
    found = pd.read_csv(tmp_path / "out" / "cox_model.csv").set_index("term")
    assert found.index.tolist() == case["covariates"]
    ok = (found["status"] == "ok").to_numpy()
    assert ok.sum() == len(ok) - (name == "separated")
    error = "robust_standard_error" if case["robust"] else "standard_error"
    assert ("robust_standard_error" in found) == case["robust"]
    naive = case["naive_se"] if case["robust"] else case["se"]
    for column, theirs in {"coefficient": case["coef"], error: case["se"], "standard_error": naive, "z": case["z"], "p": case["p"],
                           "lower_95": case["hr_lower95"], "upper_95": case["hr_upper95"]}.items():  # fmt: skip
        expected = np.array(list(theirs.values()), dtype=float)
        shown = ok & np.isfinite(expected)  # R writes hazard ratios that overflow as missing
        np.testing.assert_allclose(found[column][shown], expected[shown], rtol=1e-6)
    assert set(found["n"]) == {case["n"]}
    assert set(found["events"]) == {case["nevent"]}
    np.testing.assert_allclose(found["log_likelihood"], case["loglik"], rtol=0, atol=1e-8)
    np.testing.assert_allclose(found["p_likelihood_ratio"], case["lr_test"]["pvalue"], rtol=1e-6)
    np.testing.assert_allclose(found["p_score"], case["score_test"]["pvalue"], rtol=1e-6)


@pytest.fixture
def small(tmp_path):
    rng = np.random.default_rng(4)
    table = pd.DataFrame(
        {
            "patient": [f"P{row:02d}" for row in range(50)],
            "years": rng.exponential(4, 50),
            "dead": np.where(rng.random(50) < 0.7, "yes", "no"),
            "age": rng.normal(60, 9, 50),
            "stage": rng.choice(["I", "II", "III"], 50),
        }
    )
    table["twice"] = 2 * table["age"]
    table["const"] = 3
    table["shifted"] = table["age"] + 1e7
    table.to_csv(tmp_path / "c.csv", index=False)
    return ["--clinical", tmp_path / "c.csv", "--time", "years", "--event", "dead"]


def test_model__levels_of_text_are_terms_and_the_report_shows_them(chemores, small, tmp_path, capsys):
    assert model(chemores, tmp_path / "out", *small, "--covariates", "age,stage") == 0
    assert "Times in years: years" in capsys.readouterr().out
    found = pd.read_csv(tmp_path / "out" / "cox_model.csv")
    assert found["term"].tolist() == ["age", "stage[II]", "stage[III]"]
    assert "robust_standard_error" not in found
    page = (tmp_path / "out" / "report.html").read_text()
    for part in (
        "stage[II]",
        "Likelihood ratio test of the whole model",
        "n = 50 patients",
        "Wald test, two-sided",
        "concordance",
    ):
        assert part in page


def test_model__a_shift_changes_nothing(chemores, small, tmp_path, without_report):
    for name in ("age", "shifted"):
        assert model(chemores, tmp_path / name, *small, "--covariates", name) == 0
    age, shifted = (pd.read_csv(tmp_path / name / "cox_model.csv") for name in ("age", "shifted"))
    assert shifted["coefficient"][0] == pytest.approx(age["coefficient"][0], rel=1e-7)
    assert shifted["standard_error"][0] == pytest.approx(age["standard_error"][0], rel=1e-7)


@pytest.mark.parametrize(
    ("covariates", "said"), [(["age", "const"], "const"), (["age", "twice"], "twice"), (["ages"], "Did you mean 'age'")]
)
def test_model__names_covariates_that_cannot_be(chemores, small, tmp_path, capsys, covariates, said):
    assert model(chemores, tmp_path / "out", *small, "--covariates", *covariates) == 1
    assert said in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_model__takes_a_gene_beside_columns(chemores, small, tmp_path, without_report):
    rng = np.random.default_rng(0)
    pd.DataFrame(rng.normal(size=(2, 50)), index=["CD44", "KLF2"], columns=[f"P{row:02d}" for row in range(50)]).to_csv(
        tmp_path / "e.csv"
    )
    assert (
        model(chemores, tmp_path / "out", *small, "--expression", tmp_path / "e.csv", "--covariates", "CD44", "age")
        == 0
    )
    assert pd.read_csv(tmp_path / "out" / "cox_model.csv")["term"].tolist() == ["CD44", "age"]
