"""Tests of reading the patients of a survival command."""

from __future__ import annotations

import numpy as np
import pytest

from chemores_dask.errors import FormatError, InputError, MissingVariableError, PrivacyError
from chemores_dask.ingest.follow_up import FollowUpColumns, read_follow_up

CLINICAL = """patient,months,status,age,arm,site
P1,5,Dead,50,a,x
P2,7.5,Alive,60,b,x
P3,NA,Dead,70,a,y
P4,3,,80,b,y
P5,9,Dead,unknown,b,y
P6,12,Alive,40,a,z
"""
EXPRESSION = "gene,P1,P2,P5,P9\nCD44,1,2,3,4\nKLF2,0.5,0.25,,1\n"


@pytest.fixture
def clinical(tmp_path):
    path = tmp_path / "clinical.csv"
    path.write_text(CLINICAL)
    return path


def columns(**given):
    return FollowUpColumns(**{"time": "months", "event": "status"} | given)


def write(tmp_path, text):
    path = tmp_path / "other.csv"
    path.write_text(text)
    return path


def test_read_follow_up__leaves_out_as_r_does_and_counts(clinical, tmp_path):
    (tmp_path / "e.csv").write_text(EXPRESSION)
    read = read_follow_up(clinical, columns=columns(covariates=("age",)), expression=tmp_path / "e.csv")
    assert read.patients["patient"].values.tolist() == ["P1", "P2"]
    assert [(step.reason, step.left_out, step.remaining) for step in read.flow] == [
        ("rows of clinical.csv", 0, 6),
        ("months is missing", 1, 5),
        ("status is missing", 1, 4),
        ("age is missing", 1, 3),
        ("not in e.csv", 1, 2),
    ]
    assert read.unit == "months"
    assert read.coding == "Dead is an event (1), Alive is not (1)"
    assert "genes x patients: 2 patients have a sample (2 equal)" in read.matching
    assert read.patients["expression"].values.tolist() == [[1.0, 0.5], [2.0, 0.25]]


def test_read_follow_up__needs_only_the_columns_that_are_named(clinical):
    read = read_follow_up(clinical, columns=columns(strata=("arm,site",)))
    assert read.columns.strata == ("arm", "site")
    assert read.patients.sizes["patient"] == 4
    assert set(read.patients.data_vars) == {"months", "status", "arm", "site"}


def test_read_follow_up__takes_genes_as_covariates(clinical, tmp_path):
    (tmp_path / "e.csv").write_text(EXPRESSION)
    read = read_follow_up(clinical, columns=columns(covariates=("CD44", "arm")), expression=tmp_path / "e.csv")
    assert read.patients["CD44"].values.tolist() == [1.0, 2.0, 3.0]
    with pytest.raises(MissingVariableError, match=r"'CD4' is neither\. Did you mean 'CD44'"):
        read_follow_up(clinical, columns=columns(covariates=("CD4",)), expression=tmp_path / "e.csv")


def test_read_follow_up__reads_clinical_columns_and_genes_from_one_file(clinical):
    with pytest.raises(InputError, match="no column of numbers beside"):
        read_follow_up(clinical, columns=columns(), expression=clinical)
    path = write(clinical.parent, "sample,days,event,CD44,stage\nA,1,1,0.5,IV\nB,2,0,1.5,III\n")
    read = read_follow_up(path, columns=FollowUpColumns(time="days", event="event"), expression=path)
    assert read.patients["gene"].values.tolist() == ["CD44"]


def test_read_follow_up__suggests_columns(clinical):
    with pytest.raises(MissingVariableError, match="Did you mean 'months' for 'moths'"):
        read_follow_up(clinical, columns=columns(time="moths"))


def test_read_follow_up__refuses_identifying_columns_unless_allowed(tmp_path):
    path = write(tmp_path, "patient,mrn,days,event\nP1,77,5,1\nP2,78,6,0\n")
    with pytest.raises(PrivacyError, match="--allow-column mrn"):
        read_follow_up(path, columns=FollowUpColumns(time="days", event="event"))
    read = read_follow_up(path, columns=FollowUpColumns(time="days", event="event", allow=("mrn",)))
    assert "mrn" not in read.patients


