"""Patients of a store: clinical variables and bulk expression, one group per cohort."""

from __future__ import annotations

import re
from pathlib import Path

import xarray as xr

from chemores_dask.aliases import StorePath
from chemores_dask.checks import listed
from chemores_dask.errors import IncompleteStoreError, InputError, ParameterError, StoreNotFoundError
from chemores_dask.store.datasets import read_dataset, write_dataset
from chemores_dask.store.layout import (
    PATIENTS,
    existing_root,
    group_attributes,
    is_complete_group,
    require_group,
    writable_root,
)
from chemores_dask.store.writer_lock import writing

PLAIN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+-]*")


def write_patients(patients: xr.Dataset, store: StorePath, *, cohort: str) -> Path:
    """Write a cohort of patients, replacing one of the same name.

    Parameters
    ----------
    patients
        Variables over ``patient`` (clinical) and over ``(patient, gene)`` (expression).
    store
        Path of the store; made if it is not there.
    cohort
        Name of the cohort: letters, digits, ``_``, ``-``, ``.`` and ``+``.

    Returns
    -------
    Path of the store.

    Raises
    ------
    InputError
        If there is no dimension ``patient``, or a variable cannot be stored.
    ParameterError
        If the name of the cohort is not a plain one.
    StoreBusyError
        If another process writes into the store.
    """
    check_plain_name(cohort, parameter="cohort", caller="write_patients")
    if "patient" not in patients.dims:
        message = (
            f"Patients must run over the dimension 'patient'. Found the dimensions {listed(patients.dims)}; rename one."
        )
        raise InputError(message)
    with writing(store):
        root = writable_root(store)
        require_group(root / PATIENTS)
        write_dataset(patients, root / PATIENTS / cohort, attributes={"cohort": cohort})
    return root


def open_patients(store: StorePath, *, cohort: str) -> xr.Dataset:
    """Open a cohort of patients.

    Parameters
    ----------
    store
        Path of the store.
    cohort
        Name of the cohort.

    Returns
    -------
    Dataset over ``patient`` and ``gene`` as it was written; variables above 128 MB are lazy.

    Raises
    ------
    StoreNotFoundError
        If there is no such store or cohort.
    IncompleteStoreError
        If writing the cohort was cut short.
    """
    root = existing_root(store)
    folder = root / PATIENTS / cohort
    if not is_complete_group(folder):
        if group_attributes(folder) is None:
            message = f"The store {str(root)!r} must hold the cohort {cohort!r}. Present: {listed(list_cohorts(root))}."
            raise StoreNotFoundError(message)
        message = f"The cohort {cohort!r} in {str(root)!r} must be complete. Writing it was cut short; write it again."
        raise IncompleteStoreError(message)
    return read_dataset(folder)


def list_cohorts(store: StorePath) -> list[str]:
    """Names of the complete cohorts of a store.

    Parameters
    ----------
    store
        Path of the store.

    Returns
    -------
    Names in alphabetical order.
    """
    folder = existing_root(store) / PATIENTS
    if not folder.is_dir():
        return []
    return sorted(each.name for each in folder.iterdir() if is_complete_group(each))


def check_plain_name(name: str, *, parameter: str, caller: str) -> None:
    """Refuse a name that cannot name a group.

    Raises
    ------
    ParameterError
        Naming the characters that can.
    """
    if not PLAIN_NAME.fullmatch(name):
        message = (
            f"The {parameter!r} parameter of {caller} must start with a letter or digit and hold only letters, digits and _.+-. "
            f"Got {name!r}."
        )
        raise ParameterError(message)
