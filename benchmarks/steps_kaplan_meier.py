"""Kaplan-Meier curves of two groups with limits, and the log-rank test between them: ours, lifelines, scikit-survival, R's ``survival``."""

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

PATIENTS, FITS = 5_000, 20
"""Seconds are compared per fit of both curves and the test."""

R_FITS = """
suppressMessages(library(survival))
given <- commandArgs(TRUE)
table <- read.csv(given[1])
one <- function() {
  summary(survfit(Surv(duration, event) ~ arm, data = table), rmean = "common")
  survdiff(Surv(duration, event) ~ arm, data = table)
}
invisible(one())
cat(system.time(for (fit in seq_len(as.integer(given[2]))) one())[["elapsed"]])
"""


def ours(place: Place, clock: Clock) -> None:
    """All that ``kaplan_meier`` and ``log_rank`` return: also medians and restricted means."""
    need_doors("kaplan_meier", "log_rank")
    table, fits = curve_cohort(place, clock)
    with clock("curves"):
        for _ in range(fits):
            cd.kaplan_meier(table, duration="duration", event="event", group="arm")
            cd.log_rank(table, duration="duration", event="event", group="arm")


def lifelines(place: Place, clock: Clock) -> None:
    """A ``KaplanMeierFitter`` per group, and ``logrank_test``."""
    peer, statistics = need_package("lifelines"), need_package("lifelines.statistics")
    table, fits = curve_cohort(place, clock)
    time, event, arm = (table[name].values for name in ("duration", "event", "arm"))
    with clock("curves"):
        for _ in range(fits):
            for code in (0, 1):
                peer.KaplanMeierFitter().fit(time[arm == code], event[arm == code])
            statistics.logrank_test(time[arm == 0], time[arm == 1], event[arm == 0], event[arm == 1])


def scikit_survival(place: Place, clock: Clock) -> None:
    """A ``kaplan_meier_estimator`` with limits per group, and ``compare_survival``."""
    need_package("sksurv")
    nonparametric, compare = need_package("sksurv.nonparametric"), need_package("sksurv.compare")
    util = need_package("sksurv.util")
    table, fits = curve_cohort(place, clock)
    time, event, arm = (table[name].values for name in ("duration", "event", "arm"))
    outcome = util.Surv.from_arrays(event, time)
    with clock("curves"):
        for _ in range(fits):
            for code in (0, 1):
                nonparametric.kaplan_meier_estimator(event[arm == code], time[arm == code], conf_type="log-log")
            compare.compare_survival(outcome, arm)


def r(place: Place, clock: Clock) -> None:
    """``survfit`` and ``survdiff``; R counts the seconds."""
    program = shutil.which("Rscript")
    if program is None:
        give_up("Rscript is not installed")
    table, fits = curve_cohort(place, clock)
    place.checks.mkdir(parents=True, exist_ok=True)
    file = place.checks / "curves.csv"
    pd.DataFrame({name: table[name].values.astype(float) for name in ("duration", "event", "arm")}).to_csv(
        file, index=False
    )
    done = subprocess.run([program, "-e", R_FITS, str(file), str(fits)], capture_output=True, text=True, check=False)
    file.unlink()
    if done.returncode:
        give_up(f"R could not fit: {done.stderr.strip()[-300:]}")
    clock.parts["curves"] = float(done.stdout)


def curve_cohort(place: Place, clock: Clock) -> tuple[xr.Dataset, int]:
    """Patients in two groups, and how often to fit; few of both where programs only warm up."""
    warm = place.folder.name == WARM
    patients, fits = (120, 1) if warm else (PATIENTS, FITS)
    clock.facts["fits"] = fits
    draws = np.random.default_rng(SEED)
    arm = draws.integers(0, 2, patients)
    life, lost = draws.exponential(30 * np.exp(-0.3 * arm)), draws.uniform(1, 60, patients)
    columns = {"duration": np.minimum(life, lost).round(1) + 0.1, "event": life <= lost, "arm": arm}
    return xr.Dataset({name: ("patient", column) for name, column in columns.items()}), fits
