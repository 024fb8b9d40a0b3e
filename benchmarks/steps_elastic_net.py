"""The elastic-net Cox path of a hundred penalties: ours, scikit-survival, R's ``glmnet``; and genes chosen on halves of the patients."""

from __future__ import annotations

import shutil
import subprocess

import dask
import numpy as np
import pandas as pd
import xarray as xr

import chemores_dask as cd
from benchmarks.absent import give_up, need_doors, need_package
from benchmarks.one_step import WARM, Clock, Place
from benchmarks.steps_ours import SEED
from chemores_dask.cohort.risk_signature.penalty_path import PathSettings, fit_path
from chemores_dask.cohort.risk_signature.training_cohort import read_training

PATIENTS, GENES, PENALTIES = 500, 5_000, 100
RESAMPLED_GENES, RESAMPLES = 2_000, 1_000

R_PATH = """
suppressMessages(library(glmnet)); suppressMessages(library(survival))
given <- commandArgs(TRUE)
x <- matrix(readBin(given[1], "double", n = 1e9), nrow = as.integer(given[3]))
y <- read.csv(given[2])
one <- function(size) glmnet(x, Surv(y$duration, y$event), family = "cox", nlambda = size)
invisible(one(3))
cat(system.time(one(as.integer(given[4])))[["elapsed"]])
"""


def ours(place: Place, clock: Clock) -> None:
    """The path alone, at the tolerance that signatures are fitted with."""
    need_doors("fit_risk_signature")
    table, penalties = _cohort(place, clock, GENES)
    training = read_training(
        table,
        outcome=("duration", "event"),
        expression="expression",
        covariates=(),
        columns=(None, None, None),
        caller="elastic_net",
    )
    with clock("model"):
        path = fit_path(training, PathSettings(mixing=1.0, penalties=penalties, ratio=None, scaled=True))
    clock.facts["fits"] = 1
    clock.facts["path"] = int(path.penalties.size)


def scikit_survival(place: Place, clock: Clock) -> None:
    """``CoxnetSurvivalAnalysis``."""
    need_package("sksurv")
    linear, util = need_package("sksurv.linear_model"), need_package("sksurv.util")
    table, penalties = _cohort(place, clock, GENES)
    outcome = util.Surv.from_arrays(table["event"].values, table["duration"].values)
    with clock("model"):
        linear.CoxnetSurvivalAnalysis(l1_ratio=1.0, n_alphas=penalties).fit(table["expression"].values, outcome)
    clock.facts["fits"] = 1


def r(place: Place, clock: Clock) -> None:
    """``glmnet`` with its own settings; R counts the seconds."""
    program = shutil.which("Rscript")
    if program is None:
        give_up("Rscript is not installed")
    table, penalties = _cohort(place, clock, GENES)
    place.checks.mkdir(parents=True, exist_ok=True)
    values, outcome = place.checks / "elastic_net.bin", place.checks / "elastic_net.csv"
    table["expression"].values.T.tofile(values)  # R keeps columns together
    pd.DataFrame({name: table[name].values.astype(float) for name in ("duration", "event")}).to_csv(outcome)
    given = [str(values), str(outcome), str(table.sizes["patient"]), str(penalties)]
    done = subprocess.run([program, "-e", R_PATH, *given], capture_output=True, text=True, check=False)
    values.unlink()
    outcome.unlink()
    if done.returncode:
        give_up(f"R could not fit: {done.stderr.strip()[-300:]}")
    clock.parts["model"] = float(done.stdout)
    clock.facts["fits"] = 1


def one_worker(place: Place, clock: Clock) -> None:
    """Genes chosen on a thousand halves of the patients, on one thread."""
    _select(place, clock, workers=1)


def two_workers(place: Place, clock: Clock) -> None:
    """The same on two."""
    _select(place, clock, workers=2)


def _select(place: Place, clock: Clock, *, workers: int) -> None:
    need_doors("stability_selection")
    table, _ = _cohort(place, clock, RESAMPLED_GENES)
    resamples = 10 if place.folder.name == WARM else RESAMPLES
    options = cd.StabilityOptions(resamples=resamples)
    with dask.config.set(scheduler="threads", num_workers=workers), clock("model"):
        cd.stability_selection(table, duration="duration", event="event", options=options, seed=SEED)
    clock.facts["fits"] = resamples


def _cohort(place: Place, clock: Clock, genes: int) -> tuple[xr.Dataset, int]:
    """Patients whose survival ten genes move; few of all where programs only warm up."""
    warm = place.folder.name == WARM
    patients, genes, penalties = (60, 40, 5) if warm else (PATIENTS, genes, PENALTIES)
    draws = np.random.default_rng(SEED)
    values = draws.normal(size=(patients, genes))
    life = draws.exponential(30 * np.exp(-values[:, :10] @ np.linspace(0.5, -0.5, 10)))
    lost = draws.uniform(1, 60, patients)
    clock.facts["genes"] = genes
    return (
        xr.Dataset(
            {
                "expression": (("patient", "gene"), values),
                "duration": ("patient", np.minimum(life, lost).round(1) + 0.1),
                "event": ("patient", life <= lost),
            },
            coords={
                "patient": [f"P{number:04d}" for number in range(patients)],
                "gene": [f"GENE{number:05d}" for number in range(genes)],
            },
        ),
        penalties,
    )
