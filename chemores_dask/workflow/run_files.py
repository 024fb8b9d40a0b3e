"""What a run leaves in its folder: its record as JSON, its results as tables, and what is wrong with its design."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import pandas as pd
import xarray as xr

from chemores_dask.aliases import StorePath
from chemores_dask.errors import InputError
from chemores_dask.workflow.record import RunRecord

RECORD = "run.json"
TABLES = "tables"
FINDINGS = "findings.tsv"
LONG = {"cell", "edge", "offset"}
"""Dimensions as long as the cells, or longer."""


def prepare_folder(folder: StorePath) -> Path:
    """Make the folder of a run, and make sure before anything runs that files can be written into it.

    Raises
    ------
    InputError
        If they cannot.
    """
    place = Path(folder)
    try:
        place.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=place):
            pass
    except OSError as error:
        message = (
            f"Results go into a folder that can be written. {place} is not ({error.strerror}); choose another one."
        )
        raise InputError(message) from error
    return place


def write_record(record: RunRecord, folder: StorePath) -> Path:
    """Write the record of a run as JSON.

    Parameters
    ----------
    record
        The record.
    folder
        Made where absent.

    Returns
    -------
    Path of the file, ``run.json``.
    """
    path = Path(folder) / RECORD
    path.parent.mkdir(parents=True, exist_ok=True)
    described = asdict(record)
    for outcome, written in zip(record.claims, described["claims"], strict=True):
        written["holds"] = outcome.holds
    path.write_text(json.dumps(described, indent=2, ensure_ascii=False, default=str) + "\n", encoding="utf-8")
    return path


def write_findings(found: xr.Dataset, folder: StorePath) -> Path:
    """Write what the audit of a design found as a tab-separated table, one row per finding.

    Parameters
    ----------
    found
        The audit.
    folder
        Made where absent.

    Returns
    -------
    Path of the file, ``findings.tsv``; without findings it holds the heading alone.
    """
    path = Path(folder) / FINDINGS
    path.parent.mkdir(parents=True, exist_ok=True)
    names = ("severity", "code", "check", "subject", "text", "mend", "value", "limit", "patients")
    table = pd.DataFrame({name: found[f"finding_{name}"].values for name in names})
    meanings = str(found["finding_severity"].attrs["flag_meanings"]).split()
    table["severity"] = [meanings[int(severity)] for severity in table["severity"]]
    table.to_csv(path, sep="\t", index=False)
    return path


def write_tables(results: Mapping[str, xr.Dataset], folder: StorePath) -> tuple[Path, ...]:
    """Write results as tab-separated tables.

    One table per step and set of dimensions: ``<step>.tsv`` holds what has no dimension, ``<step>.<dimension>.tsv`` one row per
    label, ``<step>.<variable>.tsv`` a matrix. What runs over cells, edges between cells or three dimensions stays in the store.

    Parameters
    ----------
    results
        Results by the name of their step.
    folder
        Tables go into its ``tables``.

    Returns
    -------
    Paths of the tables.
    """
    place = Path(folder) / TABLES
    place.mkdir(parents=True, exist_ok=True)
    written = []
    for step, result in results.items():
        for suffix, table in _tables(result).items():
            path = place / f"{step}{suffix}.tsv"
            table.to_csv(path, sep="\t")
            written.append(path)
    return tuple(written)


def _tables(result: xr.Dataset) -> dict[str, pd.DataFrame]:
    variables = {str(name): result[name] for name in result.data_vars if LONG.isdisjoint(result[name].dims)}
    tables = {}
    plain = {name: values for name, values in variables.items() if not values.dims}
    if plain:
        rows = {name: (values.values.item(), values.attrs.get("units", "")) for name, values in plain.items()}
        tables[""] = pd.DataFrame.from_dict(rows, orient="index", columns=["value", "unit"]).rename_axis("variable")
    for dim in dict.fromkeys(str(values.dims[0]) for values in variables.values() if len(values.dims) == 1):
        columns = {name: values.values for name, values in variables.items() if values.dims == (dim,)}
        tables[f".{dim}"] = pd.DataFrame(columns, index=_labels(result, dim))
    for name, values in variables.items():
        if len(values.dims) == 2:
            # Genes go down, however they are stored.
            matrix = values.transpose("gene", ...) if "gene" in values.dims else values
            down, across = (str(dim) for dim in matrix.dims)
            index, columns = _labels(result, down), _labels(result, across)
            tables[f".{name}"] = pd.DataFrame(matrix.values, index=index, columns=columns)
    return tables


def _labels(result: xr.Dataset, dim: str) -> pd.Index:
    labels = result[dim].values if dim in result.coords else range(result.sizes[dim])
    return pd.Index(labels, name=dim)
