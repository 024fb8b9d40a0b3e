"""Tests of ``chemores survival signature``: made, frozen, applied, validated."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from chemores_dask.cohort.risk_signature.risk_prediction import predict_risk
from chemores_dask.ingest.follow_up import FollowUpColumns, read_follow_up
from chemores_dask.ingest.signature_file import read_signature


@pytest.fixture(scope="module")
def cohorts(tmp_path_factory):
    """Two cohorts in which the first two of 12 genes shorten life."""
    folder = tmp_path_factory.mktemp("cohorts")
    rng = np.random.default_rng(8)
    for name, patients in (("a", 120), ("b", 90)):
        expression = rng.normal(8, 1, (patients, 12))
        time = rng.exponential(np.exp(-0.9 * (expression[:, 0] + expression[:, 1] - 16))) * 5
        end = rng.uniform(2, 12, patients)
        names = [f"{name}{row:03d}" for row in range(patients)]
        clinical = pd.DataFrame(
            {"patient": names, "years": np.minimum(time, end), "dead": np.where(time <= end, "Dead", "Alive")}
        )
        clinical.to_csv(folder / f"clinical_{name}.csv", index=False)
        table = pd.DataFrame(expression.T, index=[f"G{row}" for row in range(12)], columns=names)
        table.to_csv(folder / f"expression_{name}.csv", index_label="gene")
    return folder


def call(chemores, cohorts, out, name, *options):
    files = ["--expression", cohorts / f"expression_{name}.csv", "--clinical", cohorts / f"clinical_{name}.csv"]
    return chemores("survival", "signature", *files, "--time", "years", "--event", "dead", "--out", out, *options)


@pytest.fixture(scope="module")
def made(chemores, cohorts, tmp_path_factory):
    """A signature of the first cohort, validated in the second."""
    out = tmp_path_factory.mktemp("made") / "out"
    second = ["--validate-expression", cohorts / "expression_b.csv", "--validate-clinical", cohorts / "clinical_b.csv"]
    assert call(chemores, cohorts, out, "a", *second, "--horizon", "1", "3") == 0
    return out


def test_signature__finds_the_genes_and_validates_them(made):
    genes = pd.read_csv(made / "signature_genes.csv")
    assert set(genes["gene"][:2]) == {"G0", "G1"}
    assert (genes["weight"][:2] > 0).all()
    validation = pd.read_csv(made / "validation.csv")
    concordance = validation.set_index("measure").loc["concordance"]
    assert concordance["lower_95"] > 0.6
    assert set(validation["n"]) == {90}
    assert validation.query("measure == 'auc'")["horizon"].tolist() == [1.0, 3.0]


def test_signature__report_names_flow_limits_and_test(made):
    page = (made / "report.html").read_text()
    for part in (
        "nested cross-validation",
        "Who it is held against",
        "Log-rank test",
        "Harrell",
        "bootstrap",
        "rows of clinical_b.csv",
    ):
        assert part in page
    assert "a001" not in page
    assert "b001" not in page


def test_signature__scores_are_those_of_predict_risk(made, cohorts):
    columns = FollowUpColumns(time="years", event="dead")
    read = read_follow_up(cohorts / "clinical_b.csv", columns=columns, expression=cohorts / "expression_b.csv")
    expected = predict_risk(read.patients, signature=read_signature(made / "signature.json"))
    found = pd.read_csv(made / "risk.csv", float_precision="round_trip").set_index("patient")
    assert found["score"].tolist() == expected["risk_score"].values.tolist()
    assert found["high"].tolist() == expected["risk_high"].values.tolist()


def test_signature__a_frozen_one_says_the_same_of_the_same_patients(chemores, made, cohorts, tmp_path, without_report):
    frozen = ["--signature", made / "signature.json", "--horizon", "1", "3"]
    assert call(chemores, cohorts, tmp_path / "out", "b", *frozen) == 0
    for name in ("risk.csv", "validation.csv", "signature_genes.csv"):
        assert (tmp_path / "out" / name).read_bytes() == (made / name).read_bytes()
    assert not (tmp_path / "out" / "signature.json").exists()


def test_signature__refuses_what_does_not_go_together(chemores, made, cohorts, tmp_path, capsys):
    clinical = ["--validate-clinical", cohorts / "clinical_b.csv"]
    assert call(chemores, cohorts, tmp_path / "out", "a", *clinical) == 1
    assert "needs both tables" in capsys.readouterr().err
    both = [*clinical, "--validate-expression", cohorts / "expression_b.csv", "--signature", made / "signature.json"]
    assert call(chemores, cohorts, tmp_path / "out", "a", *both) == 1
    assert "leave out --signature" in capsys.readouterr().err
    assert call(chemores, cohorts, tmp_path / "out", "a", "--horizon", "2") == 1
    assert "Got --horizon without one; name a frozen --signature" in capsys.readouterr().err
    renamed = pd.read_csv(cohorts / "clinical_b.csv").rename(columns={"years": "months"})
    renamed.to_csv(tmp_path / "months.csv", index=False)
    files = [
        "--expression",
        cohorts / "expression_b.csv",
        "--clinical",
        tmp_path / "months.csv",
        "--signature",
        made / "signature.json",
    ]
    assert (
        chemores("survival", "signature", *files, "--time", "months", "--event", "dead", "--out", tmp_path / "out") == 1
    )
    assert "It was made in years, these times are in months" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_signature__is_made_of_few_events_in_fewer_folds(chemores, cohorts, tmp_path, capsys, without_report):
    table = pd.read_csv(cohorts / "clinical_a.csv")
    died = table.index[table["dead"] == "Dead"]
    table.loc[died[8:], "dead"] = "Alive"
    table.to_csv(tmp_path / "few.csv", index=False)
    files = ["--expression", cohorts / "expression_a.csv", "--clinical", tmp_path / "few.csv"]
    options = [*files, "--time", "years", "--event", "dead", "--out", tmp_path / "out"]
    assert chemores("survival", "signature", *options) == 1
    assert "ask for fewer folds (folds, outer_folds)" in capsys.readouterr().err
    assert chemores("survival", "signature", *options, "--folds", "3", "--outer-folds", "2") == 0
    assert (tmp_path / "out" / "signature.json").exists()


def test_signature__refuses_its_own_patients_as_independent_ones(chemores, cohorts, tmp_path, capsys):
    own = ["--validate-expression", cohorts / "expression_a.csv", "--validate-clinical", cohorts / "clinical_a.csv"]
    assert call(chemores, cohorts, tmp_path / "out", "a", *own) == 1
    assert "Got the same files; name tables of other patients" in capsys.readouterr().err


def test_signature__tells_expression_on_another_scale(chemores, made, cohorts, tmp_path, capsys, without_report):
    table = pd.read_csv(cohorts / "expression_b.csv", index_col=0)
    (2**table).to_csv(tmp_path / "expression_b.csv", index_label="gene")
    (tmp_path / "clinical_b.csv").write_bytes((cohorts / "clinical_b.csv").read_bytes())
    assert call(chemores, tmp_path, tmp_path / "out", "b", "--signature", made / "signature.json") == 0
    said = capsys.readouterr().err
    assert "likely on another scale" in said
    assert "encountered in" not in said
