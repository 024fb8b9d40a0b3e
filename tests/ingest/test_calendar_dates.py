"""Tests of turning calendar dates into days."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from chemores_dask.errors import InputError, MissingVariableError, ParameterError
from chemores_dask.ingest.calendar_dates import calendar_dates, days_from_origin


def read(*texts: object, **options: str) -> list[str]:
    return [str(date)[:10] for date in calendar_dates(pd.Series(list(texts)), name="seen", **options)]


def test_calendar_dates__reads_what_can_be_read_in_one_way() -> None:
    written = [
        "2010-03-04",
        "2010/3/4",
        "2010.03.04",
        "20100304",
        "4.3.2010",
        "04-MAR-2010",
        "4 March 2010",
        "4. Mär 2010",
    ]
    assert set(read(*written)) == {"2010-03-04"}
    assert read("2010-03-04T23:59:00Z", "2010-03-04 00:00:00.000") == ["2010-03-04"] * 2
    assert read("", "NA", None, "2010-12-31", "5 Dez 1895") == ["NaT", "NaT", "NaT", "2010-12-31", "1895-12-05"]


def test_calendar_dates__takes_the_order_that_the_whole_column_allows() -> None:
    assert read("13/04/2010", "03/05/2010", "") == ["2010-04-13", "2010-05-03", "NaT"]
    assert read("04/13/2010", "03/05/2010") == ["2010-04-13", "2010-03-05"]
    assert read("04/04/2010") == ["2010-04-04"]
    assert read("03/04/2010", date_format="MM/DD/YYYY") == ["2010-03-04"]
    assert read("03/04/2010", date_format="DD/MM/YYYY") == ["2010-04-03"]


def test_calendar_dates__refuses_two_readings_until_the_format_is_named() -> None:
    with pytest.raises(
        InputError, match=r"rows: 1, 2; name the format \(--date-format\), 'DD/MM/YYYY' or 'MM/DD/YYYY'"
    ) as caught:
        read("2010-01-01", "03/04/2010", "05/06/2011")
    assert "2010" not in str(caught.value)


@pytest.mark.parametrize(
    "texts",
    [
        ("13/04/2010", "04/13/2010"),
        ("2010-02-30",),
        ("03/04/10",),
        ("2010",),
        ("40179",),
        ("2010-03",),
        ("4 Foo 2010",),
    ],
)
def test_calendar_dates__refuses_what_is_no_date_without_showing_it(texts: tuple[str, ...]) -> None:
    with pytest.raises(InputError, match=r"'seen'.*rows: 0") as caught:
        read(*texts)
    assert texts[0] not in str(caught.value)


@pytest.mark.parametrize("date_format", ["%d/%m/%Y", "DD/MM/YY", "DD/DD/YYYY", "", "xDD/MM/YYYY"])
def test_calendar_dates__refuses_formats_it_does_not_know(date_format: str) -> None:
    with pytest.raises(ParameterError, match="DD/MM/YYYY"):
        read("03/04/2010", date_format=date_format)


def test_calendar_dates__refuses_dates_that_are_not_in_the_named_format() -> None:
    with pytest.raises(InputError, match="written as MM/DD/YYYY"):
        read("03/04/2010", "2010-03-04", date_format="MM/DD/YYYY")


def test_days_from_origin__counts_days_from_a_column_or_a_date() -> None:
    table = pd.DataFrame(
        {
            "patient": ["a", "b", "c"],
            "diagnosis": ["2000-02-28", "2011-01-01", ""],
            "last": ["2000-03-01", "2010-12-31", "2012-01-01"],
            "age": [1.0, 2.0, 3.0],
        }
    )
    days = days_from_origin(table, columns=["last"], origin="diagnosis")
    assert list(days.columns) == ["patient", "last_days", "age"]
    np.testing.assert_array_equal(days["last_days"], [2.0, -1.0, np.nan])
    fixed = days_from_origin(table, columns=["last", "diagnosis"], origin="2000-01-01")
    np.testing.assert_array_equal(fixed["last_days"], [60.0, 4017.0, 4383.0])
    np.testing.assert_array_equal(fixed["diagnosis_days"], [58.0, 4018.0, np.nan])
    assert list(table.columns) == ["patient", "diagnosis", "last", "age"]


def test_days_from_origin__takes_dates_of_pandas() -> None:
    table = pd.DataFrame({"o": pd.to_datetime(["2010-01-01 13:00"]), "l": pd.to_datetime(["2010-01-03 01:00"])})
    assert days_from_origin(table, columns=["l"], origin="o")["l_days"].tolist() == [2.0]


def test_days_from_origin__names_what_is_absent_or_in_the_way() -> None:
    table = pd.DataFrame({"last": ["2010-01-01"], "last_days": [1.0]})
    with pytest.raises(MissingVariableError, match=r"seen.*Present: last"):
        days_from_origin(table, columns=["seen"], origin="last")
    with pytest.raises(MissingVariableError, match="diagnosis"):
        days_from_origin(table, columns=["last"], origin="diagnosis")
    with pytest.raises(InputError, match="'origin'"):
        days_from_origin(table, columns=["last"], origin="2010-02-30")
    with pytest.raises(InputError, match="Present already: last_days"):
        days_from_origin(table, columns=["last"], origin="2010-01-01")


def test_days_from_origin__gives_the_waits_that_come_with_stanford_hearts(reference_folder: Path) -> None:
    path = reference_folder / "data" / "cohorts" / "debian" / "r-survival" / "jasa.csv"
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    days = days_from_origin(table, columns=["fu.date", "tx.date"], origin="accept.dt")
    np.testing.assert_array_equal(days["fu.date_days"], table["futime"].astype(float))
    transplanted = table["wait.time"] != "NA"
    np.testing.assert_array_equal(days["tx.date_days"][transplanted], table["wait.time"][transplanted].astype(float))
