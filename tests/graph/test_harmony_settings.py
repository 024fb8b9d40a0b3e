"""Settings of harmony: turns, and values that cannot be."""

from __future__ import annotations

import pytest

from chemores_dask.errors import ParameterError
from chemores_dask.graph.harmony_settings import HarmonySettings


def test_settings__give_the_number_of_turns():
    assert HarmonySettings().turns == 20
    assert HarmonySettings(update_share=0.5).turns == 2
    assert HarmonySettings(update_share=0.3).turns == 3


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("sigma", 0.0),
        ("sigma", float("nan")),
        ("ridge", 0.0),
        ("ridge_share", -1.0),
        ("update_share", 1.0),
        ("iterations", 0),
        ("rounds", 1.5),
        ("tolerance", -0.1),
        ("round_tolerance", 2.0),
    ],
)
def test_settings__refuse_what_cannot_be(name, value):
    with pytest.raises(ParameterError, match=f"{name!r} parameter of harmony"):
        HarmonySettings(**{name: value})
