"""Results of a store: one group per step and fingerprint, which counts only when it is complete."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import xarray as xr

from chemores_dask.aliases import StorePath
from chemores_dask.checks import listed
from chemores_dask.errors import IncompleteResultError, StaleResultWarning, StoreNotFoundError
from chemores_dask.store.datasets import GROUP_ATTRIBUTES, damage_of, read_dataset, write_dataset
from chemores_dask.store.layout import (
    COMPLETE,
    RESULTS,
    erase,
    existing_root,
    group_attributes,
    is_complete_group,
    require_group,
    writable_root,
)
from chemores_dask.store.patients import check_plain_name
from chemores_dask.store.writer_lock import writing

NO_ATTRIBUTES: Mapping[str, Any] = {}
STALE = "stale"
"""Attribute of a result whose cells or patients are no longer the same: since when (``date``) and why (``reason``)."""

_INTERNAL = (*GROUP_ATTRIBUTES, "step", "fingerprint", STALE)


@dataclass(frozen=True)
class ResultEntry:
    """A result that is in a store.

    Attributes
    ----------
    step, fingerprint
        Its address.
    complete
        Whether it was written to its end.
    attributes
        As given when it was written; empty where it is not complete.
    stale
        Why and since when its cells or patients are no longer the same; empty where they are.
    """

    step: str
    fingerprint: str
    complete: bool
    attributes: dict[str, Any]
    stale: str = ""


def write_result(
    result: xr.Dataset,
    store: StorePath,
    *,
    step: str,
    fingerprint: str,
    attributes: Mapping[str, Any] = NO_ATTRIBUTES,
) -> Path:
    """Write a result under its step and fingerprint.

    A result that is complete there is erased first. One whose writing was cut short goes on: chunks of lazy variables that were
    finished, and that were made of the same, are kept; what they rest on is not computed again.

    Parameters
    ----------
    result
        Variables of whole numbers, floats, booleans or text; lazy ones are computed here, all in one pass, block by block.
    store
        Path of the store; made if it is not there.
    step
        Name of the step.
    fingerprint
        Of the step, its parameters and inputs.
    attributes
        Plain values to keep with the result: parameters, inputs, versions, times.

    Returns
    -------
    Path of the group. Types, attributes and coordinates are read back as they are here; ``complete`` is written last.

    Raises
    ------
    InputError
        If a variable or attribute cannot be stored.
    StoreBusyError
        If another process writes into the store.

    Notes
    -----
    Passes over the counts: those of the lazy variables, shared.
    """
    check_plain_name(step, parameter="step", caller="write_result")
    check_plain_name(fingerprint, parameter="fingerprint", caller="write_result")
    described = {**attributes, "step": step, "fingerprint": fingerprint}
    with writing(store):
        root = writable_root(store)
        require_group(root / RESULTS)
        require_group(root / RESULTS / step)
        folder = root / RESULTS / step / fingerprint
        write_dataset(result, folder, attributes=described, go_on=True)
    return folder


def open_result(store: StorePath, *, step: str, fingerprint: str) -> xr.Dataset:
    """Open a result.

    Parameters
    ----------
    store
        Path of the store.
    step
        Name of the step.
    fingerprint
        Of the result.

    Returns
    -------
    Dataset as it was written; variables above 128 MB are lazy (one task per stored chunk), the others in memory.

    Raises
    ------
    StoreNotFoundError
        If there is no such store or result.
    IncompleteResultError
        If writing it was cut short.
    ChecksumError
        If bytes on disk are not those that were written.

    Warns
    -----
    StaleResultWarning
        If cells were appended or patients withdrawn since it was made.
    """
    root = existing_root(store)
    folder = root / RESULTS / step / fingerprint
    if not is_complete_group(folder):
        if group_attributes(folder) is None:
            present = [f"{entry.step}/{entry.fingerprint}" for entry in list_results(root)]
            message = f"The store {str(root)!r} must hold the result {step}/{fingerprint}. Present: {listed(present)}."
            raise StoreNotFoundError(message)
        message = (
            f"The result {step}/{fingerprint} in {str(root)!r} must be complete. "
            "Writing it was cut short; run the same step again, it goes on from what is finished."
        )
        raise IncompleteResultError(message)
    said = staleness(group_attributes(folder) or {})
    if said:
        message = (
            f"The result {step}/{fingerprint} in {str(root)!r} is out of date: {said}. It says nothing about the present cells and "
            "patients; run the pipeline again."
        )
        warnings.warn(message, StaleResultWarning, stacklevel=2)
    return read_dataset(folder)


def staleness(attributes: Mapping[str, Any]) -> str:
    """Say why a result is out of date, and since when; empty if it is not."""
    stale = attributes.get(STALE)
    return f"{stale['reason']} ({stale['date']})" if stale else ""


def damage_of_result(store: StorePath, *, step: str, fingerprint: str) -> str:
    """Read all of a result again.

    Parameters
    ----------
    store
        Path of the store.
    step
        Name of the step.
    fingerprint
        Of the result.

    Returns
    -------
    What is wrong with it; empty if all is well, or if it is not complete.
    """
    folder = Path(store) / RESULTS / step / fingerprint
    return damage_of(folder) if is_complete_group(folder) else ""


def forget_result(store: StorePath, *, step: str, fingerprint: str) -> None:
    """Remove a result, finished or not.

    Parameters
    ----------
    store
        Path of the store.
    step
        Name of the step.
    fingerprint
        Of the result.

    Raises
    ------
    StoreBusyError
        If another process writes into the store.
    """
    check_plain_name(step, parameter="step", caller="forget_result")
    check_plain_name(fingerprint, parameter="fingerprint", caller="forget_result")
    with writing(existing_root(store)) as root:
        erase(root / RESULTS / step / fingerprint)


def is_complete(store: StorePath, *, step: str, fingerprint: str) -> bool:
    """Whether a result is there and was written to its end.

    Parameters
    ----------
    store
        Path of the store.
    step
        Name of the step.
    fingerprint
        Of the result.

    Returns
    -------
    True or False; False also where there is no store.
    """
    return is_complete_group(Path(store) / RESULTS / step / fingerprint)


def list_results(store: StorePath) -> list[ResultEntry]:
    """Results of a store, torn ones included.

    Parameters
    ----------
    store
        Path of the store.

    Returns
    -------
    Entries ordered by step and fingerprint.
    """
    folder = existing_root(store) / RESULTS
    entries = []
    for step in sorted(folder.iterdir()) if folder.is_dir() else []:
        for group in sorted(step.iterdir()) if step.is_dir() else []:
            if not group.is_dir():
                continue
            found = group_attributes(group) or {}
            kept = {name: value for name, value in found.items() if name not in _INTERNAL}
            entries.append(ResultEntry(step.name, group.name, found.get(COMPLETE) is True, kept, staleness(found)))
    return entries
