"""``chemores survival scan``: Cox regression of survival on every gene in turn."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr
from scipy.special import ndtri

from chemores_dask.cli.survival_run import SurvivalRun, flag_words, start_run
from chemores_dask.cli.terminal import say
from chemores_dask.cohort.survival.cox_options import ScanOptions
from chemores_dask.cohort.survival.cox_scan import cox_scan
from chemores_dask.figures.number_text import p_sentence, p_text
from chemores_dask.workflow.record import Section

TABLE = "cox_scan.csv"
COLUMNS = {
    "n": "cox_patients",
    "events": "cox_events",
    "coefficient": "cox_coefficient",
    "standard_error": "cox_standard_error",
    "z": "cox_z",
    "p": "cox_p_value",
    "q": "cox_q_value",
    "hazard_ratio": "cox_hazard_ratio",
    "lower_95": "cox_hazard_ratio_lower",
    "upper_95": "cox_hazard_ratio_upper",
    "log_likelihood": "cox_log_likelihood",
    "p_likelihood_ratio": "cox_likelihood_ratio_p_value",
    "p_score": "cox_score_p_value",
}
ROBUST = "cox_robust_standard_error"
SHOWN = 5


def perform(*, clinical: Path, expression: Path, out: Path, ties: str, columns: Mapping[str, object]) -> None:
    """Scan the genes, and write table, record and report."""
    run = start_run(
        "scan", title="Survival and every gene", clinical=clinical, expression=expression, columns=columns, out=out
    )
    meant = run.read.columns
    scan = run.perform(
        "scan",
        lambda: cox_scan(
            run.patients,
            duration=meant.time,
            event=meant.event,
            covariates=meant.covariates,
            strata=meant.strata or None,
            entry=meant.start,
            options=ScanOptions(ties=ties, weights=meant.weights, cluster=meant.cluster),
        ),
    )
    table = scan_table(scan)
    say_genes(table)
    run.finish(out, tables={TABLE: table}, sections=_sections(run, scan), description=_description(run))


def scan_table(scan: xr.Dataset) -> pd.DataFrame:
    """The result of a scan as a table, one row per gene in the order of the expression table.

    Parameters
    ----------
    scan
        Result of :func:`~chemores_dask.cohort.survival.cox_scan.cox_scan`.

    Returns
    -------
    Columns ``gene, n, events, coefficient, standard_error, z, p, q, hazard_ratio, lower_95, upper_95, log_likelihood,
    p_likelihood_ratio, p_score, status``. What is not a number stays empty in a file. The standard error is the robust one where there is
    one, as ``z`` and ``p`` are. Coefficient, error and hazard ratio of a separated gene are Firth's; it has no ``z``, ``p`` and ``q``.
    """
    values = {name: scan[variable].values for name, variable in COLUMNS.items()}
    if ROBUST in scan:
        values["standard_error"] = scan[ROBUST].values
    firth = np.isfinite(scan["cox_firth_coefficient"].values)
    coefficient, error = (scan[f"cox_firth_{name}"].values[firth] for name in ("coefficient", "standard_error"))
    reach = ndtri(0.975) * error
    for name, estimate in {
        "coefficient": coefficient,
        "standard_error": error,
        "hazard_ratio": np.exp(coefficient),
        "lower_95": np.exp(coefficient - reach),
        "upper_95": np.exp(coefficient + reach),
    }.items():
        values[name] = np.where(firth, np.nan, values[name])
        values[name][firth] = estimate
    return pd.DataFrame({"gene": scan["gene"].values, **values, "status": flag_words(scan["cox_status"])})


def say_genes(table: pd.DataFrame) -> None:
    """Say how many genes were fitted, and which have the smallest P."""
    counts = Counter(table["status"])
    said = ", ".join(f"{number:,} {status.replace('_', ' ')}" for status, number in counts.most_common())
    below = int(np.sum(table["q"] < 0.05))
    say(f"{len(table):,} genes: {said}; {below:,} with q below 0.05")
    for row in table.dropna(subset=["p"]).nsmallest(SHOWN, "p").itertuples():
        say(f"  {row.gene}: hazard ratio {row.hazard_ratio:.3g} ({row.lower_95:.3g} to {row.upper_95:.3g}), Wald {p_sentence(row.p)}, "
            f"q {p_text(row.q)}, n = {row.n:,}, {row.events:,} events")  # fmt: skip


def _description(run: SurvivalRun) -> str:
    beside = f" beside {', '.join(run.read.columns.covariates)}" if run.read.columns.covariates else ""
    return (
        f"A Cox model of {run.read.columns.event} for each of {run.patients.sizes['gene']:,} genes in turn{beside}: "
        f"{run.patients.sizes['patient']:,} patients, {run.events:,} events."
    )


def _sections(run: SurvivalRun, scan: xr.Dataset) -> tuple[Section, ...]:
    words = flag_words(scan["cox_status"])
    statuses = Counter(words)
    left_out = ", ".join(
        f"{number:,} {status.replace('_', ' ')}" for status, number in statuses.items() if status != "ok"
    )
    text = (
        "Each point is a gene: how much its expression goes with the hazard, and how sure that is. Hazard ratios are per unit of the "
        "expression table. The false discovery rate is held over all genes that vary."
    )
    if left_out:
        text += f" Apart from these stand, by status: {left_out}."
    tests = scan["cox_likelihood_ratio_p_value"].values
    apart = [place for place in np.argsort(tests) if words[place] == "separated"]
    if apart:
        named = [f"{scan['gene'].values[place]} ({p_sentence(tests[place])})" for place in apart[:SHOWN]]
        more = f" and {len(apart) - SHOWN:,} more" if len(apart) > SHOWN else ""
        text += f" Separated genes have no Wald P; by the likelihood ratio test: {', '.join(named)}{more}."
    shown = [
        "cox_patients", "cox_events", "cox_hazard_ratio", "cox_hazard_ratio_lower", "cox_hazard_ratio_upper", "cox_p_value",
        "cox_q_value", "cox_likelihood_ratio_p_value", "cox_score_p_value", "cox_status",
    ]  # fmt: skip
    table = {
        "step": "scan", "variables": shown, "sort": "cox_p_value", "rows": 25,
        "caption": f"The genes with the smallest P; all of them are in {TABLE}.",
    }  # fmt: skip
    figure = {
        "kind": "volcano", "step": "scan",
        "caption": "Effect and evidence of every gene. Filled points have a false discovery rate below 5 %.",
    }  # fmt: skip
    return (Section(title="Genes and survival", text=text, figures=(figure,), tables=(table,)),)
