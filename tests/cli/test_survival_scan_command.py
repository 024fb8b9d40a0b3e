"""Tests of ``chemores survival scan``: R's answers out of files, and clear refusals."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import chi2, false_discovery_control

COLUMNS = [
    "gene", "n", "events", "coefficient", "standard_error", "z", "p", "q", "hazard_ratio", "lower_95", "upper_95", "log_likelihood",
    "p_likelihood_ratio", "p_score", "status",
]  # fmt: skip
MODELS = {
    "uni_efron": [],
    "uni_breslow": ["--ties", "breslow"],
    "adj_efron": ["--covariates", "age", "stage", "sex"],
    "strat_efron": ["--strata", "cohort"],
    "startstop_efron": ["--start", "start"],
    "weighted_efron": ["--weights", "w"],
    "robust_cluster_breslow": ["--cluster", "cohort", "--ties", "breslow"],
}


@pytest.fixture(scope="module")
def reference(reference_folder, tmp_path_factory):
    """R's folder, and its first 300 genes written the other way round."""
    folder = reference_folder / "reference" / "survival"
    table = pd.read_csv(folder / "scan_expression.csv.gz", index_col="sample").iloc[:, :300]
    path = tmp_path_factory.mktemp("scan") / "genes_by_samples.tsv.gz"
    table.T.to_csv(path, sep="\t", index_label="gene")
    return folder, path


def scan(chemores, clinical, expression, out, *options):
    named = ["--expression", expression, "--clinical", clinical, "--time", "time", "--event", "event", "--out", out]
    return chemores("survival", "scan", *named, *options)


@pytest.mark.parametrize("model", MODELS)
def test_scan__equals_r(chemores, reference, without_report, tmp_path, model):
    """Against ``coxph`` of R's survival 3.5-3, ``coxph.control(eps=1e-11, iter.max=60)``."""
    folder, expression = reference
    assert (
        scan(chemores, folder / "scan_clinical.csv", expression, tmp_path / "out", "--sample", "sample", *MODELS[model])
        == 0
    )
    found = pd.read_csv(tmp_path / "out" / "cox_scan.csv")
    assert found.columns.tolist() == COLUMNS
    expected = pd.read_csv(folder / f"scan_{model}.csv.gz").iloc[:300]
    assert found["gene"].tolist() == expected["gene"].tolist()
    assert (found["n"] == 180).all()
    known = (expected["coef"].notna() & ~expected["warned"]).to_numpy()
    assert (found["status"] == "ok").to_numpy().tolist() == known.tolist()
    for ours, theirs in {"coefficient": "coef", "standard_error": "se", "z": "z", "p": "p"}.items():
        np.testing.assert_allclose(found[ours][known], expected[theirs][known], rtol=1e-6)
    np.testing.assert_allclose(found["hazard_ratio"][known], np.exp(expected["coef"][known]), rtol=1e-6)
    separated = found["status"] == "separated"
    assert (separated == expected["warned"]).all()
    assert np.isfinite(found["coefficient"][separated]).all()
    assert found[["z", "p", "q"]][separated].isna().all(axis=None)
    fitted = expected["loglik"].notna().to_numpy()
    np.testing.assert_allclose(found["log_likelihood"][fitted], expected["loglik"][fitted], rtol=0, atol=1e-8)
    low = known & (found["p"] < 0.9).to_numpy()
    family = np.append(found["p"][known], 1.0)  # a separated gene was tested, too
    np.testing.assert_allclose(
        found["q"][low], false_discovery_control(family)[:-1][found["p"][known] < 0.9], rtol=1e-12
    )
    if model != "adj_efron":  # there R's tests are those of all covariates together
        np.testing.assert_allclose(found["p_likelihood_ratio"][fitted], expected["lr_p"][fitted], rtol=1e-6)
        np.testing.assert_allclose(found["p_score"][fitted], chi2.sf(expected["score_test"][fitted], 1), rtol=1e-6)


def test_scan__takes_either_orientation_and_parquet(chemores, reference, without_report, tmp_path):
    folder, expression = reference
    table = pd.read_csv(expression, sep="\t", index_col="gene").iloc[60:70]
    clinical = pd.read_csv(folder / "scan_clinical.csv")
    table.to_csv(tmp_path / "genes.csv")
    table.T.rename_axis("sample").to_csv(tmp_path / "samples.tsv", sep="\t")
    table.to_parquet(tmp_path / "genes.parquet")
    clinical.to_parquet(tmp_path / "clinical.parquet")
    for number, (patients, genes) in enumerate(
        [
            (folder / "scan_clinical.csv", "genes.csv"),
            (folder / "scan_clinical.csv", "samples.tsv"),
            (tmp_path / "clinical.parquet", "genes.parquet"),
        ]
    ):
        assert scan(chemores, patients, tmp_path / genes, tmp_path / str(number)) == 0
    first, second, third = ((tmp_path / str(number) / "cox_scan.csv").read_text() for number in range(3))
    assert first == second == third


