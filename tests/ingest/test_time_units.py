"""Tests of units of time."""

from __future__ import annotations

import pytest

from chemores_dask.errors import InputError, ParameterError
from chemores_dask.ingest.time_units import time_unit


@pytest.mark.parametrize(
    ("column", "unit"),
    [
        ("OS_MONTHS", "months"),
        ("os.days", "days"),
        ("survivalYears", "years"),
        ("time (d)", "days"),
        ("Follow-up [mo]", "months"),
        ("os_mo", "months"),
        ("weeks", "weeks"),
        ("time", ""),
        ("efs.time", ""),
        ("d.time", ""),
        ("holidays", ""),
        ("days or months", ""),
    ],
)
def test_time_unit__reads_names_that_say_it_and_guesses_nothing(column, unit):
    assert time_unit(column) == unit


def test_time_unit__takes_what_a_person_names():
    assert time_unit("time", named="years") == "years"
    assert time_unit("os_days", named="days") == "days"


def test_time_unit__refuses_two_units_and_unknown_ones():
    with pytest.raises(InputError, match="'os_days' says days, but months were named"):
        time_unit("os_days", named="months")
    with pytest.raises(ParameterError, match="fortnights"):
        time_unit("time", named="fortnights")
