"""Every cohort with follow-up goes through the survival commands as its owners wrote it."""

from __future__ import annotations

import h5py
import numpy as np
import pandas as pd
import pytest
from lifelines.statistics import logrank_test

OTHER, R, PYPI = "debian/other", "debian/r-survival", "pypi/lifelines"
SETS = {
    f"{OTHER}/MASS_Melanoma.csv": ("--time time --event status --event-value 1 --covariates age,ulcer --time-unit days", 205, 57),
    f"{OTHER}/MASS_gehan.csv": ("--time time --event cens --covariates treat --time-unit weeks", 42, 30),
    f"{OTHER}/TH.data_wpbc.csv": ("--time time --event status --event-value R --covariates mean_radius", 198, 47),
    f"{OTHER}/TH.data_GBSG2.csv": ("--time time --event cens --covariates age,horTh", 686, 299),
    f"{R}/ovarian.csv": ("--time futime --event fustat --covariates age,rx", 26, 12),
    f"{R}/nafld1.csv": ("--time futime --event status --covariates age,male --time-unit days", 17549, 1364),
    f"{R}/bladder.csv": ("--time stop --event event --covariates rx,size,number --strata enum --cluster id", 340, 112),
    f"{R}/gbsg.csv": ("--time rfstime --event status --covariates age,nodes", 686, 299),
    f"{R}/mgus2.csv": ("--time futime --event death --covariates age,sex --time-unit months", 1384, 963),
    f"{R}/cgd.csv": ("--start tstart --time tstop --event status --covariates treat --cluster id --allow-column random", 203, 76),
    f"{R}/colon.csv": ("--time time --event status --covariates rx,age --strata etype --cluster id", 1858, 920),
    f"{R}/diabetic.csv": ("--time time --event status --covariates trt --cluster id", 394, 155),
    f"{R}/stanford2.csv": ("--time time --event status --covariates age,t5", 157, 102),
    f"{R}/myeloid.csv": ("--time futime --event death --covariates trt,sex", 646, 320),
    f"{R}/kidney.csv": ("--time time --event status --covariates age,sex --cluster id", 76, 58),
    f"{R}/mgus.csv": ("--time futime --event death --covariates age,sex", 241, 225),
    f"{R}/heart.csv": ("--start start --time stop --event event --covariates age,transplant", 172, 75),
    f"{R}/nwtco.csv": ("--time edrel --event rel --covariates histol,stage --sample seqno", 4028, 571),
    f"{R}/rotterdam.csv": ("--time dtime --event death --covariates age,size --sample pid", 2982, 1272),
    f"{R}/rats.csv": ("--time time --event status --covariates rx --cluster litter", 300, 42),
    f"{R}/flchain.csv": ("--time futime --event death --covariates age,sex", 7874, 2169),
    f"{R}/jasa.csv": (
        "--time futime --event fustat --covariates age,surgery --allow-column birth.dt accept.dt tx.date fu.date", 103, 75),
    f"{R}/transplant.csv": ("--time futime --event event --event-value death --covariates age,abo", 797, 66),
    f"{R}/lung.csv": ("--time time --event status --event-value 2 --covariates age,sex,ph.ecog", 227, 164),
    f"{R}/pbc.csv": ("--time time --event status --event-value 2 --covariates age,bili", 418, 161),
    f"{R}/veteran.csv": ("--time time --event status --covariates karno,celltype", 137, 128),
    f"{R}/leukemia.csv": ("--time time --event status --covariates x", 23, 18),
    f"{R}/retinopathy.csv": ("--time futime --event status --covariates trt --cluster id", 394, 155),
    f"{PYPI}/ACTG175.csv": ("--time days --event cens --covariates age,arms --sample pidnum", 2139, 521),
    f"{PYPI}/rossi.csv": ("--time week --event arrest --covariates fin,age", 432, 114),
    f"{PYPI}/kidney_transplant.csv": ("--time time --event death --covariates age", 863, 140),
    f"{PYPI}/merrell1955.csv": (
        "--time time_between_diagnosis_and_last_observation_(years) --event dead --covariates age_at_diagnosis", 98, 31),
    f"{PYPI}/waltons_dataset.csv": ("--time T --event E --covariates group", 163, 156),
    f"{PYPI}/stanford_heart.csv": ("--start start --time stop --event event --covariates age --cluster id", 172, 75),
    f"{PYPI}/dd.csv": ("--time duration --event observed --covariates democracy", 1808, 1468),
    f"{PYPI}/g3.csv": ("--time time --event event --covariates age,group", 17, 6),
    f"{PYPI}/gbsg2.csv": ("--time time --event cens --covariates age,horTh", 686, 299),
    f"{PYPI}/larynx.csv": ("--time time --event death --covariates age", 90, 50),
    f"{PYPI}/lung.csv": ("--time time --event status --covariates age,sex", 228, 165),
    f"{PYPI}/lymph_node.csv": (
        "--time rectime --event censrec --covariates age,nodes --allow-column diagdateb recdate deathdate", 686, 299),
    f"{PYPI}/lymphoma.csv": ("--time Time --event Censor --covariates Stage_group", 80, 54),
    f"{PYPI}/multicenter_aids_cohort.tsv": ("--start W --time T --event D --covariates AIDSY", 78, 27),
    f"{PYPI}/panel_test.csv": ("--time t --event E --covariates var1 --cluster id", 28, 6),
    f"{PYPI}/psychiatric_patients.csv": ("--time T --event C --covariates Age,sex", 26, 14),
    f"{PYPI}/recur.csv": ("--start TIME0 --time TIME1 --event CENSOR --covariates AGE,TREAT --cluster ID", 1296, 939),
    f"{PYPI}/regression.csv": ("--time T --event E --covariates var1,var2", 200, 189),
    f"{PYPI}/static_test.csv": ("--time t --event E --covariates var1", 7, 6),
    "converted/GRIN2_TALL_clin.csv.gz": ("--time efs.time --event efs.censor --covariates MRD29,WBC,Sex", 262, 27),
    "converted/BEAMR_TALL_clin.csv.gz": ("--time OS.time --event OS.status --covariates MRD29", 262, 14),
    "converted/nki70_144x77.csv.gz": ("--time time --event event --covariates Age,ER", 144, 48),
}  # fmt: skip
ADJUSTED = {f"{PYPI}/anderson.csv": ("--time t --event status --covariates sex,Rx", 42, 30)}
DEEPSURV = {"metabric_IHC4_clinical": 1904, "gbsg_cancer": 2232, "whas": 1638, "support": 8873}
TALL = "--time efs.time --event efs.censor --time-unit years"


