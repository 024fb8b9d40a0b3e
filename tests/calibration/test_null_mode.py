"""Without any effect, P values are uniform: nothing is found more often than chance would have it."""

from __future__ import annotations

import dataclasses
import warnings

import numpy as np
import pytest
import xarray as xr
from calibration_tables import bulk_patients, cell_counts
from scipy import stats

from chemores_dask.cohort.composition import paired_composition
