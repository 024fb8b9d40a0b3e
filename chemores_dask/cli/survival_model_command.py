"""``chemores survival model``: a Cox model of several columns or genes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from chemores_dask.cli.survival_run import SurvivalRun, flag_words, start_run
from chemores_dask.cli.terminal import say, show_table
from chemores_dask.cohort.survival.cox_models import cox_model
from chemores_dask.cohort.survival.cox_options import ModelOptions
from chemores_dask.figures.number_text import number_text, p_sentence, p_text
from chemores_dask.kernels.multiple_testing import benjamini_hochberg
from chemores_dask.workflow.record import Section

TABLE = "cox_model.csv"
ROBUST = "cox_model_robust_standard_error"


def perform(
    *,
    clinical: Path,
    expression: Path | None,
    out: Path,
    ties: str,
    robust: bool,
    firth: bool,
    columns: Mapping[str, object],
) -> None:
    """Fit the model, and write table, record and report."""
    run = start_run(
        "model", title="A Cox model of survival", clinical=clinical, expression=expression, columns=columns, out=out
    )
    meant = run.read.columns
    model = run.perform(
        "model",
        lambda: cox_model(
            run.patients,
            duration=meant.time,
            event=meant.event,
            covariates=meant.covariates,
            strata=meant.strata or None,
            entry=meant.start,
            options=ModelOptions(
                ties=ties, weights=meant.weights, cluster=meant.cluster, robust=robust or None, firth=firth
            ),
        ),
    )
    table = model_table(model)
    rows = [
        (row.term, f"{row.hazard_ratio:.3g}", f"{row.lower_95:.3g} to {row.upper_95:.3g}", p_text(row.p), row.status)
        for row in table.itertuples()
    ]
    show_table(("term", "hazard ratio", "95 % limits", "Wald P", "status"), rows)
    say(f"Likelihood ratio test of the whole model: {p_sentence(float(model['cox_model_likelihood_ratio_p_value']))}")
    run.finish(out, tables={TABLE: table}, sections=_sections(run, model), description=_description(run))


def model_table(model: xr.Dataset) -> pd.DataFrame:
    """The result of a model as a table, one row per term.

    Parameters
    ----------
    model
        Result of :func:`~chemores_dask.cohort.survival.cox_models.cox_model`.

    Returns
    -------
    The columns of :func:`~chemores_dask.cli.survival_scan_command.scan_table` with ``term`` in the place of ``gene``; ``log_likelihood``,
    ``p_likelihood_ratio`` and ``p_score`` are those of the whole model. ``robust_standard_error`` where there are any: then ``z``,
    ``p`` and limits rest on them.
    """
    terms = model.sizes["term"]
    p = model["cox_model_p_value"].values
    known = np.isfinite(p)
    q = np.full(terms, np.nan)
    q[known] = benjamini_hochberg(p[known])
    columns: dict[str, object] = {
        "term": model["term"].values,
        "n": np.full(terms, int(model["cox_model_patients"])),
        "events": np.full(terms, int(model["cox_model_events"])),
        "coefficient": model["cox_model_coefficient"].values,
        "standard_error": model["cox_model_standard_error"].values,
        "z": model["cox_model_z"].values,
        "p": p,
        "q": q,
        "hazard_ratio": model["cox_model_hazard_ratio"].values,
        "lower_95": model["cox_model_hazard_ratio_lower"].values,
        "upper_95": model["cox_model_hazard_ratio_upper"].values,
        "log_likelihood": np.full(terms, float(model["cox_model_log_likelihood"])),
        "p_likelihood_ratio": np.full(terms, float(model["cox_model_likelihood_ratio_p_value"])),
        "p_score": np.full(terms, float(model["cox_model_score_p_value"])),
        "status": flag_words(model["cox_model_status"]),
    }
    if ROBUST in model:
        columns["robust_standard_error"] = model[ROBUST].values
    return pd.DataFrame(columns)


def _description(run: SurvivalRun) -> str:
    return (
        f"A Cox model of {run.read.columns.event} on {', '.join(run.read.columns.covariates)}: "
        f"{run.patients.sizes['patient']:,} patients, {run.events:,} events."
    )


def _sections(run: SurvivalRun, model: xr.Dataset) -> tuple[Section, ...]:
    concordance = float(model["cox_model_concordance"])
    text = (
        f"Hazard ratios are per unit of a number, or of a level against the first one. Harrell's concordance is "
        f"{number_text(concordance)}: "
        "the share of pairs of patients of whom the model knows who had the event first, in the patients that it was fitted to."
    )
    if ROBUST in model:
        text += " Limits and P values rest on robust errors."
    figure = {
        "kind": "forest",
        "step": "model",
        "caption": "Hazard ratio of each term, beside all others, with 95 % limits.",
    }
    terms = [
        "cox_model_hazard_ratio", "cox_model_hazard_ratio_lower", "cox_model_hazard_ratio_upper", "cox_model_coefficient",
        "cox_model_standard_error", *([ROBUST] if ROBUST in model else []), "cox_model_z", "cox_model_p_value", "cox_model_status",
    ]  # fmt: skip
    whole = [
        "cox_model_patients", "cox_model_events", "cox_model_degrees_of_freedom", "cox_model_log_likelihood_null",
        "cox_model_log_likelihood", "cox_model_likelihood_ratio_statistic", "cox_model_likelihood_ratio_p_value",
        "cox_model_wald_statistic", "cox_model_wald_p_value", "cox_model_score_statistic", "cox_model_score_p_value",
        "cox_model_concordance",
    ]  # fmt: skip
    tables = (
        {"step": "model", "variables": terms, "rows": 100, "caption": f"Every term; with all digits in {TABLE}."},
        {"step": "model", "variables": [name for name in whole if name in model], "caption": "The model as a whole."},
    )
    return (Section(title="The model", text=text, figures=(figure,), tables=tables),)