@pytest.fixture(scope="module")
def cohorts(reference_folder):
    """All cohorts."""
    return reference_folder / "data" / "cohorts"


@pytest.fixture
def without_report(monkeypatch):
    """Reports are looked at elsewhere; they are most of the time of a command."""
    monkeypatch.setattr("chemores_dask.cli.survival_run.write_report", lambda record, results, *, path: path)


def fit(chemores, clinical, options, folder):
    assert chemores("survival", "model", "--clinical", clinical, "--out", folder / "out", *options.split()) == 0
    return pd.read_csv(folder / "out" / "cox_model.csv")


@pytest.mark.parametrize("name", SETS)
def test_model__reads_every_cohort_as_it_is(chemores, cohorts, without_report, tmp_path, name):
    options, patients, events = SETS[name]
    found = fit(chemores, cohorts / name, options, tmp_path)
    assert set(found["n"]) == {patients}
    assert set(found["events"]) == {events}
    assert set(found["status"]) == {"ok"}
    assert found["coefficient"].notna().all()


@pytest.mark.parametrize("name", ADJUSTED)
def test_model__tells_that_blanks_separate_nothing(chemores, cohorts, without_report, tmp_path, capsys, name):
    options, patients, events = ADJUSTED[name]
    assert chemores("survival", "model", "--clinical", cohorts / name, "--out", tmp_path / "out", *options.split()) == 1
    assert "separated by tabs, commas or semicolons" in capsys.readouterr().err
    pd.read_csv(cohorts / name, sep=r"\s+").to_csv(tmp_path / "converted.csv", index=False)
    found = fit(chemores, tmp_path / "converted.csv", options, tmp_path)
    assert set(found["n"]) == {patients}
    assert set(found["events"]) == {events}