def test_scan__report_names_genes_tests_and_patients(chemores, reference, tmp_path, capsys):
    folder, expression = reference
    pd.read_csv(expression, sep="\t", index_col="gene").iloc[:80].to_csv(tmp_path / "e.csv")
    assert (
        scan(chemores, folder / "scan_clinical.csv", tmp_path / "e.csv", tmp_path / "out", "--time-unit", "months") == 0
    )
    said = capsys.readouterr().out
    assert "180 patients, 130 events, 80 genes" in said
    assert "1 separated" in said
    page = (tmp_path / "out" / "report.html").read_text()
    for part in (
        "130 events",
        "Wald test, two-sided",
        "likelihood ratio test",
        "G0020",
        "in months",
        "10 constant, 1 separated",
    ):
        assert part in page
    assert "P001" not in page


HOSTILE = {
    "negative time": ("time", -1.0, "'time' of c.csv must be zero or more. Not so in 1 of 40 rows: -1.0 for S05"),
    "infinite time": ("time", np.inf, "'time' of c.csv must be finite numbers"),
    "three events": ("event", 2, r"'2' (1)"),
    "duplicated": ("sample", "S06", "More than one in 'sample': S06 (lines 7, 8)"),
    "infinite covariate": ("age", np.inf, "S05 (inf)"),
}


@pytest.fixture
def small(tmp_path):
    rng = np.random.default_rng(3)
    names = [f"S{row:02d}" for row in range(40)]
    clinical = pd.DataFrame(
        {
            "sample": names,
            "time": rng.exponential(9, 40),
            "event": (rng.random(40) < 0.7).astype(int),
            "age": rng.normal(60, 9, 40),
        }
    )
    expression = pd.DataFrame(rng.normal(8, 2, (6, 40)), index=[f"G{row}" for row in range(6)], columns=names)
    return clinical, expression


def write(tmp_path, clinical, expression):
    clinical.to_csv(tmp_path / "c.csv", index=False)
    expression.to_csv(tmp_path / "e.csv", index_label="gene")
    return tmp_path / "c.csv", tmp_path / "e.csv"


@pytest.mark.parametrize("case", HOSTILE)
def test_scan__names_column_and_rows_of_bad_input(chemores, small, tmp_path, capsys, case):
    clinical, expression = small
    column, value, said = HOSTILE[case]
    clinical[column] = clinical[column].astype(object)
    clinical.loc[5, column] = value
    assert scan(chemores, *write(tmp_path, clinical, expression), tmp_path / "out", "--covariates", "age") == 1
    refused = capsys.readouterr().err
    assert said in refused
    assert "Traceback" not in refused
    assert not (tmp_path / "out").exists()


def test_scan__infinite_expression_is_named(chemores, small, tmp_path, capsys):
    clinical, expression = small
    expression.iloc[2, 3] = np.inf
    assert scan(chemores, *write(tmp_path, clinical, expression), tmp_path / "out") == 1
    assert "for patient S03, gene G2" in capsys.readouterr().err


@pytest.mark.parametrize("events", [0, 1])
def test_scan__no_events_and_one_patient(chemores, small, tmp_path, capsys, events):
    clinical, expression = small
    clinical["event"] = 0
    clinical = clinical if events == 0 else clinical.iloc[:1].assign(event=1)
    code = scan(chemores, *write(tmp_path, clinical, expression), tmp_path / "out")
    assert code == 1
    assert capsys.readouterr().err.splitlines()[-1].startswith("Error: ")


def test_scan__shifts_and_missing_values_are_rs_answer(chemores, small, tmp_path, without_report):
    clinical, expression = small
    assert scan(chemores, *write(tmp_path, clinical, expression), tmp_path / "a") == 0
    expression.loc["G5"] = 4.0
    expression.loc["G0"] += 1e7
    expression.iloc[1, 3] = np.nan
    clinical.loc[8, "time"] = 0.0
    assert scan(chemores, *write(tmp_path, clinical, expression), tmp_path / "b") == 0
    plain, shifted = (pd.read_csv(tmp_path / name / "cox_scan.csv").set_index("gene") for name in "ab")
    assert shifted["status"].tolist() == ["ok"] * 5 + ["constant"]
    assert np.isnan(shifted.loc["G5", "coefficient"])
    assert shifted["n"].tolist() == [40, 39, 40, 40, 40, 40]
    clinical.loc[8, "time"] = 0.0
    expression.loc["G0"] -= 1e7
    assert scan(chemores, *write(tmp_path, clinical, expression), tmp_path / "c") == 0
    back = pd.read_csv(tmp_path / "c" / "cox_scan.csv").set_index("gene")
    assert shifted.loc["G0", "coefficient"] == pytest.approx(back.loc["G0", "coefficient"], rel=1e-6)
    assert plain["status"].eq("ok").all()


def test_scan__names_separated_genes_and_no_gene_without_p(chemores, tmp_path, capsys):
    time = np.arange(1, 31)
    clinical = pd.DataFrame({"patient": [f"P{row}" for row in time], "time": time, "event": 1})
    clinical.to_csv(tmp_path / "clinical.csv", index=False)
    genes = {"APART": -1.0 * time, "FLAT": np.ones(30), "OK": np.cos(time)}
    pd.DataFrame(genes, index=clinical["patient"]).T.to_csv(tmp_path / "expression.csv", index_label="gene")
    files = ["--clinical", tmp_path / "clinical.csv", "--expression", tmp_path / "expression.csv"]
    assert chemores("survival", "scan", *files, "--time", "time", "--event", "event", "--out", tmp_path / "out") == 0
    assert "FLAT: hazard ratio" not in capsys.readouterr().out
    assert "by the likelihood ratio test: APART (P " in (tmp_path / "out" / "report.html").read_text()
