"""Tests of understanding events."""

from __future__ import annotations

import pandas as pd
import pytest

from chemores_dask.errors import InputError
from chemores_dask.ingest.event_codes import read_events


def read(*values, **options):
    return read_events(pd.Series(values), name="status", where="trial.csv", **options)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (("0", "1", "1.0", "0.0"), (False, True, True, False)),
        (("TRUE", "false", "T"), (True, False, True)),
        (("Yes", "no", "N"), (True, False, False)),
        (("Dead", "Alive"), (True, False)),
        (("DECEASED", "LIVING", " deceased "), (True, False, True)),
        (("1:DECEASED", "0:LIVING", "0: living"), (True, False, False)),
        (("1:Recurred/Progressed", "0:DiseaseFree"), (True, False)),
        (("Relapse", "No relapse", "censored"), (True, False, False)),
        (("Event", "Censored"), (True, False)),
        (("Event", "No_event"), (True, False)),
        (("0", "0"), (False, False)),
    ],
)
def test_read_events__understands_what_registries_write(values, expected):
    assert tuple(read(*values).happened) == expected


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (("1", "2", "2"), r"'2' \(2\), '1' \(1\); 1 and 2 may stand for"),
        (("2", "2"), "1 and 2 may stand for"),
        (("0", "1", "2"), r"'2' \(1\)"),
        (("Alive", "Relapse", "Dead"), "'relapse'"),
        (("0", "Dead"), "'dead'"),
        (("CCR", "Relapse"), "'ccr'"),
        (("0:DECEASED", "1:LIVING"), "must say the same"),
        (("-1", "1"), "'-1'"),
        (("0.5", "1"), "'0.5'"),
    ],
)
def test_read_events__refuses_what_is_ambiguous_and_names_the_values(values, said):
    with pytest.raises(InputError, match=said) as refused:
        read(*values)
    assert "--event-value" in str(refused.value)
    assert "'status' of trial.csv" in str(refused.value)


def test_read_events__takes_named_values_and_says_what_the_others_are():
    read_named = read("1", "2", "2", event_values=["2"])
    assert read_named.happened.tolist() == [False, True, True]
    assert read_named.coding == "2 is an event (2), 1 is not (1)"
    several = read("Relapse", "SMN", "Alive", "none yet", event_values=["relapse", "smn"])
    assert several.happened.tolist() == [True, True, False, False]
    assert several.coding == "Relapse (1), SMN (1) are events, Alive (1), none yet (1) are not"


def test_read_events__refuses_a_named_value_that_does_not_occur():
    with pytest.raises(InputError, match=r"Not there: Dead; its values: 'alive' \(1\), 'deceased' \(1\)"):
        read("Alive", "Deceased", event_values=["Dead"])
