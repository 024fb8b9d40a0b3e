"""The Cox scan of 20,000 genes, and some of the same genes one by one in lifelines, scikit-survival and R's ``coxph.fit``."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

import chemores_dask as cd
from benchmarks.absent import give_up, need_doors, need_package
from benchmarks.one_step import WARM, Clock, Place
from benchmarks.steps_ours import SEED

GENES, WARM_GENES = 20_000, 64
FEW, MORE = 400, 1_336
"""Patients of a middle-sized cohort, and of a large one."""

EVENTS = 0.4
"""Share of patients with the event."""

GENES_OF = {"lifelines": 50, "scikit_survival": 200, "r": 1_000}
"""Loops are so slow that few genes have to do; seconds are compared per gene."""

R_LOOP = """
suppressMessages(library(survival))
given <- commandArgs(TRUE)
clinical <- read.csv(given[1])
genes <- as.integer(given[3])
values <- matrix(readBin(given[2], "double", n = genes * nrow(clinical)), ncol = genes)
outcome <- Surv(clinical$duration, clinical$event)
control <- coxph.control()
nothing <- rep(0, nrow(clinical))
bare <- function(g) coxph.fit(matrix(values[, g]), outcome, NULL, nothing, NULL, control, NULL, "efron", NULL, resid = FALSE)
for (g in seq_len(min(genes, 50))) bare(g)
seconds <- system.time(for (g in seq_len(genes)) bare(g))[["elapsed"]]
cat(seconds)
"""


def scan_400(place: Place, clock: Clock) -> None:
    """All genes of 400 patients."""
    _scan(place, clock, FEW)


def scan_1336(place: Place, clock: Clock) -> None:
    """All genes of 1,336 patients."""
    _scan(place, clock, MORE)


def lifelines(place: Place, clock: Clock) -> None:
    """Some genes, each fitted by a ``CoxPHFitter``."""
    peer = need_package("lifelines")
    patients, genes = _subset(place, "lifelines", clock)
    outcome = patients[["duration", "event"]].to_pandas()[["duration", "event"]]
    with clock("scan"):
        for g in range(genes):
            peer.CoxPHFitter().fit(outcome.assign(gene=patients["expression"].values[:, g]), "duration", "event")


def scikit_survival(place: Place, clock: Clock) -> None:
    """Some genes, each fitted by a ``CoxPHSurvivalAnalysis`` with Efron's ties."""
    need_package("sksurv")
    linear, util = need_package("sksurv.linear_model"), need_package("sksurv.util")
    patients, genes = _subset(place, "scikit_survival", clock)
    outcome = util.Surv.from_arrays(patients["event"].values, patients["duration"].values)
    with clock("scan"):
        for g in range(genes):
            linear.CoxPHSurvivalAnalysis(ties="efron").fit(patients["expression"].values[:, [g]], outcome)


def r(place: Place, clock: Clock) -> None:
    """Some genes in R's ``coxph.fit``, without the making of formulas and tables around it; R counts the seconds."""
    program = shutil.which("Rscript")
    if program is None:
        give_up("Rscript is not installed")
    patients, genes = _subset(place, "r", clock)
    place.checks.mkdir(parents=True, exist_ok=True)
    clinical, values = place.checks / "survival_clinical.csv", place.checks / "survival_expression.bin"
    pd.DataFrame({name: patients[name].values.astype(float) for name in ("duration", "event")}).to_csv(
        clinical, index=False
    )
    patients["expression"].values.T.astype("<f8").tofile(values)
    clock.parts["scan"] = _seconds_of_r(program, clinical, values, genes)
    clinical.unlink()
    values.unlink()


def _seconds_of_r(program: str, clinical: Path, values: Path, genes: int) -> float:
    command = [program, "-e", R_LOOP, str(clinical), str(values), str(genes)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        give_up(f"R could not fit: {done.stderr.strip()[-300:]}")
    return float(done.stdout)


def _scan(place: Place, clock: Clock, patients: int) -> None:
    need_doors("cox_scan")
    table = survival_cohort(patients, WARM_GENES if place.folder.name == WARM else GENES)
    with clock("scan"):
        found = cd.cox_scan(table, duration="duration", event="event")
    clock.facts["genes"] = found.sizes["gene"]
    clock.facts["genes_fitted"] = int((found["cox_status"] == 0).sum())


def _subset(place: Place, peer: str, clock: Clock) -> tuple[xr.Dataset, int]:
    genes = 3 if place.folder.name == WARM else GENES_OF[peer]
    clock.facts["genes"] = genes
    return survival_cohort(FEW, genes), genes


def survival_cohort(patients: int, genes: int) -> xr.Dataset:
    """Patients whose survival has nothing to do with their genes; times in tenths of months, so that some are tied."""
    draws = np.random.default_rng(SEED)
    return xr.Dataset(
        {
            "duration": ("patient", draws.exponential(30, patients).round(1) + 0.1),
            "event": ("patient", draws.random(patients) < EVENTS),
            "expression": (("patient", "gene"), draws.normal(5, 2, (patients, genes))),
        },
        coords={"patient": [f"P{i:04d}" for i in range(patients)], "gene": [f"G{g:05d}" for g in range(genes)]},
    )
