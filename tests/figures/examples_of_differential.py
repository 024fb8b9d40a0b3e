"""Small hand-made results of differential expression."""

from __future__ import annotations

import numpy as np
import xarray as xr
from scipy.special import ndtr

from chemores_dask.kernels.multiple_testing import benjamini_hochberg
from tests.figures.examples_of_results import GENES, with_parameters


def cells_result(groups: tuple[str, ...] = ("diagnosis", "relapse")) -> xr.Dataset:
    """Ranks of single cells, whose P values are much too small."""
    p_values = np.tile(np.linspace(0, 1, 300) ** 30, (len(groups), 1))
    result = xr.Dataset(
        {"marker_p_value": (("group", "gene"), p_values)}, coords={"group": list(groups), "gene": GENES[:300]}
    )
    return with_parameters(result, analysis="markers")


def differential_result(genes: int = 300, *, states: tuple[str, ...] = ()) -> xr.Dataset:
    """Six patients at two stages; two genes with too few counts; with states, all states alike."""
    draws = np.random.default_rng(12)
    change = draws.normal(0, 0.25, size=genes)
    change[: min(genes, 20)] = np.linspace(-2.5, 3.0, min(genes, 20))
    p_value = 2 * ndtr(-np.abs(change / 0.3))
    same = np.clip(np.round(3 + 4 * np.abs(change) + draws.normal(0, 1, genes)), 0, 6).astype(np.int64)
    status = np.zeros(genes, dtype=np.int64)
    status[100:102] = 2
    same[[0, 19]] = 5
    p_value[status > 0] = np.nan
    values = {
        "log_fold_change": np.where(status > 0, np.nan, change),
        "p_value": p_value,
        "q_value": benjamini_hochberg(p_value),
        "status": status,
        "patients_same_direction": same,
    }
    numbers = {"patients": 6, "patients_compared": 6, "samples": 12}
    analysis, prefix, dims = "differential_expression", "differential_", ("gene",)
    coordinates = {"gene": GENES[:genes]}
    if states:
        analysis, prefix, dims = "differential_by_state", "differential_state_", ("state", "gene")
        values = {name: np.tile(found, (len(states), 1)) for name, found in values.items()}
        coordinates["state"] = np.array(states, dtype=object)
    result = xr.Dataset(
        {prefix + name: (dims, found) for name, found in values.items()}
        | {
            prefix + name: (dims[:-1], np.full(len(states), found) if states else found)
            for name, found in numbers.items()
        },
        coords=coordinates,
    )
    result = with_parameters(result, analysis=analysis, formula="~ patient + stage", contrast="stage[T.relapse]")
    result.attrs["test"] = "quasi-likelihood F test of a negative binomial model"
    return result
