"""Clinical tables: one row per patient, follow-up times as numbers, events as booleans."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from chemores_dask.checks import check_columns, listed
from chemores_dask.errors import InputError
from chemores_dask.ingest.patient_privacy import check_privacy
from chemores_dask.ingest.source import reading
from chemores_dask.ingest.table_text import read_texts

PATIENT_NAMES = (
    "patient", "patient_id", "patientid", "target_usi", "target usi", "usi", "bcr_patient_barcode", "submitter_id",
    "case", "case_id", "case_submitter_id", "subject", "subject_id", "id", "sample", "sample_id",
)  # fmt: skip
EVENT_WORDS = ("event", "status", "dead", "deceased", "death")
HAPPENED = ("1", "1.0", "true", "yes", "dead", "deceased", "died", "event")
NOT_HAPPENED = ("0", "0.0", "false", "no", "alive", "living", "censored", "none")
MISSING = ("", "na", "nan", "n/a", "null", "none", "not available", "[not available]", "unknown", "not reported")
RESERVED = ("patient", "gene", "expression", "gene_id")


@dataclass(frozen=True)
class ClinicalColumns:
    """What the columns of a clinical table mean.

    Attributes
    ----------
    patient
        Identifies the patient; found by its usual names unless given.
    durations
        Follow-up times, in any unit.
    events
        Whether the follow-up ended in the event. Unless given, columns called event, status, dead, deceased or death
        (alone or as one word of the name) become events where all their entries are understood, and stay as they are
        otherwise. A column called censor is never guessed: name it, if it is 1 for an event. An event may be missing
        only where a duration is; it is then stored as False.
    required
        Columns that must be known: patients for whom one of them is missing are left out, and listed. Unless given, nobody
        is left out here, and analyses refuse columns with missing values.
    allow
        Columns that are read although they look as if they told who the patients are.
    """

    patient: str | None = None
    durations: tuple[str, ...] = ()
    events: tuple[str, ...] | None = None
    required: tuple[str, ...] = ()
    allow: tuple[str, ...] = ()


def read_clinical_table(path: str | Path, *, columns: ClinicalColumns | None = None) -> pd.DataFrame:
    """Read a clinical table.

    Parameters
    ----------
    path
        TSV or CSV, plain or gzipped.
    columns
        What the columns mean.

    Returns
    -------
    One row per patient, index ``patient``. Durations and all columns of numbers are float (missing is NaN), events
    boolean, the rest text (missing is empty). ``attrs["patients_left_out"]`` lists those who lack a required column.

    Raises
    ------
    FormatError
        If the file is cut short or is not a table.
    MissingVariableError
        If a named column is absent.
    PrivacyError
        If columns look as if they told who the patients are, and are not allowed by name.
    InputError
        If a patient is missing or occurs twice, a time or an event is not understood, or nobody has the required columns;
        the message names the column and the patients.
    """
    path = Path(path)
    meaning = columns or ClinicalColumns()
    table = read_clinical_texts(path, patient=meaning.patient)
    try:
        check_privacy(table, allow=meaning.allow)
    except InputError as error:
        error.add_note(f"The table is {path}.")
        raise
    named = (*meaning.durations, *(meaning.events or ()), *meaning.required)
    check_columns(table, named, what=str(path), caller="read_clinical_table")
    patient = _patient_column(table, meaning.patient, path)
    names = table[patient].str.strip()
    _check_patients(names, path)
    table = table.drop(columns=patient).set_index(pd.Index(names.to_numpy(dtype=object), name="patient"))
    clash = [name for name in table.columns if name in RESERVED]
    if clash:
        message = f"Columns of {path} must not be called {listed(RESERVED)}. Found: {listed(clash)}; rename them."
        raise InputError(message)
    table, left_out = _with_required(table, meaning.required, path)
    result = {}
    times = {name: durations(table[name].str.strip(), name=name, where=str(path)) for name in meaning.durations}
    without_time = pd.DataFrame(times, index=table.index).isna().any(axis=1)
    for name in table.columns:
        values = table[name].str.strip()
        if name in times:
            result[name] = times[name]
        elif meaning.events is not None and name in meaning.events:
            # Whoever has no follow-up has no event; analyses refuse or leave out missing times.
            result[name] = events(values.mask(is_missing(values) & without_time, "0"), name=name, where=str(path))
        elif meaning.events is None and _is_event(name, values):
            result[name] = events(values, name=name, where=str(path))
        else:
            result[name] = numbers_or_text(values)
    read = pd.DataFrame(result, index=table.index)
    read.attrs["patients_left_out"] = left_out
    return read


def durations(values: pd.Series, *, name: str, where: str) -> pd.Series:
    """Turn texts into follow-up times.

    Parameters
    ----------
    values
        Texts, indexed by patient.
    name, where
        The column and the file, for the message.

    Returns
    -------
    float64; missing entries are NaN.

    Raises
    ------
    InputError
        If an entry is not a number, is negative or is not finite.
    """
    missing = is_missing(values)
    numbers = pd.to_numeric(values.mask(missing), errors="coerce").astype(np.float64)
    wrong = (numbers.isna() & ~missing) | (numbers < 0) | np.isinf(numbers)
    if wrong.any():
        message = (
            f"Times in the column {name!r} of {where} must be numbers, zero or more. Found: "
            f"{_shown(values[wrong])}; correct these rows."
        )
        raise InputError(message)
    return numbers


def events(values: pd.Series, *, name: str, where: str) -> pd.Series:
    """Turn texts into events.

    Parameters
    ----------
    values
        ``0``/``1``, ``Dead``/``Alive``, ``1:DECEASED``/``0:LIVING``, true/false or yes/no in any case, indexed by
        patient.
    name, where
        The column and the file, for the message.

    Returns
    -------
    Booleans.

    Raises
    ------
    InputError
        If an entry is missing or is none of these.

    Examples
    --------
    >>> events(pd.Series(["1:DECEASED", "Alive", "0"]), name="status", where="a table").tolist()
    [True, False, False]
    """
    understood = _understood(values)
    if understood.isna().any():
        wrong = values[understood.isna()]
        message = (
            f"Events in the column {name!r} of {where} must be 0/1, Dead/Alive, 1:DECEASED/0:LIVING, true/false or "
            "yes/no. Found: "
            f"{_shown(wrong)}; correct these rows or leave these patients out."
        )
        raise InputError(message)
    return understood.astype(bool)


def read_clinical_texts(path: Path, *, patient: str | None = None) -> pd.DataFrame:
    """Read a clinical table as texts.

    Parameters
    ----------
    path
        TSV or CSV, plain or gzipped, or Parquet.
    patient
        Column that names the patients, where it is known.

    Returns
    -------
    Texts, names of columns without blanks around them. Row names of R that only number the rows are left out; others are the column
    ``patient``.

    Raises
    ------
    FormatError, StoreNotFoundError
        If the file is absent, cut short or not a table.
    """
    with reading(path):
        table = read_texts(path)
    table.columns = [str(name).strip() for name in table.columns]
    unnamed = [name for name in table.columns if name == "" or name.startswith("Unnamed: ")]
    if len(unnamed) == 1 and table.columns[0] == unnamed[0] and len(table.columns) > 1:
        rest = table.iloc[:, 1:]
        if _are_row_numbers(table.iloc[:, 0], rest, patient):
            return rest
        return table.rename(columns={unnamed[0]: "patient"})
    return table


def _are_row_numbers(first: pd.Series, rest: pd.DataFrame, patient: str | None) -> bool:
    """Tell whether R's row names, a first column without a name, number the rows or repeat the patients."""
    if any(first.equals(rest[name].rename(first.name)) for name in rest.columns):
        return True
    if not first.str.fullmatch(r"\d+").all():
        return False
    others_name_patients = patient is not None or any(name.lower() in PATIENT_NAMES for name in rest.columns)
    return others_name_patients or first.tolist() == [str(row + 1) for row in range(len(first))]


