"""Follow-up tables for survival commands: the columns that an analysis needs, whoever lacks one left out and counted."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from chemores_dask.checks import listed
from chemores_dask.errors import InputError, MissingVariableError
from chemores_dask.ingest.bulk_tables import BulkTable, read_bulk_table
from chemores_dask.ingest.calendar_dates import days_from_origin
from chemores_dask.ingest.clinical_tables import (
    PATIENT_NAMES,
    RESERVED,
    is_missing,
    numbers_or_text,
    read_clinical_texts,
)
from chemores_dask.ingest.event_codes import read_events
from chemores_dask.ingest.patient_privacy import check_privacy
from chemores_dask.ingest.time_units import time_unit

FIRST_LINE = 2
"""Line of the first row of a table below its header."""


@dataclass(frozen=True)
class FollowUpColumns:
    """What the columns of a clinical table mean for one analysis.

    Attributes
    ----------
    time, event
        End of follow-up, and whether it ended in the event.
    event_values
        Entries that are events, where the column does not say so by itself.
    unit
        Unit of the times, where the name of the column does not say it.
    sample
        Names the patient, as the columns or rows of the expression table do; found by its usual names unless given. Without such a
        column, and without expression, rows are named by their lines.
    start
        Start of follow-up, for late entry or several rows per patient.
    covariates
        Columns, or genes of the expression table.
    strata, group, weights, cluster
        Further columns of the analysis; the group may be a gene: then patients are above its median or not. Rows of one ``cluster``
        may belong to one patient.
    sample_suffix
        Of samples whose name goes on behind the patient's, only those that go on like this are used.
    origin, date_format
        Column of dates, or one date, from which calendar dates of ``time`` and ``start`` are counted in days; and how they are written.
    allow
        Columns that look as if they told who the patients are, and do not.
    """

    time: str
    event: str
    event_values: tuple[str, ...] = ()
    unit: str | None = None
    sample: str | None = None
    start: str | None = None
    covariates: tuple[str, ...] = ()
    strata: tuple[str, ...] = ()
    group: str | None = None
    weights: str | None = None
    cluster: str | None = None
    sample_suffix: str | None = None
    origin: str | None = None
    date_format: str | None = None
    allow: tuple[str, ...] = ()

    @property
    def clinical(self) -> tuple[str, ...]:
        """Columns that the clinical table must have, each once; covariates may be genes."""
        single = (self.time, self.event, self.sample, self.start, self.group, self.weights, self.cluster)
        return tuple(dict.fromkeys(name for name in (*single, *self.strata) if name is not None))


@dataclass(frozen=True)
class FlowStep:
    """One step from the rows of a table to those of an analysis.

    Attributes
    ----------
    reason
        Why rows were left out; for the first step, where they come from.
    left_out, remaining
        Rows.
    """

    reason: str
    left_out: int
    remaining: int


@dataclass(frozen=True)
class FollowUp:
    """Patients as an analysis takes them.

    Attributes
    ----------
    patients
        Variables over ``patient``, and ``expression`` over ``(patient, gene)`` where there is a table of it.
    columns
        What they mean, with names of variables.
    unit
        Unit of the times; empty where nobody named it.
    coding
        How events were understood.
    flow
        From the rows of the table to these patients.
    matching
        How samples of the expression were found, and how it was written; empty without.
    """

    patients: xr.Dataset
    columns: FollowUpColumns
    unit: str
    coding: str
    flow: tuple[FlowStep, ...]
    matching: str = ""


@dataclass
class _Rows:
    """Rows that are left, with the reasons why others are not."""

    table: pd.DataFrame
    where: str
    flow: list[FlowStep] = field(default_factory=list)

    def leave_out(self, wrong: pd.Series, reason: str) -> None:
        if wrong.any():
            self.table = self.table[~wrong]
            self.flow.append(FlowStep(reason, int(wrong.sum()), len(self.table)))
        if self.table.empty:
            message = f"Some patients of {self.where} must have all that the analysis needs. None is left: {_flow_words(self.flow)}."
            raise InputError(message)


def read_follow_up(clinical: Path, *, columns: FollowUpColumns, expression: Path | None = None) -> FollowUp:
    """Read the patients of a survival analysis.

    Parameters
    ----------
    clinical
        Clinical table: CSV or TSV, plain or gzipped, or Parquet.
    columns
        What its columns mean.
    expression
        Genes by samples or samples by genes, told apart by the names of the patients.

    Returns
    -------
    The patients that have all that is needed, as R's ``na.omit`` leaves them, and the count of all others.

    Raises
    ------
    FormatError, StoreNotFoundError
        If a file is absent, cut short or no table.
    MissingVariableError
        If a column is absent; names that are near are suggested.
    PrivacyError
        If columns look as if they told who the patients are.
    InputError
        If times, events or names of patients cannot be used, or nobody is left. Columns and lines are named.
    """
    where = clinical.name
    table = read_clinical_texts(clinical, patient=columns.sample)
    columns = replace(columns, covariates=_apart(columns.covariates, table), strata=_apart(columns.strata, table))
    _check_roles(columns, where)
    table.index = pd.Index([f"line {row}" for row in range(FIRST_LINE, FIRST_LINE + len(table))], dtype=object)
    table, columns = _without_dates(table, columns, where)
    check_privacy(table, allow=columns.allow)
    by_gene = expression is not None and columns.group is not None and columns.group not in table.columns
    asked, columns = columns, replace(columns, group=None) if by_gene else columns
    _check_present(table, columns.clinical, where)
    in_table = [name for name in columns.covariates if name in table.columns]
    if expression is None:
        _check_present(table, columns.covariates, where)
    rows = _Rows(table.apply(lambda values: values.str.strip()), where)
    rows.flow.append(FlowStep(f"rows of {where}", 0, len(table)))
    sample = _sample_column(table, columns, expression, where)
    rows.table.index = _row_names(rows.table, sample, columns, where)
    needed = [name for name in (*columns.clinical, *in_table) if name != sample]
    for name in dict.fromkeys(needed):
        rows.leave_out(is_missing(rows.table[name]), f"{name} is missing")
    bulk = None if expression is None else _read_expression(expression, clinical, rows, sample, columns)
    read = _joined(rows, bulk, columns, in_table)
    return _with_gene_group(read, str(asked.group), where) if by_gene else read


def _joined(rows: _Rows, bulk: BulkTable | None, columns: FollowUpColumns, in_table: Sequence[str]) -> FollowUp:
    table, where = rows.table, rows.where
    events = read_events(table[columns.event], name=columns.event, where=where, event_values=columns.event_values)
    values: dict[str, np.ndarray] = {}
    for name in filter(None, (columns.time, columns.start, columns.weights)):
        values[name] = _numbers(table[name], name, where)
    _check_times(values[columns.time], table.index, columns.time, where)
    if columns.start is not None:
        _check_starts(values, table.index, columns, where)
    values[columns.event] = events.happened.to_numpy()
    for name in (*in_table, *columns.strata, columns.group, columns.cluster):
        if name is not None and name not in values:
            read = numbers_or_text(table[name])
            values[name] = read.to_numpy(dtype=str) if read.dtype == object else read.to_numpy()
    variables: dict[str, object] = {_variable(name): ("patient", value) for name, value in values.items()}
    coordinates: dict[str, object] = {"patient": np.array([str(name) for name in table.index], dtype=str)}
    if bulk is not None:
        variables["expression"] = (("patient", "gene"), bulk.expression.to_numpy())
        coordinates["gene"] = np.array(bulk.expression.columns, dtype=str)
    patients = xr.Dataset(variables, coords=coordinates)
    patients = _with_genes(patients, [name for name in columns.covariates if name not in in_table], where)
    return FollowUp(
        patients=patients,
        columns=_renamed(columns),
        unit=time_unit(columns.time, named=columns.unit),
        coding=events.coding,
        flow=tuple(rows.flow),
        matching=""
        if bulk is None
        else f"The expression table is written as {bulk.orientation}: {bulk.matches.summary()}",
    )


def _apart(names: Sequence[str], table: pd.DataFrame) -> tuple[str, ...]:
    """Take ``age,stage`` apart, unless that is the name of a column."""
    apart = [[name] if name in table.columns else [part.strip() for part in name.split(",")] for name in names]
    return tuple(dict.fromkeys(part for parts in apart for part in parts if part))


def _check_roles(columns: FollowUpColumns, where: str) -> None:
    """Refuse an outcome that explains itself."""
    outcome = [name for name in (columns.time, columns.event, columns.start) if name is not None]
    if len(set(outcome)) < len(outcome):
        message = f"Times, events and starts must be columns of their own in {where}. Found: {listed(outcome)}; name each column once."
        raise InputError(message)
    twice = [name for name in (*columns.covariates, *columns.strata, columns.group) if name in outcome]
    if twice:
        message = (
            f"Covariates, strata and groups must be other columns of {where} than the follow-up. Found: {listed(twice)}; leave them out "
            "(a gene of that name must be renamed)."
        )
        raise InputError(message)


def _without_dates(table: pd.DataFrame, columns: FollowUpColumns, where: str) -> tuple[pd.DataFrame, FollowUpColumns]:
    if columns.origin is None:
        return table, columns
    dates = [name for name in (columns.time, columns.start) if name is not None]
    _check_present(table, dates, where)
    days = days_from_origin(table, columns=dates, origin=columns.origin, date_format=columns.date_format)
    named = {name: f"{name}_days" for name in dates}
    for name in named.values():
        days[name] = days[name].map(lambda value: "" if np.isnan(value) else f"{value:g}")
    return days, replace(columns, time=named[columns.time], start=columns.start and named[columns.start], unit="days")


def _check_present(table: pd.DataFrame, names: Iterable[str], where: str) -> None:
    missing = [name for name in names if name not in table.columns]
    if not missing:
        return
    lower = {str(name).lower(): str(name) for name in table.columns}
    near = {
        name: [lower[close] for close in difflib.get_close_matches(name.lower(), lower, n=3, cutoff=0.5)]
        for name in missing
    }
    hints = [f"Did you mean {' or '.join(map(repr, found))} for {name!r}?" for name, found in near.items() if found]
    message = (
        f"{where} must have the columns {listed(map(repr, missing))}. Present: {listed(table.columns)}. "
        f"{' '.join(hints) or 'Name columns as they stand in the header.'}"
    )
    raise MissingVariableError(message)


def _sample_column(table: pd.DataFrame, columns: FollowUpColumns, expression: Path | None, where: str) -> str | None:
    if columns.sample is not None:
        return columns.sample
    lower = {str(name).lower(): str(name) for name in reversed(list(table.columns))}
    found = next((lower[name] for name in PATIENT_NAMES if name in lower), None)
    if found is None and expression is not None:
        message = (
            f"{where} must have a column that names the samples, as the expression table does. Present: {listed(table.columns)}; name "
            "it (--sample COLUMN)."
        )
        raise InputError(message)
    return found


def _row_names(table: pd.DataFrame, sample: str | None, columns: FollowUpColumns, where: str) -> pd.Index:
    lines = [f"line {row}" for row in range(FIRST_LINE, FIRST_LINE + len(table))]
    if table.empty:
        message = f"{where} must have at least one patient. Found no rows; name another file."
        raise InputError(message)
    if sample is None:
        return pd.Index(lines, dtype=object)
    names = table[sample]
    unnamed = is_missing(names)
    if unnamed.any():
        found = listed(line for line, empty in zip(lines, unnamed, strict=True) if empty)
        message = f"Every row of {where} must name its patient in {sample!r}. Missing in: {found}; fill them in."
        raise InputError(message)
    if names.is_unique:
        return pd.Index(names, dtype=object)
    if columns.start is not None or columns.cluster == sample:
        return pd.Index([f"{name} ({line})" for name, line in zip(names, lines, strict=True)], dtype=object)
    repeated = names[names.duplicated(keep=False)]
    places = [f"{name} (lines {', '.join(_lines_of(names, name))})" for name in dict.fromkeys(repeated)]
    message = (
        f"Every patient must have one row in {where}. More than one in {sample!r}: {listed(places)}; keep one row each, or, where rows "
        f"of a patient belong together, say how: intervals of follow-up (--start COLUMN), or rows that are alike (--cluster {sample})."
    )
    raise InputError(message)


def _lines_of(names: pd.Series, name: str) -> list[str]:
    return [str(row + FIRST_LINE) for row in np.flatnonzero(names.to_numpy() == name)]


def _read_expression(
    expression: Path, clinical: Path, rows: _Rows, sample: str | None, columns: FollowUpColumns
) -> BulkTable:
    owners = rows.table.index if sample is None else pd.Index(rows.table[sample], dtype=object)
    wanted = list(dict.fromkeys(owners))
    same = expression.exists() and clinical.exists() and expression.samefile(clinical)
    bulk = read_bulk_table(
        expression,
        patients=wanted,
        without=(*columns.clinical, *columns.covariates) if same else (),
        suffix=columns.sample_suffix,
    )
    if not bulk.expression.shape[1]:
        message = f"An expression table must hold genes. {expression.name} has no column of numbers beside those of the patients."
        raise InputError(message)
    absent = pd.Series(~owners.isin(bulk.expression.index), index=rows.table.index)
    rows.leave_out(absent, f"not in {expression.name}")
    return replace(bulk, expression=bulk.expression.loc[owners[~absent.to_numpy()]])


def _numbers(values: pd.Series, name: str, where: str) -> np.ndarray:
    numbers = pd.to_numeric(values, errors="coerce").astype(np.float64)
    _refuse(numbers.isna().to_numpy() | np.isinf(numbers.to_numpy()), "must be finite numbers", values, name, where)
    return numbers.to_numpy()


def _check_times(times: np.ndarray, index: pd.Index, name: str, where: str) -> None:
    _refuse(times < 0, "must be zero or more", pd.Series(times, index=index), name, where)


def _check_starts(values: dict[str, np.ndarray], index: pd.Index, columns: FollowUpColumns, where: str) -> None:
    start, end = values[str(columns.start)], values[columns.time]
    shown = pd.Series([f"{first:g} to {last:g}" for first, last in zip(start, end, strict=True)], index=index)
    _refuse(start < 0, "must be zero or more", pd.Series(start, index=index), str(columns.start), where)
    _refuse(start >= end, f"must lie before {columns.time!r}", shown, str(columns.start), where)


def _refuse(wrong: np.ndarray, demand: str, values: pd.Series, name: str, where: str) -> None:
    if wrong.any():
        found = [f"{value!r} for {row}" for row, value in values[wrong].items()]
        commas = values[wrong].astype(str).str.fullmatch(r"[-+]?\d+,\d+").any()
        comma = " Decimals have a point, not a comma." if commas else ""
        message = (
            f"Entries of the column {name!r} of {where} {demand}. Not so in {len(found)} of {len(values)} rows: {listed(found)}; "
            f"correct these rows, or leave them empty: then they are left out and counted.{comma}"
        )
        raise InputError(message)


def _with_genes(patients: xr.Dataset, names: Sequence[str], where: str) -> xr.Dataset:
    for name in names:
        genes = [str(gene) for gene in patients["gene"].values]
        if name not in genes:
            near = difflib.get_close_matches(name, [*map(str, patients.data_vars), *genes], n=3)
            hint = f"Did you mean {' or '.join(map(repr, near))}?" if near else "Name it as it stands in the header."
            message = f"A covariate must be a column of {where} or a gene. {name!r} is neither. {hint}"
            raise MissingVariableError(message)
        patients[_variable(name)] = ("patient", patients["expression"].values[:, genes.index(name)])
    return patients


def _with_gene_group(read: FollowUp, gene: str, where: str) -> FollowUp:
    values = _with_genes(read.patients, [gene], where)[_variable(gene)].values
    known = np.isfinite(values)
    flow = read.flow
    if not known.all():
        flow = (*flow, FlowStep(f"{gene} is missing", int((~known).sum()), int(known.sum())))
    above = values[known] > np.median(values[known])
    patients = read.patients.isel(patient=np.flatnonzero(known)).drop_vars(_variable(gene))
    group = f"{gene}_group"
    patients = patients.assign({group: ("patient", np.where(above, "above the median", "up to the median"))})
    return replace(read, patients=patients, columns=replace(read.columns, group=group), flow=flow)


def _variable(name: str) -> str:
    return f"{name}_column" if name in RESERVED else name


def _renamed(columns: FollowUpColumns) -> FollowUpColumns:
    return FollowUpColumns(
        time=_variable(columns.time),
        event=_variable(columns.event),
        start=columns.start and _variable(columns.start),
        covariates=tuple(map(_variable, columns.covariates)),
        strata=tuple(map(_variable, columns.strata)),
        group=columns.group and _variable(columns.group),
        weights=columns.weights and _variable(columns.weights),
        cluster=columns.cluster and _variable(columns.cluster),
    )


def _flow_words(flow: Sequence[FlowStep]) -> str:
    return "; ".join(f"{step.reason}: {step.left_out or step.remaining:,}" for step in flow)
