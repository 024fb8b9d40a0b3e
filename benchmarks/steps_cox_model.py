"""One Cox model with ten covariates, with standard errors, tests and concordance: ours, lifelines, scikit-survival, R's ``coxph``."""

from __future__ import annotations

import shutil
import subprocess

import numpy as np
import pandas as pd
import xarray as xr

import chemores_dask as cd
from benchmarks.absent import give_up, need_doors, need_package
from benchmarks.one_step import WARM, Clock, Place
from benchmarks.steps_ours import SEED

PATIENTS, COVARIATES, FITS = 1_336, 10, 10
"""Seconds are compared per fit."""

R_FITS = """
suppressMessages(library(survival))
given <- commandArgs(TRUE)
table <- read.csv(given[1])
one <- function() summary(coxph(Surv(duration, event) ~ ., data = table))
invisible(one())
cat(system.time(for (fit in seq_len(as.integer(given[2]))) one())[["elapsed"]])
"""


def ours(place: Place, clock: Clock) -> None:
    """All that ``cox_model`` returns: also tests of each covariate and the baseline hazard."""
    need_doors("cox_model")
    table, fits = model_cohort(place, clock)
    with clock("model"):
        for _ in range(fits):
            cd.cox_model(table, duration="duration", event="event", covariates=_names())


def lifelines(place: Place, clock: Clock) -> None:
    """A ``CoxPHFitter`` with its concordance and likelihood-ratio test."""
    peer = need_package("lifelines")
    table, fits = model_cohort(place, clock)
    frame = _frame(table)
    with clock("model"):
        for _ in range(fits):
            fitted = peer.CoxPHFitter().fit(frame, "duration", "event")
            fitted.log_likelihood_ratio_test()
            _ = fitted.concordance_index_


def scikit_survival(place: Place, clock: Clock) -> None:
    """A ``CoxPHSurvivalAnalysis`` with Efron's ties and its concordance; it has no standard errors."""
    need_package("sksurv")
    linear, util = need_package("sksurv.linear_model"), need_package("sksurv.util")
    table, fits = model_cohort(place, clock)
    outcome = util.Surv.from_arrays(table["event"].values, table["duration"].values)
    values = _frame(table)[_names()].to_numpy()
    with clock("model"):
        for _ in range(fits):
            linear.CoxPHSurvivalAnalysis(ties="efron").fit(values, outcome).score(values, outcome)


def r(place: Place, clock: Clock) -> None:
    """``summary(coxph())``; R counts the seconds."""
    program = shutil.which("Rscript")
    if program is None:
        give_up("Rscript is not installed")
    table, fits = model_cohort(place, clock)
    place.checks.mkdir(parents=True, exist_ok=True)
    file = place.checks / "cox_model.csv"
    _frame(table).to_csv(file, index=False)
    done = subprocess.run([program, "-e", R_FITS, str(file), str(fits)], capture_output=True, text=True, check=False)
    file.unlink()
    if done.returncode:
        give_up(f"R could not fit: {done.stderr.strip()[-300:]}")
    clock.parts["model"] = float(done.stdout)


def model_cohort(place: Place, clock: Clock) -> tuple[xr.Dataset, int]:
    """Patients of whose covariates the first two matter, and how often to fit; few of both where programs only warm up."""
    warm = place.folder.name == WARM
    patients, fits = (120, 1) if warm else (PATIENTS, FITS)
    clock.facts["fits"] = fits
    draws = np.random.default_rng(SEED)
    values = draws.normal(size=(patients, COVARIATES))
    life = draws.exponential(30 * np.exp(-0.4 * values[:, 0] + 0.3 * values[:, 1]))
    lost = draws.uniform(1, 60, patients)
    columns = {"duration": np.minimum(life, lost).round(1) + 0.1, "event": life <= lost}
    columns |= {name: values[:, place] for place, name in enumerate(_names())}
    return xr.Dataset({name: ("patient", column) for name, column in columns.items()}), fits


def _names() -> list[str]:
    return [f"covariate_{number}" for number in range(COVARIATES)]


def _frame(table: xr.Dataset) -> pd.DataFrame:
    return table.to_pandas().astype(float)