def test_read_follow_up__counts_calendar_dates_from_an_origin(tmp_path):
    path = write(
        tmp_path,
        "patient,diagnosis,last_seen,event\nP1,2010-02-27,2010-03-01,1\nP2,2011-01-01,,0\nP3,2012-01-01,2013-01-01,0\n",
    )
    read = read_follow_up(path, columns=FollowUpColumns(time="last_seen", event="event", origin="diagnosis"))
    assert read.patients["last_seen_days"].values.tolist() == [2.0, 366.0]
    assert read.unit == "days"
    assert read.columns.time == "last_seen_days"


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("P7,-3,Dead,1,a,x", r"'months' of other.csv must be zero or more. Not so in 1 of 5 rows: -3.0 for P7"),
        ("P7,inf,Dead,1,a,x", "'months' of other.csv must be finite numbers. Not so in 1 of 5 rows: 'inf' for P7"),
        ("P7,five,Dead,1,a,x", "'five' for P7"),
        ("P7,5,Lost,1,a,x", r"'lost' \(1\)"),
        ("P1,5,Dead,1,a,x", r"More than one in 'patient': P1 \(lines 2, 8\)"),
        (",5,Dead,1,a,x", "Missing in: line 8"),
    ],
)
def test_read_follow_up__names_column_and_rows(tmp_path, row, said):
    path = write(tmp_path, CLINICAL + row + "\n")
    with pytest.raises(InputError, match=said):
        read_follow_up(path, columns=columns())


def test_read_follow_up__keeps_a_follow_up_of_zero(tmp_path):
    path = write(tmp_path, CLINICAL + "P7,0,Dead,1,a,x\n")
    assert read_follow_up(path, columns=columns()).patients["months"].values.min() == 0


def test_read_follow_up__takes_intervals_and_clusters_of_rows(tmp_path):
    path = write(tmp_path, "id,start,days,event\n1,0,5,0\n1,5,9,1\n2,0,3,0\n")
    read = read_follow_up(path, columns=FollowUpColumns(time="days", event="event", start="start"))
    assert read.patients["patient"].values.tolist() == ["1 (line 2)", "1 (line 3)", "2 (line 4)"]
    clustered = read_follow_up(path, columns=FollowUpColumns(time="days", event="event", cluster="id"))
    assert clustered.patients["id"].values.tolist() == [1.0, 1.0, 2.0]
    with pytest.raises(InputError, match=r"More than one in 'id': 1 \(lines 2, 3\).*--cluster id"):
        read_follow_up(path, columns=FollowUpColumns(time="days", event="event"))
    late = write(tmp_path, "id,start,days,event\n1,6,5,0\n")
    with pytest.raises(InputError, match=r"'start' of other\.csv must lie before 'days'.*'6 to 5' for 1"):
        read_follow_up(late, columns=FollowUpColumns(time="days", event="event", start="start"))


def test_read_follow_up__names_rows_by_their_lines_where_nothing_names_patients(tmp_path):
    path = write(tmp_path, "days,event\n4,1\n5,0\n")
    read = read_follow_up(path, columns=FollowUpColumns(time="days", event="event"))
    assert read.patients["patient"].values.tolist() == ["line 2", "line 3"]
    with pytest.raises(InputError, match="--sample COLUMN"):
        read_follow_up(path, columns=FollowUpColumns(time="days", event="event"), expression=path)


def test_read_follow_up__renames_columns_that_analyses_need_themselves(tmp_path):
    path = write(tmp_path, "patient,days,event\nA,1,1\nA,3,0\n")
    read = read_follow_up(path, columns=FollowUpColumns(time="days", event="event", cluster="patient"))
    assert read.columns.cluster == "patient_column"
    assert read.patients["patient_column"].values.tolist() == ["A", "A"]


def test_read_follow_up__says_why_nobody_is_left(tmp_path):
    path = write(tmp_path, "patient,days,event\nA,,1\nB,3,\n")
    with pytest.raises(InputError, match=r"rows of other.csv: 2; days is missing: 1; event is missing: 1"):
        read_follow_up(path, columns=FollowUpColumns(time="days", event="event"))


