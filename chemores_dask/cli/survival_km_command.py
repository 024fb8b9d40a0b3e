"""``chemores survival km``: Kaplan-Meier curves of groups, and the log-rank test between them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from chemores_dask.cli.survival_run import SurvivalRun, start_run
from chemores_dask.cli.terminal import say, show_table
from chemores_dask.cohort.survival.kaplan_meier import CurveOptions, kaplan_meier
from chemores_dask.cohort.survival.log_rank import log_rank
from chemores_dask.figures.number_text import number_text, p_sentence
from chemores_dask.workflow.record import Section

CURVES, SUMMARY, TEST = "km_curves.csv", "km_summary.csv", "log_rank.csv"
CURVE_COLUMNS = {
    "at_risk": "km_at_risk",
    "events": "km_events",
    "censored": "km_censored",
    "survival": "km_survival",
    "standard_error": "km_standard_error",
    "lower_95": "km_lower",
    "upper_95": "km_upper",
}
SUMMARY_COLUMNS = {
    "n": "km_patients",
    "events": "km_event_total",
    "median": "km_median",
    "median_lower_95": "km_median_lower",
    "median_upper_95": "km_median_upper",
    "restricted_mean": "km_restricted_mean",
    "restricted_mean_standard_error": "km_restricted_mean_standard_error",
}


def perform(
    *, clinical: Path, expression: Path | None, out: Path, confidence: str, columns: Mapping[str, object]
) -> None:
    """Estimate the curves, test for a difference, and write tables, record and report."""
    run = start_run("km", title="Survival curves", clinical=clinical, expression=expression, columns=columns, out=out)
    meant = run.read.columns
    curves = run.perform(
        "curves",
        lambda: kaplan_meier(
            run.patients,
            duration=meant.time,
            event=meant.event,
            group=meant.group,
            entry=meant.start,
            options=CurveOptions(confidence=confidence),
        ),
    )
    tables = {CURVES: curve_table(curves), SUMMARY: summary_table(curves, unit=run.read.unit)}
    _say_groups(tables[SUMMARY], run)
    if curves.sizes["group"] > 1:
        test = run.perform(
            "test",
            lambda: log_rank(
                run.patients, duration=meant.time, event=meant.event, group=str(meant.group), strata=meant.strata or None,
                entry=meant.start,
            ),
        )  # fmt: skip
        tables |= {
            SUMMARY: tables[SUMMARY].merge(_observed(test), on="group"),
            TEST: rank_table(test, strata=meant.strata),
        }
        say(
            f"Log-rank test: {p_sentence(float(test['log_rank_p_value']))}, n = {run.patients.sizes['patient']:,}, {run.events:,} events"
        )
    run.finish(out, tables=tables, sections=_sections(run, curves), description=_description(run))


def curve_table(curves: xr.Dataset) -> pd.DataFrame:
    """Curves as a table: one row per group and time at which somebody of the group had the event or left.

    Parameters
    ----------
    curves
        Result of :func:`~chemores_dask.cohort.survival.kaplan_meier.kaplan_meier`.

    Returns
    -------
    Columns ``group, time, at_risk, events, censored, survival, standard_error, lower_95, upper_95``.
    """
    parts = []
    for place, group in enumerate(curves["group"].values):
        part = curves.isel(group=place)
        happens = (part["km_events"].values + part["km_censored"].values) > 0
        values = {name: part[variable].values[happens] for name, variable in CURVE_COLUMNS.items()}
        parts.append(pd.DataFrame({"group": group, "time": curves["time"].values[happens], **values}))
    return pd.concat(parts, ignore_index=True)


def summary_table(curves: xr.Dataset, *, unit: str) -> pd.DataFrame:
    """What the curves come to, one row per group.

    Parameters
    ----------
    curves
        Result of :func:`~chemores_dask.cohort.survival.kaplan_meier.kaplan_meier`.
    unit
        Of the times; empty where nobody named it.

    Returns
    -------
    Columns ``group, n, events, median, median_lower_95, median_upper_95, restricted_mean, restricted_mean_standard_error,
    restricted_to, time_unit``.
    """
    values = {name: curves[variable].values for name, variable in SUMMARY_COLUMNS.items()}
    return pd.DataFrame(
        {"group": curves["group"].values, **values, "restricted_to": float(curves["km_restrict"]), "time_unit": unit}
    )


def rank_table(test: xr.Dataset, *, strata: tuple[str, ...]) -> pd.DataFrame:
    """The test as a table of one row: ``test, strata, n, events, groups, statistic, degrees_of_freedom, p``."""
    row = {
        "test": "log-rank",
        "strata": " ".join(strata),
        "n": int(test["log_rank_patients"].sum()),
        "events": float(test["log_rank_observed"].sum()),
        "groups": test.sizes["group"],
        "statistic": float(test["log_rank_statistic"]),
        "degrees_of_freedom": int(test["log_rank_degrees_of_freedom"]),
        "p": float(test["log_rank_p_value"]),
    }
    return pd.DataFrame([row])


def _observed(test: xr.Dataset) -> pd.DataFrame:
    names = ("group", "log_rank_observed", "log_rank_expected")
    return pd.DataFrame({name.removeprefix("log_rank_"): test[name].values for name in names})


def _say_groups(summary: pd.DataFrame, run: SurvivalRun) -> None:
    def text(value: float) -> str:
        return number_text(value) if np.isfinite(value) else "not reached"

    rows = [
        (
            row.group,
            f"{row.n:,}",
            f"{row.events:,}",
            text(row.median),
            text(row.median_lower_95),
            text(row.median_upper_95),
        )
        for row in summary.itertuples()
    ]
    show_table(("group", "patients", "events", f"median ({run.time_words})", "lower 95 %", "upper 95 %"), rows)


def _description(run: SurvivalRun) -> str:
    group = run.read.columns.group
    return (
        f"Kaplan-Meier curves of {run.read.columns.event}{f' by {group}' if group else ''}: "
        f"{run.patients.sizes['patient']:,} patients, {run.events:,} events."
    )


def _sections(run: SurvivalRun, curves: xr.Dataset) -> tuple[Section, ...]:
    tested = "test" in run.results
    figure: dict[str, object] = {
        "kind": "survival_curves", "step": "curves", "time_label": f"{run.read.columns.time} ({run.time_words})",
        "caption": "Share of patients without the event over time.",
    }  # fmt: skip
    summary = {
        "step": "curves", "variables": [*SUMMARY_COLUMNS.values()], "rows": 100,
        "caption": f"Each group; medians and restricted means in the unit of time. All curves are in {CURVES}.",
    }  # fmt: skip
    tables = [summary]
    text = "Survival falls at each event by the share of those at risk who had it; patients who left count up to then."
    if tested:
        figure["log_rank"] = "test"
        within = f" within {', '.join(run.read.columns.strata)}" if run.read.columns.strata else ""
        text += f" The log-rank test asks whether the groups differ at all{within}; it does not say by how much."
        tables.append(
            {"step": "test", "caption": f"Observed events, and those expected if survival did not differ; {TEST}."}
        )
    return (Section(title="Curves", text=text, figures=(figure,), tables=tuple(tables)),)
