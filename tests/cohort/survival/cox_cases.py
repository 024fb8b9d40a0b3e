"""Cohorts with values by R for models of survival.

``expected/cox_patients.csv`` is simulated; ``expected/cox_expected.json`` holds what R 4.2.2 with survival 3.5-3 and rms 6.5-0 makes of it:
``coxph(Surv(start, stop, event) ~ age + marker + stage + strata(site), ties=)``, plain and with ``weights=weight, cluster=clinic``; of each
``residuals`` of all types, ``cox.zph``, ``survfit`` of two new patients with three kinds of limits; ``coxph`` and ``cph`` with
``rcs(age, k)``; ``Hmisc::rcspline.eval(knots.only)``; ``concordance`` with weights and clusters, of two models, and Uno's until 15.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from chemores_dask.cohort.survival.cox_options import ModelOptions

EXPECTED = Path(__file__).parent / "expected"
OURS = {
    "duration": "stop",
    "event": "event",
    "entry": "start",
    "strata": "site",
    "covariates": ["age", "marker", "stage"],
}
FITS = [f"{kind}_{ties}" for kind in ("plain", "weighted") for ties in ("efron", "breslow")]


def patients_of(table: pd.DataFrame) -> xr.Dataset:
    return xr.Dataset({name: ("patient", table[name].to_numpy()) for name in table})


def our_patients() -> xr.Dataset:
    return patients_of(pd.read_csv(EXPECTED / "cox_patients.csv"))


def by_r() -> dict:
    return json.loads((EXPECTED / "cox_expected.json").read_text())


def our_options(fit: str) -> ModelOptions:
    kind, ties = fit.split("_")
    return ModelOptions(ties=ties, **({"weights": "weight", "cluster": "clinic"} if kind == "weighted" else {}))


def reference_cases(folder: Path, name: str) -> list[dict]:
    return json.loads((folder / "reference" / "survival" / f"{name}.json").read_text())["cases"]


def case_columns(case: dict) -> dict:
    """Columns of a case of the reference, whose outcome may be named in a formula only."""
    text = case.get("formula") or case.get("surv") or ""
    start, time = case.get("start"), case.get("time", "time")
    if "start" in text:
        start, time = "start", "stop"
    for other in ("time10", "time_month"):
        time = other if other in text else time
    strata = case["strata"]
    return {
        "duration": time,
        "event": case.get("event", "event"),
        "entry": start,
        "strata": [strata] if isinstance(strata, str) else strata,
        "covariates": case.get("covariates") or [case["x"]],
    }


def case_patients(case: dict, folder: Path) -> xr.Dataset:
    columns = case_columns(case)
    used = [columns["entry"], columns["duration"], columns["event"], *columns["covariates"], *(columns["strata"] or [])]
    used = [name for name in (*used, case.get("cluster"), case.get("weights")) if name]
    table = pd.read_csv(folder / "reference" / "survival" / case["data"])[list(dict.fromkeys(used))].dropna()
    return patients_of(table)


def case_options(case: dict) -> ModelOptions:
    robust = True if case.get("robust") and not case["cluster"] else None
    return ModelOptions(ties=case["ties"], weights=case.get("weights"), cluster=case.get("cluster"), robust=robust)


def some_patients(patients: int = 60, seed: int = 5, **more) -> xr.Dataset:
    rng = np.random.default_rng(seed)
    columns = {
        "months": rng.exponential(size=patients),
        "died": rng.random(patients) < 0.7,
        "age": rng.normal(60, 9, patients),
        "sex": rng.choice(["F", "M"], patients),
        **more,
    }
    return xr.Dataset({name: ("patient", np.asarray(values)) for name, values in columns.items()})
