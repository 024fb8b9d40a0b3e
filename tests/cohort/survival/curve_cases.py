"""Simulated patients with late entry, tied times and three causes, and what R 4.2.2 says of them (survival 3.5-3, cmprsk 2.2-11)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

EXPECTED = Path(__file__).parent / "expected"


def curve_patients() -> xr.Dataset:
    """160 patients in three arms and three sites; ``fine`` is the time without ties."""
    table = expected("curves_input")
    table["event"] = table["cause"] > 0
    table["fine"] = table["time"] + np.arange(1, len(table) + 1) * 7 / 1000
    return patients_of(**{name: table[name].to_numpy() for name in table})


def expected(name: str) -> pd.DataFrame:
    """A table of expected values."""
    return pd.read_csv(EXPECTED / f"{name}.csv")


def patients_of(**columns) -> xr.Dataset:
    """Columns over ``patient``."""
    return xr.Dataset({name: ("patient", np.asarray(values)) for name, values in columns.items()})
