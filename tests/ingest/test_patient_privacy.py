"""Tests of refusing tables that tell who the patients are."""

from __future__ import annotations

import datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from chemores_dask.errors import MissingVariableError, PrivacyError
from chemores_dask.ingest.clinical_tables import ClinicalColumns, read_clinical_table
from chemores_dask.ingest.patient_privacy import check_privacy, identifying_columns

NAMED = {
    "names": "name Surname lastName first_name PatientName patient.names Nachname VORNAME Name_des_Patienten initials family-name",
    "dates of birth": "dob DOB birthDate date_of_birth birth.dt birthday Geburtsdatum GebDat geb. Geburtstag birth born",
    "record numbers": (
        "MRN mrn medical_record_number hospitalNumber hospital_no ssn SocialSecurityNumber NHS_number Fallnummer "
        "Aktenzeichen Versichertennummer insurance_no Krankenaktennummer KVNR"
    ),
    "addresses": "address home.address street City zip zipcode ZIP_Code postcode postal_code PLZ Postleitzahl Anschrift Straße Ort Wohnort",
    "e-mail addresses": "email e-mail Mail contact_email",
    "telephone numbers": "phone Phone_Number tel Telefonnummer mobile fax cell_phone Handynummer",
}

HARMLESS = (
    "patient patient_id record_id id gene_name drug_name sample.name study_name center site stage T_stage age Age_Days sex race "
    "age_at_birth_of_child days_to_birth year_of_birth birth_weight Geburtsjahr Geburtsgewicht WBC MRD29 os.time os.status mobility "
    "toxicity ethnicity reported response sort telomere faxitron histology hospital days_to_last_contact inst ph.ecog futime nodes"
)


@pytest.mark.parametrize(("kind", "names"), NAMED.items())
def test_identifying_columns__knows_english_and_german_names(kind: str, names: str) -> None:
    table = pd.DataFrame({name: ["a", "b"] for name in names.split()})
    assert identifying_columns(table) == dict.fromkeys(names.split(), kind)


def test_identifying_columns__leaves_clinical_columns_alone() -> None:
    assert identifying_columns(pd.DataFrame({name: ["1.5", "2"] for name in HARMLESS.split()})) == {}


@pytest.mark.parametrize(
    ("entries", "kind"),
    [
        (["", "2010-03-04", "NA"], "dates"),
        (["4.3.2010"], "dates"),
        (["seen on 03/04/2010, well", "dead"], "dates"),
        (["12-MAR-2010", "x"], "dates"),
        (["3. Mai 2011"], "dates"),
        (["March 4, 2010"], "dates"),
        (["03/04/10", "12/31/09"], "dates"),
        (["20100304", "20091231"], "dates"),
        (["see anna@clinic.example.org"], "e-mail addresses"),
        (["+49 30 1234567"], "telephone numbers"),
        (["030/4567890", "0171-2345678"], "telephone numbers"),
        (["555-123-4567", "555-765-4321"], "telephone numbers"),
        (["123-45-6789"], "social security numbers"),
        (["12345678", "12345679"], "long numbers"),
        (["Müller, Anna", "Smith, John B."], "names"),
    ],
)
def test_identifying_columns__knows_entries(entries: list[str], kind: str) -> None:
    assert identifying_columns(pd.DataFrame({"x": entries})) == {"x": kind}


@pytest.mark.parametrize(
    "entries",
    [
        ["TCGA-02-0001-01A-11R", "TCGA-06-0125-02A"],
        ["TARGET-10-PARASZ", "GTEX-1117F-0226", "GSM1234567"],
        ["0.1234567", "-12345678", "1e7", "350000", "1:DECEASED"],
        ["8140/3", "T1-2", "10-20", "1/2", "3-4-5 cycles"],
        ["Stage IV", "M1, M2", "Adenocarcinoma, NOS", "decreased 20", "may 3"],
        ["1970", "2010"],
        ["chr7:55019017-55211628", "ENSG00000146648.18"],
        ["2 weeks", "12 months", "100 mg 2x"],
        ["", "NA"],
    ],
)
def test_identifying_columns__leaves_clinical_entries_alone(entries: list[str]) -> None:
    assert identifying_columns(pd.DataFrame({"x": entries})) == {}


