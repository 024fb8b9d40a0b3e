"""Bulk expression: genes by patients, or patients by genes, told apart by the patients of the clinical table."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from chemores_dask.checks import listed
from chemores_dask.errors import FormatError, InputError
from chemores_dask.ingest.gene_dictionary import unique_names, without_version
from chemores_dask.ingest.parquet_tables import is_parquet, read_parquet
from chemores_dask.ingest.patient_identifiers import IdentifierMatches, candidate_patients, match_identifiers
from chemores_dask.ingest.source import looks_like_ensembl, reading
from chemores_dask.ingest.table_text import detect_delimiter, first_lines, names_of_columns, open_bytes, whole_lines

SYMBOL_NAMES = (
    "gene_symbol",
    "symbol",
    "hugo_symbol",
    "gene_name",
    "genename",
    "gene.name",
    "description",
    "name",
    "gene",
    "genes",
)
IDENTIFIER_NAMES = ("gene_id", "ensembl_id", "ensembl", "ensemblid", "id", "gene", "name")


@dataclass(frozen=True)
class BulkTable:
    """Expression of patients.

    Attributes
    ----------
    expression
        Patients by genes, float64; index patients, columns unique names of genes.
    gene_id
        Ensembl identifier of each gene without version; empty where the table does not tell.
    orientation
        How the table was written: ``"genes x patients"`` or ``"patients x genes"``.
    matches
        Which sample is which patient's, and how that was found.
    """

    expression: pd.DataFrame
    gene_id: np.ndarray
    orientation: str
    matches: IdentifierMatches


def read_bulk_table(
    path: str | Path, *, patients: Sequence[str], without: Sequence[str] = (), suffix: str | None = None
) -> BulkTable:
    """Read bulk expression.

    Parameters
    ----------
    path
        TSV, CSV or GCT, plain or gzipped, or Parquet; read into memory whole.
    patients
        Identifiers of the clinical table. Which sample belongs to which patient says
        :func:`~chemores_dask.ingest.patient_identifiers.match_identifiers`.
    without
        Columns that are no genes, of a table that holds clinical columns, too; so is then every column that does not hold numbers.
    suffix
        Of samples whose name goes on behind the patient's, only those that go on like this are used (``"01"`` for primary tumors of TCGA).

    Returns
    -------
    Expression of those patients that are in the table, in the order of ``patients``. Missing values stay missing.

    Raises
    ------
    FormatError
        If the file is cut short or is not a table.
    InputError
        If no patient is found, a patient has several samples, or an entry is not a number; the message names them.
    """
    path = Path(path)
    with reading(path):
        table = _read_frame(path)
    table.columns = [str(name) for name in table.columns]
    in_header = candidate_patients(table.columns, patients)
    in_rows = {
        name: candidate_patients(list(dict.fromkeys(table[name].astype(str))), patients)
        for name in table.columns[:3]
        if table[name].dtype == object or pd.api.types.is_integer_dtype(table[name])
    }
    best = max(in_rows, key=lambda name: len(in_rows[name]), default=None)
    if not in_header and (best is None or not in_rows[best]):
        names = [name for name in table.columns if table[name].dtype == object][:1]
        rows = list(table[names[0]][:3]) if names else []
        message = (
            f"{path} must hold patients of the clinical table, as columns or as rows. Found the columns "
            f"{listed(table.columns[:4])} and the rows "
            f"{listed(rows)}; the clinical table has {listed(patients[:4])}. Use the same identifiers in both."
        )
        raise InputError(message)
    if best is None or len(in_header) >= len(in_rows[best]):
        samples = [name for name in table.columns if name in in_header or pd.api.types.is_numeric_dtype(table[name])]
        return _genes_in_rows(table, _matches(samples, patients, suffix, path), patients, path)
    if without:
        texts = [name for name in table.columns if name != best and not pd.api.types.is_numeric_dtype(table[name])]
        table = table.drop(columns=[name for name in {*without, *texts} & set(table.columns) if name != best])
    return _patients_in_rows(table, best, _matches(table[best].astype(str), patients, suffix, path), patients, path)


def _matches(names: Sequence[str], patients: Sequence[str], suffix: str | None, path: Path) -> IdentifierMatches:
    wanted = candidate_patients(list(dict.fromkeys(names)), patients)
    # Rows of nobody may have the same name.
    counted = [
        *(name for name in names if name in wanted),
        *dict.fromkeys(name for name in names if name not in wanted),
    ]
    try:
        return match_identifiers(counted, patients, suffix=suffix)
    except InputError as error:
        error.add_note(f"The samples are those of {path}.")
        raise


def _read_frame(path: Path) -> pd.DataFrame:
    if is_parquet(path):
        return read_parquet(path)
    lines = first_lines(path, 4)
    skipped = 2 if lines and lines[0].startswith("#1.") else 0
    delimiter = detect_delimiter(path, lines[skipped:])
    names = names_of_columns(lines[skipped : skipped + 2], delimiter)
    with open_bytes(path) as file, whole_lines(path):
        return pd.read_csv(
            file, sep=delimiter, skiprows=skipped, index_col=False, low_memory=False, names=names, header=0
        )


def _genes_in_rows(table: pd.DataFrame, matches: IdentifierMatches, patients: Sequence[str], path: Path) -> BulkTable:
    annotation = table.drop(columns=[*matches.patient, *matches.unused])
    texts = {
        name.lower(): annotation[name].astype(str)
        for name in reversed(list(annotation.columns))
        if annotation[name].dtype == object
    }
    if not texts:
        message = (
            f"{path} must have a column with the names of genes. Found, beside the patients: "
            f"{listed(annotation.columns)}; add one."
        )
        raise FormatError(message)
    symbols = next(
        (texts[name] for name in SYMBOL_NAMES if name in texts and not looks_like_ensembl(texts[name])), None
    )
    identifiers = next(
        (texts[name] for name in IDENTIFIER_NAMES if name in texts and looks_like_ensembl(texts[name])), None
    )
    if symbols is None and identifiers is None:
        only = next(iter(texts.values()))
        symbols, identifiers = (None, only) if looks_like_ensembl(only) else (only, None)
    values = table[list(matches.patient)].rename(columns=dict(matches.patient)).T
    numbers, gene_id = _finished(values, symbols, identifiers, patients=patients, path=path)
    return BulkTable(numbers, gene_id, "genes x patients", matches)


def _patients_in_rows(
    table: pd.DataFrame, column: str, matches: IdentifierMatches, patients: Sequence[str], path: Path
) -> BulkTable:
    names = table[column].astype(str)
    rows = table[names.isin(list(matches.patient))]
    owners = names[rows.index].map(matches.patient)
    values = rows.drop(columns=column).set_axis(pd.Index(owners), axis=0)
    genes = pd.Series(values.columns, dtype=object)
    symbols, identifiers = (None, genes) if looks_like_ensembl(genes) else (genes, None)
    numbers, gene_id = _finished(values, symbols, identifiers, patients=patients, path=path)
    return BulkTable(numbers, gene_id, "patients x genes", matches)


def _finished(
    values: pd.DataFrame,
    symbols: pd.Series | None,
    identifiers: pd.Series | None,
    *,
    patients: Sequence[str],
    path: Path,
) -> tuple[pd.DataFrame, np.ndarray]:
    stripped = None if identifiers is None else without_version(identifiers)
    labels = symbols if symbols is not None else stripped
    if stripped is not None and symbols is not None:
        labels = symbols.where((symbols != "") & (symbols != "nan"), stripped)
    values = values.loc[pd.Index(patients, dtype=object).intersection(values.index, sort=False)]
    values.columns = pd.Index(unique_names(list(labels)), dtype=object)
    numbers = values.apply(pd.to_numeric, errors="coerce").astype(np.float64)
    wrong = (numbers.isna() & values.notna()) | np.isinf(numbers)
    if wrong.to_numpy().any():
        row, column = np.argwhere(wrong.to_numpy())[0]
        found = str(values.iloc[row, column])
        comma = " Decimals have a point, not a comma." if re.fullmatch(r"\s*[-+]?\d+,\d+\s*", found) else ""
        message = (
            f"Expression in {path} must be finite numbers. Found {found!r} for patient {values.index[row]}, gene "
            f"{values.columns[column]}; correct the table, or remove columns that are not genes.{comma}"
        )
        raise InputError(message)
    gene_id = np.full(values.shape[1], "", dtype=object) if stripped is None else stripped.to_numpy(dtype=object)
    return numbers, gene_id