def _with_required(table: pd.DataFrame, required: Sequence[str], path: Path) -> tuple[pd.DataFrame, list[str]]:
    lacking = pd.Series(data=False, index=table.index)
    for name in required:
        lacking |= is_missing(table[name].str.strip())
    if lacking.all():
        message = (
            f"Some patient of {path} must have all of the required columns. Found none with {listed(required)}; require "
            "fewer columns."
        )
        raise InputError(message)
    return table[~lacking], [str(patient) for patient in table.index[lacking]]


def _patient_column(table: pd.DataFrame, named: str | None, path: Path) -> str:
    if named is not None:
        check_columns(table, [named], what=str(path), caller="read_clinical_table")
        return named
    lower = {name.lower(): name for name in reversed(list(table.columns))}
    found = next((lower[name] for name in PATIENT_NAMES if name in lower), None)
    if found is None:
        message = (
            f"{path} must have a column that names the patients. Present: {listed(table.columns)}; name it with "
            "ClinicalColumns(patient=…)."
        )
        raise InputError(message)
    return found


def _check_patients(names: pd.Series, path: Path) -> None:
    if len(names) == 0:
        message = f"{path} must have at least one patient. Found no rows; name another file."
        raise InputError(message)
    empty = [row + 2 for row, name in enumerate(names) if not name]
    if empty:
        message = f"Every row of {path} must name its patient. Empty in the lines: {listed(empty)}; fill them in."
        raise InputError(message)
    twice = sorted(set(names[names.duplicated()]))
    if twice:
        message = f"Every patient must have one row in {path}. More than one: {listed(twice)}; keep one row each."
        raise InputError(message)


def is_missing(values: pd.Series) -> pd.Series:
    """Tell which texts say that nothing is known."""
    return values.str.lower().isin(MISSING)


def _understood(values: pd.Series) -> pd.Series:
    texts = values.astype(str).str.strip().str.lower().str.replace(r"^([01])\s*:.*$", r"\1", regex=True)
    return texts.map(dict.fromkeys(HAPPENED, True) | dict.fromkeys(NOT_HAPPENED, False))


def _is_event(name: str, values: pd.Series) -> bool:
    words = re.split(r"[^a-z]+", name.lower())
    return (
        "censor" not in name.lower()
        and any(word in words for word in EVENT_WORDS)
        and bool(_understood(values).notna().all())
    )


def numbers_or_text(values: pd.Series) -> pd.Series:
    """Numbers where all that is known are numbers, texts otherwise; what is missing is not a number, or an empty text."""
    missing = is_missing(values)
    numbers = pd.to_numeric(values.mask(missing), errors="coerce").astype(np.float64)
    if not missing.all() and not (numbers.isna() & ~missing).any():
        return numbers
    return values.where(~missing, "").astype(object)


def _shown(values: pd.Series) -> str:
    shown: Sequence[str] = [f"{value!r} for {patient}" for patient, value in values.items()]
    return listed(shown)