@pytest.mark.parametrize("name", DEEPSURV)
def test_scan__runs_on_sets_of_deep_learning(chemores, cohorts, without_report, tmp_path, name):
    """Their covariates take the place of genes: one file holds outcome and measurements."""
    with h5py.File(cohorts / "jaredleekatzman+DeepSurv" / f"{name}_train_test.h5") as file:
        values, time, event = (np.concatenate([file[part][key][:] for part in ("train", "test")]) for key in "xte")
    table = pd.DataFrame(values, columns=[f"x{column}" for column in range(values.shape[1])])
    table.insert(0, "sample", [f"S{row}" for row in range(len(table))])
    table["time"], table["event"] = time, event
    table.to_csv(tmp_path / "set.csv", index=False)
    named = [
        "--clinical",
        tmp_path / "set.csv",
        "--expression",
        tmp_path / "set.csv",
        "--time",
        "time",
        "--event",
        "event",
    ]
    assert chemores("survival", "scan", *named, "--out", tmp_path / "out") == 0
    found = pd.read_csv(tmp_path / "out" / "cox_scan.csv")
    assert found["gene"].tolist() == [f"x{column}" for column in range(values.shape[1])]
    assert set(found["n"]) == {DEEPSURV[name]} == {len(table)}
    assert set(found["events"]) == {int(event.sum())}
    assert (found["status"] == "ok").all()


def page_of(folder):
    return (folder / "report.html").read_text()


def test_tall__scan_model_and_curves_give_complete_reports(chemores, cohorts, tmp_path):
    """AALL0434, 265 children: event-free survival, 417 genes, residual disease at day 29."""
    clinical = ["--clinical", cohorts / "converted" / "GRIN2_TALL_clin.csv.gz"]
    expression = ["--expression", cohorts / "converted" / "GRIN2_TALL_expr_417x264.csv.gz"]
    assert chemores("survival", "scan", *clinical, *expression, *TALL.split(), "--out", tmp_path / "scan") == 0
    scan = pd.read_csv(tmp_path / "scan" / "cox_scan.csv")
    assert len(scan) == 417
    assert set(scan["events"]) == {27}
    for part in ("efs.time is missing", "not in GRIN2_TALL_expr_417x264.csv.gz", "in years", "Wald", "417"):
        assert part in page_of(tmp_path / "scan")
    beside = ["--covariates", "MRD29", "WBC", "Age_Days"]
    assert chemores("survival", "model", *clinical, *TALL.split(), *beside, "--out", tmp_path / "model") == 0
    model = pd.read_csv(tmp_path / "model" / "cox_model.csv").set_index("term")
    assert model.loc["MRD29", "hazard_ratio"] > 1
    assert "27 events" in page_of(tmp_path / "model")
    group = ["--group", "MRD.binary"]
    assert chemores("survival", "km", *clinical, *TALL.split(), *group, "--out", tmp_path / "km") == 0
    table = pd.read_csv(clinical[1]).dropna(subset=["efs.time", "MRD.binary"])
    low, high = (part for _, part in table.groupby("MRD.binary"))
    expected = logrank_test(low["efs.time"], high["efs.time"], low["efs.censor"], high["efs.censor"])
    assert pd.read_csv(tmp_path / "km" / "log_rank.csv")["p"][0] == pytest.approx(expected.p_value, rel=1e-6)
    assert "Log-rank test" in page_of(tmp_path / "km")
    for folder in ("scan", "model", "km"):
        assert "PARASZ" not in page_of(tmp_path / folder)


def test_nki70__scan_and_model_give_complete_reports(chemores, cohorts, tmp_path):
    """144 patients with breast cancer, the 70 genes of van 't Veer's signature, metastasis-free survival."""
    table = pd.read_csv(cohorts / "converted" / "nki70_144x77.csv.gz", index_col=0)
    table.index = [f"NKI{number}" for number in table.index]
    table.iloc[:, :7].to_csv(tmp_path / "clinical.csv", index_label="patient")
    table.iloc[:, 7:].T.to_csv(tmp_path / "expression.csv", index_label="gene")
    named = [
        "--clinical",
        tmp_path / "clinical.csv",
        "--expression",
        tmp_path / "expression.csv",
        "--time",
        "time",
        "--event",
        "event",
    ]
    named += ["--time-unit", "years"]
    assert chemores("survival", "scan", *named, "--covariates", "Age", "--out", tmp_path / "scan") == 0
    scan = pd.read_csv(tmp_path / "scan" / "cox_scan.csv")
    assert len(scan) == 70
    assert (scan["q"] < 0.05).sum() >= 10
    assert (
        chemores("survival", "model", *named, "--covariates", "NUSAP1", "Age", "Grade", "--out", tmp_path / "model")
        == 0
    )
    model = pd.read_csv(tmp_path / "model" / "cox_model.csv").set_index("term")
    assert model.loc["NUSAP1", "hazard_ratio"] > 1
    for folder in ("scan", "model"):
        assert "48 events" in page_of(tmp_path / folder)
        assert "NKI125" not in page_of(tmp_path / folder)
