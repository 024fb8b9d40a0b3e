"""Results and cohorts without some people: their entries cut out, their names struck from what remains, and the rest marked out of date."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from chemores_dask.aliases import Vector
from chemores_dask.store import revision
from chemores_dask.store.datasets import (
    COVERED,
    DIGEST,
    GROUP_ATTRIBUTES,
    attributes_digest,
    read_dataset,
    write_dataset,
)
from chemores_dask.store.layout import COMPLETE, GROUP_FILE, PATIENTS, RESULTS, group_attributes
from chemores_dask.store.results import STALE

CELL = "cell"
SAMPLE = "sample"
PATIENT = "patient"
PEOPLE = (CELL, SAMPLE, PATIENT)
NOT_PEOPLE = (
    "gene", "gene_set", "component", "state", "time", "break", "term", "cluster", "axis", "neighbor", "edge", "offset",
)  # fmt: skip
GRAPH_DIMENSIONS = ("neighbor", "edge", "offset")
"""What runs over these names cells by their row in the result: it cannot be cut, and is made again."""

ROOTS = "step_roots"
WARNINGS = "warnings"
STRUCK = "[withdrawn]"
CELLS_ROOT = "cells"


@dataclass(frozen=True)
class Leaving:
    """Who leaves a store.

    Attributes
    ----------
    names
        Of patients, and of samples that hold nobody else's cells.
    shared
        Samples that hold cells of others too: sums over them cannot be mended.
    cells
        Names of the cells.
    kept
        For every cell of the store whether it stays.
    """

    names: frozenset[str]
    shared: frozenset[str]
    cells: frozenset[str]
    kept: Vector

    @cached_property
    def words(self) -> re.Pattern[str]:
        """Finds any of the names in a text, as a whole word."""
        return _words(self.names)

    @cached_property
    def telling_words(self) -> re.Pattern[str]:
        """The same for names that are not just a number or a letter or two, which mean many other things."""
        return _words(name for name in self.names if len(name) > 2 and not name.isdigit())

    @cached_property
    def labels(self) -> pd.Index:
        """Every label by which they are known."""
        return pd.Index([*self.names, *self.cells], dtype=object)

    def stays(self, labels: Vector, *, dimension: str) -> Vector:
        """Tell which labels of a dimension are not those of who leaves."""
        texts = pd.Index(labels if labels.dtype.kind == "O" else labels.astype(str), dtype=object)
        leaves = texts.isin(self.labels)
        if dimension == SAMPLE:
            leaves |= texts.isin(list(self.shared))
        return np.asarray(~leaves)

    def struck(self, value: Any, *, prose: bool = False) -> Any:
        """The same plain value without the names: in texts, in lists, in mappings, and in JSON that is kept as text."""
        if isinstance(value, str):
            return self._struck_text(value, prose=prose)
        if isinstance(value, Mapping):
            return {
                self.struck(str(key)): self.struck(item, prose=prose or key == WARNINGS) for key, item in value.items()
            }
        if isinstance(value, (list, tuple)):
            return [self.struck(item, prose=prose) for item in value]
        return value

    def _struck_text(self, text: str, *, prose: bool) -> str:
        if text in self.names:
            return STRUCK
        if text[:1] in {"{", "["}:
            with suppress(json.JSONDecodeError):  # a text that only looks like it
                inner = json.loads(text)
                fresh = self.struck(inner, prose=prose)
                return text if fresh == inner else json.dumps(fresh, ensure_ascii=False)
        return (self.words if prose else self.telling_words).sub(STRUCK, text)


@dataclass(frozen=True)
class ResultChanges:
    """What becomes of the results and cohorts of a store.

    Attributes
    ----------
    change
        For the revision.
    cut
        Results of which entries were cut.
    stale
        Results that are marked out of date, those that were cut included.
    removed
        Results that could not be cut, or had not been finished.
    cohorts
        Names of the cohorts that lost patients.
    """

    change: revision.Change
    cut: int = 0
    stale: int = 0
    removed: int = 0
    cohorts: tuple[str, ...] = ()


def cut_dataset(dataset: xr.Dataset, leaving: Leaving) -> xr.Dataset | None:
    """Take people out of labeled arrays.

    Parameters
    ----------
    dataset
        A result or a cohort; it is not changed.
    leaving
        Who leaves.

    Returns
    -------
    The same variables without entries of theirs and without their names. None if a dimension of people has no labels to tell them by,
    or if cells leave a graph: its edges name cells by their row, and the neighbors of those who stay would be others.
    """
    chosen: dict[str, Vector] = {}
    for dimension in (str(name) for name in dataset.dims):
        size = dataset.sizes[dimension]
        if dimension in dataset.coords:
            if dimension not in NOT_PEOPLE:
                chosen[dimension] = np.flatnonzero(leaving.stays(dataset[dimension].values, dimension=dimension))
        elif dimension == CELL and size == len(leaving.kept):
            chosen[dimension] = np.flatnonzero(leaving.kept)
        elif dimension in PEOPLE:
            return None
    losing = {name: rows for name, rows in chosen.items() if len(rows) < dataset.sizes[name]}
    if any(name in dataset.dims for name in GRAPH_DIMENSIONS) and (CELL in losing or CELL not in chosen):
        return None
    cut = dataset.isel(losing) if losing else dataset.copy()
    for name in cut.variables:
        cut[name].attrs = leaving.struck(dict(cut[name].attrs))
        if cut[name].dtype.kind in "OUT" and name not in NOT_PEOPLE:
            cut[name] = cut[name].copy(data=_without_names(cut[name].values, leaving))
    cut.attrs = leaving.struck(dict(cut.attrs))
    return cut


def cut_results(root: Path, leaving: Leaving, *, reason: str) -> ResultChanges:
    """Write the results and cohorts of a store anew, in the folder of its revision, as they are without some people.

    Parameters
    ----------
    root
        Of the store.
    leaving
        Who leaves.
    reason
        For those who read the results that are marked out of date.

    Returns
    -------
    What to put in place, and what it is. Unfinished results go altogether.
    """
    replaced: list[str] = []
    removed: list[str] = []
    cohorts: list[str] = []
    for folder in _folders(root, f"{PATIENTS}/*"):
        place = folder.relative_to(root).as_posix()
        attributes = _complete_attributes(folder)
        if attributes is None:
            removed.append(place)
            continue
        if _cut_group(root, place, leaving, attributes=attributes):
            cohorts.append(folder.name)
            empty = read_dataset(revision.new_folder(root) / place).sizes[PATIENT] == 0
            (removed if empty else replaced).append(place)
    roots = {f"{PATIENTS}/{cohort}" for cohort in cohorts} | ({CELLS_ROOT} if leaving.cells else set())
    counted = {"cut": 0, "stale": 0, "removed": 0}
    for folder in _folders(root, f"{RESULTS}/*/*"):
        place = folder.relative_to(root).as_posix()
        attributes = _complete_attributes(folder)
        depends = _rests_on(attributes, roots)
        nothing_left = bool(leaving.cells) and not leaving.kept.any() and _rests_on(attributes, {CELLS_ROOT})
        if attributes is None or nothing_left:
            removed.append(place)
            counted["removed"] += 1
            continue
        fresh = {**attributes, STALE: {"date": revision.now(), "reason": reason}} if depends else attributes
        outcome = _cut_group(root, place, leaving, attributes=fresh)
        if outcome is None:
            removed.append(place)
            counted["removed"] += 1
            continue
        if outcome:
            replaced.append(place)
            counted["cut"] += 1
        elif fresh is not attributes or leaving.struck(attributes) != attributes:
            replaced.append(_describe(root, place, leaving.struck(fresh)))
        counted["stale"] += depends
    return ResultChanges(revision.Change(replaced, removed), **counted, cohorts=tuple(cohorts))


def mark_stale(root: Path, *, roots: Sequence[str], reason: str) -> list[str]:
    """Write the descriptions of results anew, in the folder of the revision, so that they say what they rest on has changed.

    Parameters
    ----------
    root
        Of the store.
    roots
        What changed: ``"cells"`` or ``"patients/<cohort>"``.
    reason
        For those who read them.

    Returns
    -------
    Places of the descriptions, for the change.
    """
    places = []
    for folder in _folders(root, f"{RESULTS}/*/*"):
        attributes = _complete_attributes(folder)
        if attributes is not None and _rests_on(attributes, set(roots)):
            stale = {**attributes, STALE: {"date": revision.now(), "reason": reason}}
            places.append(_describe(root, folder.relative_to(root).as_posix(), stale))
    return places


def _folders(root: Path, pattern: str) -> list[Path]:
    return sorted(folder for folder in root.glob(pattern) if folder.is_dir())


def _complete_attributes(folder: Path) -> dict[str, Any] | None:
    attributes = group_attributes(folder)
    return attributes if attributes is not None and attributes.get(COMPLETE) is True else None


def _rests_on(attributes: Mapping[str, Any] | None, roots: set[str]) -> bool:
    if attributes is None or not roots:
        return False
    # A result that does not say what it was made from may have been made from anything.
    return ROOTS not in attributes or bool(roots & set(json.loads(attributes[ROOTS])))


def _cut_group(root: Path, place: str, leaving: Leaving, *, attributes: Mapping[str, Any]) -> bool | None:
    """Write a group anew if it holds entries of people who leave; None if that cannot be told."""
    dataset = read_dataset(root / place)
    cut = cut_dataset(dataset, leaving)
    if cut is None:
        return None
    if cut.identical(dataset):
        return False
    kept = {name: value for name, value in attributes.items() if name not in GROUP_ATTRIBUTES}
    write_dataset(cut, revision.new_folder(root) / place, attributes=leaving.struck(kept))
    return True


def _describe(root: Path, place: str, attributes: Mapping[str, Any]) -> str:
    described = json.loads((root / place / GROUP_FILE).read_text(encoding="utf-8"))
    fresh = dict(attributes)
    if DIGEST in fresh:
        fresh[DIGEST] = attributes_digest(fresh, fresh[COVERED])
    described["attributes"] = fresh
    target = revision.new_folder(root) / place / GROUP_FILE
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(described, indent=2), encoding="utf-8")
    return f"{place}/{GROUP_FILE}"


def _without_names(values: np.ndarray, leaving: Leaving) -> np.ndarray:
    gone = np.asarray(pd.Index(values.ravel(), dtype=object).isin(leaving.labels))
    return np.where(gone.reshape(values.shape), np.array(STRUCK, dtype=object), values) if gone.any() else values


def _words(names: Iterable[str]) -> re.Pattern[str]:
    alternatives = "|".join(re.escape(name) for name in sorted(names, key=len, reverse=True))
    return re.compile(rf"(?<!\w)(?:{alternatives or '(?!)'})(?!\w)")