@pytest.mark.parametrize("text", ["", "patient days event\nA 1 1\n"])
def test_read_follow_up__refuses_what_is_no_table(tmp_path, text):
    with pytest.raises(FormatError, match="separated by tabs, commas or semicolons"):
        read_follow_up(write(tmp_path, text), columns=columns())
    with pytest.raises(InputError, match="Found no rows"):
        read_follow_up(write(tmp_path, "patient,months,status\n"), columns=columns())


@pytest.mark.parametrize("change", ["punctuation", "suffix", "case"])
def test_read_follow_up__finds_samples_that_are_written_otherwise(tmp_path, change):
    path = write(tmp_path, "patient,days,event\nTCGA-02-0001,1,1\nTCGA-02-0002,3,0\n")
    names = {"punctuation": "TCGA.02.000{}", "suffix": "TCGA-02-000{}-01A", "case": "tcga-02-000{}"}[change]
    (tmp_path / "e.csv").write_text(f"gene,{names.format(1)},{names.format(2)}\nCD44,1,2\n")
    read = read_follow_up(path, columns=FollowUpColumns(time="days", event="event"), expression=tmp_path / "e.csv")
    assert np.array_equal(read.patients["expression"].values, [[1.0], [2.0]])
    assert change in read.matching


def test_read_follow_up__refuses_samples_of_nobody_and_of_several(tmp_path):
    path = write(tmp_path, "patient,days,event\nP.1,1,1\nP-1,3,0\n")
    (tmp_path / "e.csv").write_text("gene,P_1,P2\nCD44,1,2\n")
    with pytest.raises(InputError, match=r"P_1 \(P.1 or P-1\)"):
        read_follow_up(path, columns=FollowUpColumns(time="days", event="event"), expression=tmp_path / "e.csv")
    (tmp_path / "n.csv").write_text("gene,X9,Y9\nCD44,1,2\n")
    with pytest.raises(InputError, match="Use the same identifiers in both"):
        read_follow_up(path, columns=FollowUpColumns(time="days", event="event"), expression=tmp_path / "n.csv")


def test_read_follow_up__splits_patients_at_the_median_of_a_gene(clinical, tmp_path):
    (tmp_path / "e.csv").write_text(EXPRESSION)
    read = read_follow_up(clinical, columns=columns(group="KLF2"), expression=tmp_path / "e.csv")
    assert read.columns.group == "KLF2_group"
    assert read.patients["KLF2_group"].values.tolist() == ["above the median", "up to the median"]
    assert read.flow[-1].reason == "KLF2 is missing"
    assert read.flow[-1].remaining == 2
    with pytest.raises(MissingVariableError, match="Did you mean 'arm'"):
        read_follow_up(clinical, columns=columns(group="armm"))


@pytest.mark.parametrize("role", ["covariates", "strata"])
@pytest.mark.parametrize("name", ["time", "event"])
def test_read_follow_up__refuses_an_outcome_that_explains_itself(tmp_path, role, name):
    path = tmp_path / "clinical.csv"
    path.write_text("patient,time,event\nP1,5,1\nP2,7,0\n")
    with pytest.raises(InputError, match=f"other columns of clinical.csv than the follow-up. Found: {name};"):
        read_follow_up(path, columns=FollowUpColumns(time="time", event="event", **{role: (name,)}))
    with pytest.raises(InputError, match="columns of their own"):
        read_follow_up(path, columns=FollowUpColumns(time="time", event="time"))


def test_read_follow_up__tells_decimal_commas_and_lines_of_dates(tmp_path):
    path = tmp_path / "clinical.csv"
    path.write_text("patient;time;event\nP1;5,5;1\nP2;7;0\n")
    with pytest.raises(InputError, match=r"'5,5' for P1; .*Decimals have a point, not a comma"):
        read_follow_up(path, columns=FollowUpColumns(time="time", event="event"))
    path.write_text("patient;time;event\nP1;01/02/2020;1\nP2;02/03/2020;0\n")
    with pytest.raises(InputError, match=r"rows: line 2, line 3; name the format \(--date-format\)"):
        read_follow_up(path, columns=FollowUpColumns(time="time", event="event", origin="2019-01-01"))