def test_identifying_columns__looks_at_columns_of_every_type() -> None:
    table = pd.DataFrame(
        {
            "seen": pd.to_datetime(["2010-01-02", None]),
            "day": [datetime.date(2010, 1, 2), None],
            "code": [12345678.0, np.nan],
            "key": [12345678, 12345679],
            "reads": [12345678.5, 1e8],
            "dead": [True, False],
            "large": [np.inf, 5.0],
        }
    )
    assert identifying_columns(table) == {
        "seen": "dates",
        "day": "dates",
        "code": "long numbers",
        "key": "long numbers",
    }


def test_check_privacy__names_columns_and_how_to_allow_them_but_no_entry() -> None:
    table = pd.DataFrame({"patient": ["P1"], "MRN": ["77"], "last seen": ["2010-03-04"], "age": ["7"]})
    with pytest.raises(PrivacyError) as caught:
        check_privacy(table)
    said = str(caught.value)
    assert "'MRN' looks like record numbers; 'last seen' looks like dates" in said
    assert "--allow-column MRN --allow-column 'last seen'" in said
    assert "2010" not in said
    assert "77" not in said
    assert "days from an origin" in said
    with pytest.raises(PrivacyError, match="'last seen'") as caught:
        check_privacy(table, allow=["MRN"])
    assert "MRN" not in str(caught.value)
    check_privacy(table, allow=["MRN", "last seen"])
    with pytest.raises(MissingVariableError, match="mrn"):
        check_privacy(table, allow=["mrn"])


def test_read_clinical_table__refuses_patients_named_by_what_identifies_them(tmp_path: Path) -> None:
    path = tmp_path / "c.csv"
    path.write_text("patient,time\n123-45-6789,-1\n123-45-6789,1\n")
    with pytest.raises(PrivacyError, match="'patient' looks like social security numbers") as caught:
        read_clinical_table(path, columns=ClinicalColumns(durations=("time",)))
    assert "123" not in str(caught.value)
    assert str(path) in caught.value.__notes__[0]


def test_read_clinical_table__takes_columns_allowed_by_name(tmp_path: Path) -> None:
    (tmp_path / "c.csv").write_text("patient,city\nP1,Aachen\n")
    with pytest.raises(PrivacyError, match="--allow-column city"):
        read_clinical_table(tmp_path / "c.csv")
    table = read_clinical_table(tmp_path / "c.csv", columns=ClinicalColumns(allow=("city",)))
    assert table["city"].tolist() == ["Aachen"]


def test_check_privacy__takes_published_tables(reference_folder: Path) -> None:
    cohorts = reference_folder / "data" / "cohorts"
    found = {
        path.name: identifying_columns(pd.read_csv(path, dtype=str, keep_default_na=False))
        for folder in ("converted", "debian/r-survival", "debian/other")
        for path in sorted((cohorts / folder).glob("*.csv*"))
        if "clin" in path.name or "debian" in folder
    }
    dates = {name: columns for name, columns in found.items() if columns}
    assert set(dates) == {"cgd.csv", "jasa.csv", "udca.csv"}
    assert dates["jasa.csv"] == {
        "birth.dt": "dates of birth", "accept.dt": "dates", "tx.date": "dates", "fu.date": "dates",
    }  # fmt: skip


def test_identifying_columns__knows_full_names_where_none_recurs() -> None:
    names = ["Anna Nowak", "Jan Kowalski", "Zofia Wójcik", "Łukasz J. Lis", "Ewa Zając"]
    assert identifying_columns(pd.DataFrame({"patient": names})) == {"patient": "names"}
    diagnoses = ["Ewing Sarcoma", "Ewing Sarcoma", "Clear Cell", "Wilms Tumor", "Germ Cell"]
    assert identifying_columns(pd.DataFrame({"diagnosis": diagnoses})) == {}
